"""Tables filled together have the rows that they have when each is filled after all before it.

`DJFLOW_TEST_EXAMPLES` sets how many pipelines are tried.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import djflow as dj
from djflow.relation.database import Database
from djflow.tables.schema import Schema

EXAMPLES: Final = max(12, int(os.environ.get("DJFLOW_TEST_EXAMPLES", "0")) // 10)
MOST_KEYS: Final = 3
"""Attributes of a key."""

Source = Callable[[Any, Any], Any]

SOURCES: Final[dict[str, Source]] = {
    "all": lambda own, _: own,
    "some": lambda own, _: own & f"{own.primary_key[0]} < 2",
    "with": lambda own, other: own & other,
    "without": lambda own, other: own - other,
    "counted": lambda own, other: own.aggr(other, n="count(*)") & "n >= 2",
}


@dataclass(frozen=True)
class Computed:
    """A table: the parents of its key, or one parent twice; which keys it wants; what else it refers to."""

    name: str
    parents: tuple[str, ...]
    is_pair: bool
    source: str
    other: str
    extra: str | None
    has_part: bool
    key: tuple[str, ...] = field(compare=False)


@dataclass(frozen=True)
class Pipeline:
    """Rows of two tables, and what is computed of them."""

    items: tuple[int, ...]
    kinds: tuple[int, ...]
    tables: tuple[Computed, ...]


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    """Two to five tables, each after all on which it depends."""
    keys: dict[str, tuple[str, ...]] = {"Item": ("item",), "Kind": ("kind",)}
    tables: list[Computed] = []
    for number in range(draw(st.integers(2, 5))):
        table = draw(computed(f"T{number}", keys, parts=[each.name for each in tables if each.has_part]))
        tables.append(table)
        keys[table.name] = table.key
    some = st.sets(st.integers(0, 3), max_size=4).map(lambda found: tuple(sorted(found)))
    return Pipeline(draw(some), draw(some), tuple(tables))


@st.composite
def computed(draw: st.DrawFn, name: str, keys: dict[str, tuple[str, ...]], parts: Sequence[str]) -> Computed:
    """A table that depends on some of those that there are."""
    known, is_pair = list(keys), draw(st.integers(0, 4)) == 0
    parents: tuple[str, ...]
    small = [each for each in known if len(keys[each]) == 1]
    if is_pair:
        parents = (draw(st.sampled_from(small)),)
        key = tuple(f"{attribute}_{n}" for n in "ab" for attribute in keys[parents[0]])
    else:
        first = draw(st.sampled_from(known[-3:]))
        fitting = [e for e in known if e != first and len({*keys[first], *keys[e]}) <= MOST_KEYS]
        second = draw(st.sampled_from([None, *fitting]))
        parents = (first,) if second is None else (first, second)
        key = tuple(dict.fromkeys(attribute for each in parents for attribute in keys[each]))
        of_part: bool = draw(st.booleans())
        if parts and of_part:
            part = draw(st.sampled_from(parts))
            if len({*keys[part], f"{part.lower()}_n"}) <= MOST_KEYS:
                parents, key = (f"{part}.Line",), (*keys[part], f"{part.lower()}_n")
    source = draw(st.sampled_from(list(SOURCES)))
    if source == "counted":
        related = [each for each in known if set(keys[each]) >= set(key)]
    else:
        related = [each for each in known if set(keys[each]) & set(key)]
    if not related and source != "some":
        source = "all"
    other = draw(st.sampled_from(related)) if related else ""
    extra = draw(st.sampled_from(small)) if draw(st.integers(0, 3)) == 0 else None
    return Computed(name, parents, is_pair, source, other, extra, draw(st.booleans()), key)


def declared(schema: Schema, pipeline: Pipeline) -> list[Any]:
    """The tables of a pipeline, with the rows that are not computed."""
    context: dict[str, Any] = {}
    for name, values in (("Item", pipeline.items), ("Kind", pipeline.kinds)):
        members = {"definition": f"{name.lower()} : int32"}
        context[name] = schema(type(name, (dj.Manual,), members), context=context)
        context[name]().insert({name.lower(): value} for value in values)
    return [declare(schema, table, context) for table in pipeline.tables]


def declare(schema: Schema, table: Computed, context: dict[str, Any]) -> Any:
    """One of the tables."""

    def key_source(self: Any) -> Any:
        own = dj.Computed.key_source.fget(self)
        return SOURCES[table.source](own, context[table.other]() if table.other else None)

    def make(self: Any, key: dict[str, Any]) -> None:
        row = {**key, "value": 1 + sum(key.values())}
        for parent in table.parents:
            if parent.startswith("T") and "." not in parent and not table.is_pair:
                row["value"] += int((context[parent]() & key).fetch1("value"))
        if table.extra is not None:
            found = context[table.extra]().to_arrays(context[table.extra]().primary_key[0])
            row["extra"] = max(found.tolist(), default=None)
            row["value"] += len(found)
        self.insert1(row)
        if table.has_part:
            self.Line().insert({**key, f"{table.name.lower()}_n": n} for n in range(sum(key.values()) % 3))

    members: dict[str, Any] = {"definition": definition(table, context), "make": make}
    if table.source != "all":
        members["key_source"] = property(key_source)
    if table.has_part:
        line = {"definition": f"-> master\n{table.name.lower()}_n : int8"}
        members["Line"] = type("Line", (dj.Part,), line)
    context[table.name] = schema(type(table.name, (dj.Computed,), members), context=context)
    return context[table.name]()


def definition(table: Computed, context: dict[str, Any]) -> str:
    """Its definition, whose names are those of classes."""
    lines = [f"-> {parent}" for parent in table.parents]
    if table.is_pair:
        [parent] = table.parents
        [attribute] = context[parent]().primary_key
        lines = [f"-> {parent}.proj({attribute}_{n}='{attribute}')" for n in "ab"]
    lines += ["---", "value : int64"]
    if table.extra is not None:
        lines.append(f"-> [nullable] {table.extra}.proj(extra='{context[table.extra]().primary_key[0]}')")
    return "\n".join(lines)


def parts_of(table: Any) -> list[Any]:
    """Its part, if it has one."""
    return [table.Line()] if hasattr(table, "Line") else []


def rows(tables: Sequence[Any]) -> dict[str, list[Any]]:
    """What all tables hold."""
    every = [each for table in tables for each in (*parts_of(table), table)]
    return {each.full_table_name: sorted(map(str, each.to_dicts())) for each in every}


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(pipelines())
def test_a_flow_fills_tables_as_each_by_itself(database: Database, pipeline: Pipeline) -> None:
    schema = Schema(f"test_{uuid4().hex[:12]}", connection=database)
    try:
        tables = declared(schema, pipeline)
        for table in tables:
            told = table.populate()
            assert (told["error"], told["skip"]) == (0, 0)
        wanted = rows(tables)
        for executor in ("serial", "threads"):
            for table in reversed(tables):
                for each in (*parts_of(table), table):
                    each.delete_quick()
            frame = dj.Flow(schema).populate(executor=executor, workers=2, display_progress=False)
            assert rows(tables) == wanted, executor
            assert frame["failed"].sum() == 0
            assert frame["made"].to_list() == [len(table) for table in dj_tables(schema)]
    finally:
        schema.drop(prompt=False)


def dj_tables(schema: Schema) -> list[Any]:
    """In the order of the summary."""
    return [table() for table in dj.Flow(schema).tables]
