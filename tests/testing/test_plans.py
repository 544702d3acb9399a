"""Generated plans are as deep and as varied as the tests that rely on them assume."""

from collections import Counter

from hypothesis import HealthCheck, Phase, given, settings

from djflow.definition import bind, parse
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.model.types import CoreType
from djflow.planner.nodes import Node
from djflow.testing.plans import depth_of, operator_names, plans
from djflow.testing.schemas import schemas

DEFINITIONS = {
    "subject": "subject : int32\n---\nname = null : varchar(8)\nx = null : float64",
    "session": "-> subject\nsession : int16\n---\n-> [nullable] subject.proj(mate='subject')\nday : date",
    "trial": "-> session\ntrial : int8\n---\nhit = null : bool",
}
KINDS = {
    "Scan",
    "LocalFrame",
    "Restrict",
    "Matches",
    "SemiJoin, some",
    "SemiJoin, none",
    "SemiJoin, some of a frame",
    "SemiJoin, none of a frame",
    "Project",
    "Join, inner",
    "Join, left",
    "Aggregate",
    "Aggregate, matching",
    "Group",
    "Distinct",
    "Union",
    "Top",
    "Top of what order there is",
    "LocalRestrict",
    "LocalCompute",
    "LocalAggregate",
}


def _tables() -> tuple[Table, ...]:
    known: dict[str, Table] = {}
    for name, text in DEFINITIONS.items():
        known[name] = bind(
            parse(text),
            TableName("lab", name),
            resolve=known.__getitem__,
            codec_dtype=lambda _: CoreType("bytes"),
        )
    return tuple(known.values())


def test_plans_hold_every_operator_and_most_are_deep() -> None:
    found: Counter[str] = Counter()
    depths: list[int] = []

    @settings(
        max_examples=400,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(plans(_tables(), 6))
    def look(plan: Node) -> None:
        found.update(set(operator_names(plan)))
        depths.append(depth_of(plan))

    look()
    assert KINDS - found.keys() == set()
    assert sorted(depths)[len(depths) // 2] >= 3
    assert max(depths) >= 6


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(schemas("lab"))
def test_generated_schemas_have_related_tables(tables: tuple[Table, ...]) -> None:
    names = [table.name for table in tables]
    assert 2 <= len(tables) <= 5
    for position, table in enumerate(tables):
        assert table.primary_key
        assert all(key.parent in names[:position] for key in table.foreign_keys)
