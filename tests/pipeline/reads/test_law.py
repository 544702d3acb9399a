"""What the contract lets pass depends on rows of the key alone: without all others it gives the same."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from djflow.definition import bind, parse
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.model.types import CodecType, CoreType
from djflow.pipeline.reads.contract import Contract
from djflow.pipeline.reads.key_values import KeyValues
from djflow.pipeline.reads.upstream import upstream_names
from djflow.planner import scalar as s
from djflow.planner.explain import show_plan
from djflow.planner.nodes import Node, Restrict, Scan, asked, inputs, with_inputs
from djflow.planner.pinned import pinned_scans
from djflow.relation.conditions import restricted
from djflow.testing.databases import Rowsets, databases
from djflow.testing.naive import evaluate
from djflow.testing.naive_values import UndefinedValueError
from djflow.testing.plans import plans

EXAMPLES: Final = int(os.environ.get("DJFLOW_TEST_EXAMPLES", "50"))
DEFINITIONS: Final = {
    "#rig": "rig : varchar(6)",
    "subject": "subject : int32\n---\nborn : date",
    "session": "-> subject\nday : date\n---\n-> rig\nminutes : float64",
    "session__trial": "-> session\ntrial : int16\n---\nrt = null : float64",
    "weather": "day : date",
    "__score": "-> session\n---\nscore : float64",
}


def _no_codec(codec: CodecType) -> CoreType:
    raise AssertionError(codec)


def _tables() -> tuple[Table, ...]:
    known: dict[str, Table] = {}
    for name, text in DEFINITIONS.items():
        table = bind(parse(text), TableName("lab", name), resolve=known.__getitem__, codec_dtype=_no_codec)
        known[name.lstrip("#_")] = table
    return tuple(known.values())


TABLES: Final = _tables()
SCORE: Final = TableName("lab", "__score")
CONTRACT: Final = Contract(SCORE, Catalog(TABLES), upstream_names(Catalog(TABLES), SCORE))


def with_scans(node: Node, choices: Iterator[Any]) -> Node:
    """The plan with its tables restricted, each by the next of some conditions."""
    if isinstance(node, Scan):
        return restricted(node, next(choices))
    sources = tuple(with_scans(source, choices) for source in inputs(node))
    others = {id(other): with_scans(other, choices) for other in asked(node)}
    made = with_inputs(node, sources)
    return Restrict(made.source, _asking(made.condition, others)) if isinstance(made, Restrict) else made


def _asking(condition: s.Scalar, others: dict[int, Node]) -> s.Scalar:
    if isinstance(condition, s.Matches):
        return s.Matches(others[id(condition.other)], condition.on)
    return s.map_children(condition, lambda item: _asking(item, others))


def number_of_scans(node: Node) -> int:
    below = (*inputs(node), *asked(node))
    return isinstance(node, Scan) + sum(map(number_of_scans, below))


def bag(plan: Node, stored: Rowsets) -> Counter[str]:
    return Counter(repr(sorted(row.items())) for row in evaluate(plan, stored))


def rows_of(key: dict[str, Any], stored: Rowsets) -> Rowsets:
    """The rows of a key; attributes of other origins say nothing."""
    return {
        table.name: [row for row in stored[table.name] if all(row[n] == key[n] for n in _shared(table, key))]
        for table in TABLES
    }


def _shared(table: Table, key: dict[str, Any]) -> Sequence[str]:
    heading = CONTRACT.heading
    return [a.name for a in table.heading if a.name in key and a.lineage == heading[a.name].lineage]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_passes_depends_on_rows_of_the_key_alone(data: st.DataObject) -> None:
    stored = data.draw(databases(TABLES))
    sessions = stored[TableName("lab", "session")]
    assume(sessions)
    session = data.draw(st.sampled_from(sessions))
    key = {name: session[name] for name in ("subject", "day")}
    plan = data.draw(plans(TABLES, 4))
    conditions = st.sampled_from((key, key, key, {"subject": key["subject"]}, {}))
    choices = data.draw(st.lists(conditions, min_size=(n := number_of_scans(plan)), max_size=n))
    plan = with_scans(plan, iter(choices))
    note(show_plan(plan))
    findings = list(CONTRACT.findings(pinned_scans(plan), KeyValues([key], CONTRACT.heading)))
    assume(all(finding.fault is None for finding in findings))
    try:
        expected = bag(plan, stored)
    except UndefinedValueError:
        assume(condition=False)
    assert bag(plan, rows_of(key, stored)) == expected
