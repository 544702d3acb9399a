"""Rows are followed along the foreign keys exactly as row by row, and no table is read without need."""

from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from djflow.definition import bind, parse
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import ForeignKey, Table
from djflow.model.types import CodecType, CoreType
from djflow.planner import analyze
from djflow.planner.lower_sql import lower_delete
from djflow.planner.nodes import Node, Scan
from djflow.planner.propagate import cascaded, orphaning, restricted_by, traced
from djflow.planner.rewriter import optimise
from djflow.testing.databases import Rowsets, databases
from djflow.testing.naive import evaluate
from djflow.testing.schemas import schemas

DEFINITIONS = {
    "species": "species : int32",
    "subject": "subject : int32\n---\n-> species",
    "session": "-> subject\nsession : int32\n---\n-> [nullable] subject.proj(mate='subject')",
    "session__trial": "-> session\ntrial : int32",
    "note": "note : int32\n---\n-> [nullable] session",
    "answer": "-> note\nanswer : int32",
    "outcome": "-> session.proj(day='session')\n---\n-> session__trial",
}


def bound(definitions: Mapping[str, str]) -> dict[str, Table]:
    known: dict[str, Table] = {}
    for name, text in definitions.items():
        known[name] = bind(
            parse(text), TableName("lab", name), resolve=known.__getitem__, codec_dtype=_no_codec
        )
    return known


def _no_codec(codec: CodecType) -> CoreType:
    raise AssertionError(codec)


TABLES = bound(DEFINITIONS)
CATALOG = Catalog(tuple(TABLES.values()))


def some(table: Table, **values: Any) -> Node:
    return analyze.restrict(Scan(table), analyze.equalities(values, table.heading))


def deletes(seed: Node, plans: Mapping[TableName, Node]) -> dict[str, str]:
    catalog = {table.name: table for table in CATALOG.tables}
    assert seed in plans.values()
    return {name.table: lower_delete(optimise(plan).plan, catalog[name]).sql for name, plan in plans.items()}


def test_columns_that_come_down_are_asked_directly() -> None:
    seed = some(TABLES["session"], subject=1, session=2)
    plans = cascaded(CATALOG, {TABLES["session"].name: seed})
    assert deletes(seed, plans) == snapshot(
        {
            "session": 'DELETE FROM "lab"."session" AS t1 WHERE t1."subject" = $1::bigint AND t1."session" = $2::bigint',
            "note": 'DELETE FROM "lab"."note" AS t1 WHERE (t1."subject" IS NOT NULL) AND (t1."session" IS NOT NULL) AND t1."subject" = $1::bigint AND t1."session" = $2::bigint',
            "answer": 'DELETE FROM "lab"."answer" AS t1 WHERE EXISTS (SELECT 1 AS "n" FROM "lab"."note" AS t2 WHERE (t2."subject" IS NOT NULL) AND (t2."session" IS NOT NULL) AND t2."subject" = $1::bigint AND t2."session" = $2::bigint AND t2."note" = t1."note")',
            "session__trial": 'DELETE FROM "lab"."session__trial" AS t1 WHERE t1."subject" = $1::bigint AND t1."session" = $2::bigint',
            "outcome": 'DELETE FROM "lab"."outcome" AS t1 WHERE ((t1."subject" = $1::bigint AND t1."day" = $2::bigint) OR (t1."subject" = $3::bigint AND t1."session" = $4::bigint))',
        }
    )


def test_a_table_between_is_read_where_its_own_columns_decide() -> None:
    seed = some(TABLES["species"], species=3)
    plans = cascaded(CATALOG, {TABLES["species"].name: seed})
    assert deletes(seed, plans)["session__trial"] == snapshot(
        'DELETE FROM "lab"."session__trial" AS t1 WHERE EXISTS (SELECT 1 AS "n" FROM "lab"."session" AS t2 WHERE (EXISTS (SELECT 1 AS "n" FROM "lab"."subject" AS t3 WHERE t3."species" = $1::bigint AND t3."subject" = t2."subject") OR EXISTS (SELECT 1 AS "n" FROM "lab"."subject" AS t4 WHERE t4."species" = $2::bigint AND t4."subject" = t2."mate")) AND t2."subject" = t1."subject" AND t2."session" = t1."session")'
    )
    assert deletes(seed, plans)["answer"] == snapshot(
        'DELETE FROM "lab"."answer" AS t1 WHERE EXISTS (SELECT 1 AS "n" FROM "lab"."note" AS t2 WHERE EXISTS (SELECT 1 AS "n" FROM "lab"."session" AS t3 WHERE (EXISTS (SELECT 1 AS "n" FROM "lab"."subject" AS t4 WHERE t4."species" = $1::bigint AND t4."subject" = t3."subject") OR EXISTS (SELECT 1 AS "n" FROM "lab"."subject" AS t5 WHERE t5."species" = $2::bigint AND t5."subject" = t3."mate")) AND t3."subject" = t2."subject" AND t3."session" = t2."session") AND t2."note" = t1."note")'
    )


def test_masters_are_asked_for_only_where_parts_are_reached_otherwise() -> None:
    subject, trial = TABLES["subject"], TABLES["session__trial"]
    assert not orphaning(CATALOG, cascaded(CATALOG, {subject.name: some(subject, subject=1)}), [subject.name])
    parts = cascaded(CATALOG, {trial.name: some(trial, trial=1)})
    assert list(orphaning(CATALOG, parts, [trial.name])) == [trial.name]


def test_thousands_of_tables_are_no_problem() -> None:
    definitions = {"t0": "k : int32"}
    definitions |= {f"t{n}": f"k{n} : int32\n---\n-> [nullable] t{n - 1}" for n in range(1, 40)}
    definitions |= {f"t{n}": f"-> t{n - 1}" for n in range(40, 3000)}
    tables = bound(definitions)
    plans = cascaded(Catalog(tuple(tables.values())), {tables["t40"].name: some(tables["t40"], k39=1)})
    assert len(plans) == 2960
    assert len(traced(Catalog(tuple(tables.values())), Scan(tables["t2999"]))) == 3000


# against row by row


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Catalog, Rowsets, Table, Node]:
    """Related tables with rows, one of the tables, and some of its rows."""
    tables = draw(schemas("lab", most=6))
    stored = draw(databases(tables))
    table = draw(st.sampled_from([each for each in tables if not each.is_singleton] or tables))
    rows = stored[table.name]
    names = table.heading.names
    if not rows or not names:
        return Catalog(tables), stored, table, Scan(table)
    chosen = draw(st.sampled_from(rows))
    name = draw(st.sampled_from([*table.heading.primary_key, *names]))
    return Catalog(tables), stored, table, some(table, **{name: chosen[name]})


def refers(row: Mapping[str, Any], key: ForeignKey, parent: Mapping[str, Any]) -> bool:
    return all(row[own] is not None and row[own] == parent[its] for own, its in key.columns)


def reached_down(catalog: Catalog, stored: Rowsets, found: dict[TableName, list[int]]) -> None:
    """Add to the rows found, by number, all that refer to one of them."""
    for table in catalog:
        for number, row in enumerate(stored[table.name]):
            if number not in found[table.name] and any(
                refers(row, key, stored[key.parent][other])
                for key in table.foreign_keys
                for other in found[key.parent]
            ):
                found[table.name].append(number)


def reached_up(catalog: Catalog, stored: Rowsets, found: dict[TableName, list[int]]) -> None:
    """Add to the rows found, by number, all to which one of them refers."""
    for table in reversed(list(catalog)):
        for number in found[table.name]:
            for key in table.foreign_keys:
                for other, parent in enumerate(stored[key.parent]):
                    if refers(stored[table.name][number], key, parent) and other not in found[key.parent]:
                        found[key.parent].append(other)


def same(
    rows: Iterable[Mapping[str, Any]], expected: Iterable[Mapping[str, Any]], names: Iterable[str]
) -> bool:
    names = list(names)

    def shown(those: Iterable[Mapping[str, Any]]) -> list[str]:
        return sorted(repr([row[name] for name in names]) for row in those)

    return shown(rows) == shown(expected)


def seeded(world: tuple[Catalog, Rowsets, Table, Node]) -> dict[TableName, list[int]]:
    catalog, stored, table, seed = world
    chosen = evaluate(seed, stored)
    names = table.heading.names
    found: dict[TableName, list[int]] = {each.name: [] for each in catalog.tables}
    keys = [[row[name] for name in names] for row in chosen]
    found[table.name] = [
        number for number, row in enumerate(stored[table.name]) if [row[name] for name in names] in keys
    ]
    return found


def check(world: tuple[Catalog, Rowsets, Table, Node], plans: Mapping[TableName, Node], found: Any) -> None:
    catalog, stored, *_ = world
    for name, plan in plans.items():
        expected = [stored[name][number] for number in found[name]]
        assert same(evaluate(plan, stored), expected, catalog[name].heading.names), name
        assert same(evaluate(optimise(plan).plan, stored), expected, catalog[name].heading.names), name
    for name in set(found) - set(plans):
        assert not found[name]


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(worlds())
def test_a_cascade_reaches_what_refers_to_the_rows_on_any_way(
    world: tuple[Catalog, Rowsets, Table, Node],
) -> None:
    catalog, stored, table, seed = world
    found = seeded(world)
    reached_down(catalog, stored, found)
    check(world, cascaded(catalog, {table.name: seed}), found)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(worlds())
def test_a_trace_reaches_what_the_rows_refer_to_on_any_way(
    world: tuple[Catalog, Rowsets, Table, Node],
) -> None:
    catalog, stored, _, seed = world
    found = seeded(world)
    reached_up(catalog, stored, found)
    check(world, traced(catalog, seed), found)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(worlds(), st.data())
def test_restrictions_of_several_tables_hold_together(
    world: tuple[Catalog, Rowsets, Table, Node], data: st.DataObject
) -> None:
    catalog, stored, table, seed = world
    seeds = {table.name: seed}
    other = data.draw(st.sampled_from(catalog.tables))
    if other.name != table.name and stored[other.name] and other.heading.primary_key:
        name = other.heading.primary_key[0]
        seeds[other.name] = some(other, **{name: stored[other.name][0][name]})
    kept: dict[TableName, list[dict[str, Any]]] = {}
    for each in catalog:
        parents = {key.parent for key in each.foreign_keys if key.parent in kept}
        if each.name not in seeds and not parents:
            continue
        rows = evaluate(seeds.get(each.name, Scan(each)), stored)
        whole = [
            row
            for row in stored[each.name]
            if any(all(row[n] == r[n] or row[n] is r[n] for n in each.heading.names) for r in rows)
        ]
        kept[each.name] = [
            row
            for row in whole
            if all(
                any(
                    refers(row, key, there)
                    for key in each.foreign_keys
                    if key.parent == parent
                    for there in kept[parent]
                )
                for parent in parents
            )
        ]
    plans = restricted_by(catalog, seeds)
    assert set(plans) == set(kept)
    for reached, plan in plans.items():
        assert same(evaluate(plan, stored), kept[reached], catalog[reached].heading.names), reached
