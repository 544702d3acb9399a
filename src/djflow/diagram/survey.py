"""The states of many tables, read from the database in few statements."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from djflow.diagram.state import State
from djflow.engine.counting import count_all
from djflow.errors import UnusableKeyError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.planner.nodes import Node, Scan
from djflow.relation.database import Database
from djflow.relation.relation import Relation
from djflow.sql.identifiers import literal, qualified
from djflow.sql.job_counts import TRIGGER, counts_table
from djflow.sql.jobs import queue_name
from djflow.tables.registry import classes_of

# What the server believes of more rows is told; fewer are counted.
_DEAR: Final = 200_000
_SIZES: Final = """
SELECT s.nspname, c.relname, pg_catalog.pg_total_relation_size(c.oid),
  CASE WHEN c.relpages > 0 AND c.reltuples >= 0 THEN
    c.reltuples / c.relpages
    * (pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int)
  END::bigint,
  EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname = $3)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
JOIN unnest($1::text[], $2::text[]) AS wanted(schema, tab)
  ON wanted.schema = s.nspname AND wanted.tab = c.relname
"""

Keys: TypeAlias = Callable[[Any], Relation]
"""Keys of a table that `make` fills."""


@dataclass(frozen=True, slots=True)
class _Size:
    """What the server's catalog says: bytes, rows if it knows, and whether, of a queue, jobs are counted."""

    nbytes: int
    rows: int | None
    is_counted: bool


def survey(
    database: Database, catalog: Catalog, names: Sequence[TableName], wanted: Keys, missing: Keys
) -> dict[TableName, State]:
    """The states of tables. `wanted` and `missing` give the keys that a table is to have, or lacks."""
    made = [name for name in names if name.tier.is_auto_populated]
    sizes = _sizes(database, [*names, *map(queue_name, made)])
    there = [name for name in names if name in sizes]
    plans: dict[tuple[str, TableName], Node] = {
        ("rows", name): Scan(catalog[name]) for name in there if (sizes[name].rows or 0) < _DEAR
    }
    plans |= _plans_of_keys(database, made, wanted, missing)
    for plan in plans.values():
        database.before_query(plan)
    numbers = count_all(database.session, plans)
    jobs = _jobs(database, {queue_name(name): name for name in made if queue_name(name) in sizes}, sizes)
    return {
        name: State(
            numbers.get(("rows", name), sizes[name].rows or 0),
            is_estimate=("rows", name) not in numbers,
            nbytes=sizes[name].nbytes,
            missing=numbers.get(("missing", name)),
            errors=jobs.get((name, "error"), 0),
            running=jobs.get((name, "reserved"), 0),
            keys=numbers.get(("wanted", name)),
        )
        for name in there
    }


def _sizes(database: Database, names: Iterable[TableName]) -> dict[TableName, _Size]:
    asked = list(names)
    schemas, tables = [name.schema for name in asked], [name.table for name in asked]
    rows = database.session.execute(_SIZES, [schemas, tables, TRIGGER])
    return {TableName(schema, table): _Size(*values) for schema, table, *values in rows}


def _plans_of_keys(
    database: Database, made: Iterable[TableName], wanted: Keys, missing: Keys
) -> dict[tuple[str, TableName], Node]:
    """Of tables whose classes are known here, and that have keys."""
    classes = classes_of(database)
    plans: dict[tuple[str, TableName], Node] = {}
    for name in made:
        if name not in classes or (table := classes[name]()).table_model.is_singleton:
            continue
        with suppress(UnusableKeyError):
            plans["missing", name] = missing(table).logical_plan
            keys = wanted(table)
            if set(keys.heading.names) != set(table.table_model.primary_key):  # several rows for one key
                plans["wanted", name] = keys.logical_plan
    return plans


def _jobs(
    database: Database, queues: Mapping[TableName, TableName], sizes: Mapping[TableName, _Size]
) -> dict[tuple[TableName, str], int]:
    """The numbers of jobs by table and status."""
    by_schema: dict[str, list[TableName]] = defaultdict(list)
    for queue in queues:
        by_schema[queue.schema].append(queue)
    asked = [text for schema, own in by_schema.items() for text in _counts(schema, own, sizes)]
    if not asked:
        return {}
    rows = database.session.execute("\nUNION ALL\n".join(asked), [])
    return {(queues[TableName(schema, table)], status): int(n) for schema, table, status, n in rows}


def _counts(schema: str, queues: Iterable[TableName], sizes: Mapping[TableName, _Size]) -> list[str]:
    counted = [queue for queue in queues if sizes[queue].is_counted]
    found = [
        f"SELECT {literal(schema)}, {literal(queue.table)}, status::text, count(*) FROM {qualified(queue)}"
        " GROUP BY status"
        for queue in queues
        if queue not in counted
    ]
    if counted:
        names = ", ".join(literal(queue.table) for queue in counted)
        found.append(
            f"SELECT {literal(schema)}, queue::text, status::text, sum(jobs)::bigint "
            f"FROM {qualified(counts_table(schema))} WHERE queue IN ({names}) GROUP BY queue, status"
        )
    return found
