"""Which rows matter for a plan: what the analysis says, and that other rows really make no difference."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import polars as pl
import pyarrow as pa
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from djflow.model.table import Heading, Table
from djflow.planner import analyze
from djflow.planner import scalar as s
from djflow.planner.explain import show_plan
from djflow.planner.nodes import LocalFrame, Node, Project, Restrict, Scan, asked, inputs, with_inputs
from djflow.planner.pinned import PinnedScan, pinned_scans
from djflow.planner.pinned_shapes import pinned_scans_by_shape
from djflow.planner.pins import Among, Fact, OneOf
from djflow.relation.conditions import Not, Top, restricted
from djflow.testing.databases import Rowsets, databases
from djflow.testing.naive import evaluate
from djflow.testing.naive_values import UndefinedValueError
from djflow.testing.plans import plans
from djflow.testing.schemas import schemas
from djflow.testing.variation import with_other_constants

EXAMPLES: Final = int(os.environ.get("DJFLOW_TEST_EXAMPLES", "50"))
KEY: Final = {"subject": 1, "session": 2}


def shown(plan: Node, known: Sequence[Node] = ()) -> str:
    """A line for each place: the values to which attributes are pinned, and attributes of other places."""
    return "\n".join(_line(*numbered) for numbered in enumerate(pinned_scans(plan, known)))


def _line(number: int, scan: PinnedScan) -> str:
    pins = [
        f"{name} {_fact(fact)}"
        for name, facts in sorted(scan.pins.items())
        for fact in sorted(facts, key=_fact)
        if fact != Among(number, name)
    ]
    return f"{number} {scan.table.name.table}{' (known)' * scan.is_known}: {', '.join(pins) or 'all'}"


def _fact(fact: Fact) -> str:
    match fact:
        case Among(scan, column):
            return f"as {scan}.{column}"
        case OneOf(constants, columns):
            values = {*constants, *(value for column in columns for value in column.to_pylist())}
            return f"in {sorted(values)}"


class _Query:
    def __init__(self, plan: Node) -> None:
        self._plan = plan

    @property
    def logical_plan(self) -> Node:
        return self._plan


def test_a_dict_pins_the_attributes_that_the_table_has(lab: dict[str, Scan]) -> None:
    assert shown(restricted(lab["subject"], KEY)) == snapshot("0 subject: subject in [1]")


def test_a_whole_table_is_not_pinned(lab: dict[str, Scan]) -> None:
    assert shown(lab["trial"]) == snapshot("0 trial: all")


def test_a_semi_join_pins_both_sides(lab: dict[str, Scan]) -> None:
    plan = restricted(lab["trial"], _Query(restricted(lab["session"], KEY)))
    assert shown(plan) == snapshot("""\
0 trial: session as 1.session, session in [2], subject as 1.subject, subject in [1]
1 session: session as 0.session, session in [2], subject as 0.subject, subject in [1]\
""")


def test_a_join_pins_what_it_matches(lab: dict[str, Scan]) -> None:
    plan = analyze.join(analyze.join(lab["subject"], lab["session"]), restricted(lab["trial"], KEY))
    assert shown(plan) == snapshot("""\
0 subject: subject as 1.subject, subject as 2.subject, subject in [1]
1 session: session as 2.session, session in [2], subject as 0.subject, subject as 2.subject, subject in [1]
2 trial: session as 1.session, session in [2], subject as 0.subject, subject as 1.subject, subject in [1]\
""")


def test_a_restriction_of_a_summary_pins_what_is_summarised(lab: dict[str, Scan]) -> None:
    plan = analyze.aggregate(lab["session"], lab["trial"], (), {"n": "count(trial)"})
    assert shown(restricted(plan, KEY)) == snapshot("""\
0 session: session in [2], subject in [1]
1 trial: session as 0.session, session in [2], subject as 0.subject, subject in [1]\
""")


def test_a_row_that_is_chosen_from_all_depends_on_all(lab: dict[str, Scan]) -> None:
    plan = restricted(lab["session"], Top(5))
    assert shown(restricted(plan, KEY)) == snapshot("0 session: all")
    assert shown(restricted(restricted(lab["session"], KEY), Top(5))) == snapshot(
        "0 session: session in [2], subject in [1]"
    )


def test_a_renamed_attribute_stays_pinned(lab: dict[str, Scan]) -> None:
    plan = analyze.project(lab["session"], (), {"which": "session"})
    assert shown(restricted(plan, {"subject": 1, "which": 2})) == snapshot(
        "0 session: session in [2], subject in [1]"
    )


def test_alternatives_pin_to_the_values_of_any(lab: dict[str, Scan]) -> None:
    plan = restricted(lab["session"], [KEY, "subject = 3 and session > 5"])
    assert shown(plan) == snapshot("0 session: subject in [1, 3]")


def test_a_frame_pins_to_its_values(lab: dict[str, Scan]) -> None:
    plan = restricted(lab["session"], pl.DataFrame({"subject": [1, 2], "session": [2, 2]}))
    assert shown(plan) == snapshot("0 session: session in [2], subject in [1, 2]")


def test_an_exclusion_pins_nothing_but_what_it_may_exclude(lab: dict[str, Scan]) -> None:
    done = restricted(lab["trial"], {"trial": 1})
    plan = restricted(restricted(lab["session"], KEY), Not(_Query(done)))
    assert shown(plan) == snapshot("""\
0 session: session in [2], subject in [1]
1 trial: session as 0.session, session in [2], subject as 0.subject, subject in [1], trial in [1]\
""")
    assert shown(restricted(lab["session"], Not(KEY))) == snapshot("0 session: all")


def test_a_union_pins_where_both_sides_do(lab: dict[str, Scan]) -> None:
    one, other = (analyze.project(restricted(lab["session"], {"subject": n}), (), {}) for n in (1, 2))
    plan = analyze.union(one, other)
    assert shown(plan) == snapshot("""\
0 session: subject in [1, 2], subject in [1]
1 session: subject in [1, 2], subject in [2]\
""")
    assert shown(analyze.join(lab["trial"], plan)) == snapshot("""\
0 trial: subject in [1, 2]
1 session: session as 0.session, subject as 0.subject, subject in [1, 2], subject in [1]
2 session: session as 0.session, subject as 0.subject, subject in [1, 2], subject in [2]\
""")


def test_a_known_plan_is_told_apart(lab: dict[str, Scan]) -> None:
    known = restricted(lab["session"], KEY)
    plan = restricted(lab["trial"], _Query(restricted(known, "duration > 5")))
    assert shown(plan, [known]) == snapshot("""\
0 trial: session as 1.session, session in [2], subject as 1.subject, subject in [1]
1 session (known): session as 0.session, session in [2], subject as 0.subject, subject in [1]\
""")


def test_rows_that_are_referred_to_are_among_those_of_the_reference(lab: dict[str, Scan]) -> None:
    plan = restricted(lab["subject"], _Query(restricted(lab["session"], "duration > 5")))
    assert shown(plan) == snapshot("""\
0 subject: subject as 1.subject
1 session: subject as 0.subject\
""")


# the law


def keeping(plan: Node, scans: Sequence[PinnedScan]) -> Node:
    """The plan, without the rows of its tables that the analysis says do not matter."""
    return _kept(plan, iter(enumerate(scans)), scans)


def _kept(node: Node, places: Iterator[tuple[int, PinnedScan]], scans: Sequence[PinnedScan]) -> Node:
    if isinstance(node, Scan):
        number, scan = next(places)
        assert scan.table is node.table
        conditions = [
            _condition(fact, name, node.table, scans)
            for name, facts in scan.pins.items()
            for fact in facts
            if fact != Among(number, name)
        ]
        return Restrict(node, s.And(tuple(conditions)))
    sources = tuple(_kept(source, places, scans) for source in inputs(node))
    others = {id(other): _kept(other, places, scans) for other in asked(node)}
    made = with_inputs(node, sources)
    return replace(made, condition=_asking(made.condition, others)) if isinstance(made, Restrict) else made


def _asking(condition: s.Scalar, others: dict[int, Node]) -> s.Scalar:
    if isinstance(condition, s.Matches):
        return replace(condition, other=others[id(condition.other)])
    return s.map_children(condition, lambda item: _asking(item, others))


def _condition(fact: Fact, name: str, table: Table, scans: Sequence[PinnedScan]) -> s.Scalar:
    attribute = replace(table.heading[name], in_key=True, nullable=True)
    match fact:
        case Among(number, column):
            other = scans[number].table
            value = s.Column(column, other.heading[column].stored)
            return s.Matches(Project(Scan(other), ((attribute, value),)), (name,))
        case OneOf(constants, columns):
            own = s.Column(name, attribute.stored)
            frames = [LocalFrame(pa.table({name: column}), Heading((attribute,))) for column in columns]
            some = s.InList(own, tuple(constants), attribute.stored)
            return s.Or((some, *(s.Matches(frame, (name,)) for frame in frames)))


def bag(plan: Node, stored: Rowsets) -> Counter[str]:
    return Counter(repr(sorted(row.items())) for row in evaluate(plan, stored))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_rows_that_do_not_meet_the_pins_make_no_difference(data: st.DataObject) -> None:
    tables: Any = data.draw(schemas("lab"))
    stored = data.draw(databases(tuple(tables)))
    plan = data.draw(plans(tuple(tables), 4))
    try:
        rows = evaluate(plan, stored)
        assume(rows)
        plan = restricted(plan, data.draw(_part_of(data.draw(st.sampled_from(rows)), plan.heading)))
        note(show_plan(plan))
        scans = pinned_scans(plan)
        assume(
            any(isinstance(fact, OneOf) for scan in scans for facts in scan.pins.values() for fact in facts)
        )
        expected = bag(plan, stored)
    except UndefinedValueError:
        assume(condition=False)
    assert bag(keeping(plan, scans), stored) == expected


def _part_of(row: dict[str, Any], heading: Heading) -> st.SearchStrategy[dict[str, Any]]:
    """A condition that one row of a plan meets, as a key does."""
    names = [a.name for a in heading if str(a.stored) not in ("json", "bytes") and row[a.name] is not None]
    chosen = st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True) if names else st.just([])
    return chosen.map(lambda some: {name: row[name] for name in some})


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_plan_of_a_known_shape_has_the_same_pins(data: st.DataObject) -> None:
    tables: Any = data.draw(schemas("lab"))
    plan = data.draw(plans(tuple(tables), 3))
    for each in (plan, data.draw(with_other_constants(plan))):
        expected, found = pinned_scans(each), pinned_scans_by_shape(each)
        assert [_told(scan) for scan in found] == [_told(scan) for scan in expected]


def _told(scan: PinnedScan) -> tuple[Any, ...]:
    return scan.table, {name: [_told_fact(fact) for fact in facts] for name, facts in scan.pins.items()}


def _told_fact(fact: Fact) -> object:
    return (
        fact if isinstance(fact, Among) else (fact.constants, [column.to_pylist() for column in fact.columns])
    )
