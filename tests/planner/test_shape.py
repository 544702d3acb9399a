"""Plans of one shape share what is compiled: only their constants differ."""

from hypothesis import given, settings
from hypothesis import strategies as st

from djflow.definition import bind, parse
from djflow.engine.compile import Compiled, compile_plan
from djflow.engine.plan_cache import PlanCache
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.model.types import CoreType
from djflow.planner import analyze
from djflow.planner.nodes import Node, Scan
from djflow.planner.shape import shape_of
from djflow.planner.text import parse_condition
from djflow.testing.plans import plans

Lab = dict[str, Scan]


def where(node: Node, text: str) -> Node:
    return analyze.restrict(node, parse_condition(text, node.heading))


def _tables() -> list[Table]:
    known: dict[str, Table] = {}
    definitions = {
        "subject": "subject : int32\n---\nsex : enum('M', 'F')\nx = null : float64\nname : varchar(8)",
        "session": "-> subject\nsession : int16\n---\nday : date\nnote = null : varchar(10)",
        "rig": "rig : varchar(8)\n---\nnote : varchar(10)\n-> [nullable] session",
    }
    for name, text in definitions.items():
        known[name] = bind(
            parse(text),
            TableName("lab", name),
            resolve=known.__getitem__,
            codec_dtype=lambda _: CoreType("bytes"),
        )
    return list(known.values())


TABLES = _tables()


def test_other_constants_keep_the_shape_and_fill_its_slots(lab: Lab) -> None:
    first, second = (shape_of(where(lab["session"], f"duration > {n} AND subject = 1")) for n in (5, 6))
    assert first is not None
    assert second is not None
    assert first.key == second.key
    assert (first.values, second.values) == ((5.0, 1), (6.0, 1))


def test_constants_that_are_equal_or_not_are_two_shapes(lab: Lab) -> None:
    shapes = [shape_of(where(lab["trial"], f"subject = 1 AND session = {n}")) for n in (1, 2)]
    assert shapes[0] != shapes[1]
    assert len({shape and shape.key for shape in shapes}) == 2


def test_other_operators_attributes_and_limits_are_other_shapes(lab: Lab) -> None:
    session = lab["session"]
    several = [
        where(session, "duration > 5"),
        where(session, "duration < 5"),
        where(session, "session > 5"),
        analyze.top(session, "duration", 5),
        analyze.top(session, "duration", 6),
        analyze.top(session, "duration DESC", 5),
        analyze.project(session, ("day",), {}),
        analyze.project(session, ("notes",), {}),
        analyze.project(session, (), {"n": "day"}),
        analyze.distinct(session, ["day"]),
        analyze.group(session, ["day"], {}),
    ]
    assert len({shape.key for plan in several if (shape := shape_of(plan))}) == len(several)


def test_a_full_cache_forgets_and_goes_on(lab: Lab) -> None:
    cache = PlanCache(size=2)
    for limit in range(5):
        plan = analyze.top(lab["subject"], limit=limit)
        assert cache.prepared(plan).statement.sql == compile_plan(plan).statement.sql
        assert len(cache) <= 2


def sent(compiled: Compiled) -> list[str]:
    """The parameters as text, in which one NaN equals another."""
    values = [getattr(p.value, "to_pylist", lambda p=p: p.value)() for p in compiled.statement.parameters]
    return [f"{value!r}: {p.type}" for value, p in zip(values, compiled.statement.parameters, strict=True)]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_cached_plan_is_the_plan_compiled_anew(data: st.DataObject) -> None:
    cache = PlanCache()
    for plan in data.draw(st.lists(plans(TABLES, depth=3), min_size=1, max_size=3)):
        if plan.has_local:
            continue
        fresh = compile_plan(plan)
        for _ in range(2):
            kept = cache.prepared(plan)
            assert kept.statement.sql == fresh.statement.sql
            assert sent(kept) == sent(fresh)
            assert kept.statement.heading == fresh.statement.heading
            assert kept.is_small == fresh.is_small
