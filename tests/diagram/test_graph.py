"""The algebra of sets of tables, without a database."""

import random

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from djflow.diagram.boxes import picture
from djflow.diagram.graph import Direction, Selection, in_order
from djflow.diagram.mermaid import mermaid
from djflow.diagram.text import draw
from djflow.errors import DefinitionError, InvalidArgumentError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import ForeignKey, Table

NAMES = [TableName(schema, f"t{n}") for schema in ("a", "b") for n in range(5)]
names = st.sampled_from(NAMES)
selections = st.builds(Selection, st.frozensets(names), st.frozensets(names))
levels = st.integers(0, 4)
directions: st.SearchStrategy[Direction] = st.sampled_from(["up", "down"])


@st.composite
def graphs(draw: st.DrawFn) -> "nx.DiGraph[TableName]":
    graph: nx.DiGraph[TableName] = nx.DiGraph()
    order = draw(st.permutations(NAMES))
    graph.add_nodes_from(order)
    places = st.integers(0, len(order) - 1)
    for a, b in draw(st.lists(st.tuples(places, places), max_size=15)):
        if a < b:
            graph.add_edge(order[a], order[b])
    return graph


@given(selections, selections, selections)
def test_unions_and_intersections_take_any_order(a: Selection, b: Selection, c: Selection) -> None:
    assert a | b == b | a
    assert a & b == b & a
    assert (a | b) | c == a | (b | c)
    assert a | a == a == a & a
    assert (a & b).names == a.names & b.names
    assert (a | b).names == a.names | b.names


@given(selections, selections, selections)
def test_a_difference_lacks_exactly_what_the_other_has(a: Selection, b: Selection, c: Selection) -> None:
    assert (a - b).names == a.names - b.names
    assert (a - b) - c == a - (b | c)
    assert a - a == Selection()


@given(selections, selections)
def test_what_one_side_shows_expanded_is_expanded(a: Selection, b: Selection) -> None:
    for both in (a | b, a & b):
        assert both.expanded == (a.expanded | b.expanded) & both.names
        assert not both.expanded & both.folded


@given(selections)
def test_folding_changes_no_table(a: Selection) -> None:
    assert a.collapsed().names == a.names
    assert a.collapsed().collapsed() == a.collapsed()
    assert a.collapsed() | a == Selection(a.expanded, a.folded)


@given(graphs(), selections, selections, levels, directions)
def test_widening_keeps_what_there_is_and_grows_with_it(
    graph: "nx.DiGraph[TableName]", a: Selection, b: Selection, n: int, direction: Direction
) -> None:
    wide = a.widened(graph, n, direction)
    assert a.expanded <= wide.expanded
    assert a.folded == wide.folded
    assert wide.names <= (a | b).widened(graph, n, direction).names
    assert (a | b).widened(graph, n, direction).names == (wide.names | b.widened(graph, n, direction).names)


@given(graphs(), selections, levels, levels, directions)
def test_steps_add_up(
    graph: "nx.DiGraph[TableName]", a: Selection, m: int, n: int, direction: Direction
) -> None:
    twice = a.widened(graph, m, direction).widened(graph, n, direction)
    assert twice == a.widened(graph, m + n, direction)


@given(graphs(), selections, directions)
def test_enough_levels_reach_everything_that_is_connected(
    graph: "nx.DiGraph[TableName]", a: Selection, direction: Direction
) -> None:
    reach = nx.descendants if direction == "down" else nx.ancestors
    connected = set(a.names).union(*(reach(graph, name) for name in a.names))
    assert a.widened(graph, 10**9, direction).names == connected


@given(graphs(), st.frozensets(names))
def test_tables_come_after_all_that_they_depend_on_though_tables_between_are_left_out(
    graph: "nx.DiGraph[TableName]", chosen: frozenset[TableName]
) -> None:
    order = in_order(graph, chosen)
    assert set(order) == chosen
    assert len(order) == len(chosen)
    for place, name in enumerate(order):
        assert not nx.ancestors(graph, name) & set(order[place + 1 :])


def test_levels_below_zero_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"diagram \+ n adds children"):
        Selection().widened(nx.DiGraph(), -1, "down")


def test_a_circle_is_named_only_where_it_is_asked_for() -> None:
    a, b, c, *_ = NAMES
    graph: nx.DiGraph[TableName] = nx.DiGraph([(a, b), (b, a), (b, c)])
    assert in_order(graph, [c]) == (c,)
    with pytest.raises(DefinitionError, match=r"a\.t0 -> a\.t1|a\.t1 -> a\.t0"):
        in_order(graph, [a, b])


def catalog(parents: list[list[int]]) -> Catalog:
    made = [TableName(f"s{n % 7}", f"t{n}") for n in range(len(parents))]
    return Catalog(
        tuple(
            Table(name, "", (), tuple(ForeignKey(made[parent], ()) for parent in above))
            for name, above in zip(made, parents, strict=True)
        )
    )


@pytest.mark.parametrize("shape", ["chain", "bush"])
def test_thousands_of_tables_are_no_problem(shape: str) -> None:
    size, source = 3000, random.Random(1)  # noqa: S311 - no secret
    chain = [[n - 1] if n else [] for n in range(size)]
    bush = [[source.randrange(n) for _ in range(min(n, 4))] for n in range(size)]
    tables = catalog(chain if shape == "chain" else bush)
    root = Selection(frozenset({tables.tables[0].name}))
    everything = root.widened(tables.graph, size, "down")
    assert len(everything.names) == size
    assert everything.widened(tables.graph, size, "up") == everything
    assert in_order(tables.graph, everything.names)[0] == tables.tables[0].name
    assert len(draw(picture(tables, everything)).splitlines()) == size
    folded = picture(tables, everything.collapsed() | root)
    assert len(folded.boxes) == 8
    assert mermaid(picture(tables, everything)).count("-.->") == sum(
        len({key.parent for key in table.foreign_keys}) for table in tables.tables
    )
