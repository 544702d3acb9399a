"""Diagrams choose exactly the rows that foreign keys reach, as found by looking at all rows in Python."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.diagram.conftest import World
from tests.diagram.naive_propagation import Keys, Tables, cascaded, restricted, traced

import djflow as dj
from djflow.model.names import TableName
from djflow.tables.free import FreeTable

ON_A_SERVER = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


@st.composite
def seeds(draw: st.DrawFn, world: World, tables: Tables) -> tuple[FreeTable, Keys]:
    """Some rows of one table: a query for them, and their keys."""
    model = draw(st.sampled_from(world.catalog.tables))
    table, naive = FreeTable(world.database, model), tables[model.name]
    attribute = draw(st.sampled_from(model.heading.names))
    values = {row[attribute] for row in naive.rows} - {None}
    if draw(st.booleans()) and values:
        value = draw(st.sampled_from(sorted(values)))
        return table & {attribute: value}, naive.keys(lambda row: row[attribute] == value)
    rows = draw(st.lists(st.sampled_from(naive.rows), max_size=2)) if naive.rows else []
    chosen = [{name: row[name] for name in naive.key} for row in rows]
    return table & chosen, naive.keys(lambda row: row in rows)


def keys_of(diagram: dj.Diagram) -> dict[TableName, Keys]:
    return {
        table.table_model.name: frozenset(
            tuple(key[name] for name in table.table_model.primary_key) for key in table.to_dicts()
        )
        for table in diagram
    }


def check(diagram: dj.Diagram, expected: Mapping[Any, Keys]) -> None:
    found = keys_of(diagram)
    assert found == expected
    assert dict(diagram.counts()) == {
        f'"{name.schema}"."{name.table}"': len(keys) for name, keys in found.items()
    }


@ON_A_SERVER
@given(st.data())
@pytest.mark.parametrize("part_integrity", ["enforce", "ignore", "cascade"])
def test_a_cascade_has_what_refers_to_the_rows_on_any_path(
    world: World, part_integrity: str, data: st.DataObject
) -> None:
    tables = world.fill(data.draw(world.rows()))
    query, keys = data.draw(seeds(world, tables))
    expected = cascaded(tables, {query.table_model.name: keys}, whole_masters=part_integrity == "cascade")
    check(dj.Diagram.cascade(query, part_integrity=part_integrity), expected)


@ON_A_SERVER
@given(st.data())
def test_a_trace_has_what_the_rows_refer_to_on_any_path(world: World, data: st.DataObject) -> None:
    tables = world.fill(data.draw(world.rows()))
    query, keys = data.draw(seeds(world, tables))
    check(dj.Diagram.trace(query), traced(tables, query.table_model.name, keys))


@ON_A_SERVER
@given(st.data())
def test_a_restriction_keeps_what_agrees_with_all_of_its_tables(world: World, data: st.DataObject) -> None:
    tables = world.fill(data.draw(world.rows()))
    chosen: dict[Any, Keys] = {}
    diagram = whole(world)
    for _ in range(data.draw(st.integers(1, 3))):
        query, keys = data.draw(seeds(world, tables))
        name = query.table_model.name
        chosen[name] = chosen.get(name, keys) & keys
        diagram = diagram.restrict(query)
    expected = restricted(tables, chosen)
    untouched = {name: table.keys() for name, table in tables.items() if name not in expected}
    assert keys_of(diagram) == {**untouched, **expected}
    assert set(diagram.counts()) == {f'"{name.schema}"."{name.table}"' for name in expected}
    some = {name for name, keys in {**untouched, **expected}.items() if keys}
    assert set(diagram.prune().tables) == some


def whole(world: World) -> dj.Diagram:
    return dj.Diagram.from_sequence([world.classes.ana, world.classes.rig, world.classes.lab])
