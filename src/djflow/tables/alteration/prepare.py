"""An alteration worked out: what changes, what that takes, and what the data says to it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from djflow.backend.introspect import enums_of, relation_names
from djflow.backend.session import Session
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.sql.alteration.changes import Change, CreateTable, TableChange
from djflow.sql.alteration.compare import compare
from djflow.sql.alteration.delta import Delta
from djflow.sql.alteration.follow import Target, Wanted, follow
from djflow.sql.alteration.itself import keys_to_itself
from djflow.sql.alteration.lower import Statements, Surroundings, lower, new_enums
from djflow.sql.alteration.physical import CONSTRAINTS, INDEXES, Physical, physical_tables
from djflow.sql.alteration.questions import questions
from djflow.sql.enums import EnumPlan, enum_types, plan_enums
from djflow.sql.identifiers import qualified
from djflow.tables.alteration.fills import fills_of
from djflow.tables.alteration.findings import ask, used_elsewhere
from djflow.tables.alteration.plan import AlterationPlan, Finding, TouchedTable

_ROWS: Final = """
SELECT n.nspname, c.relname, c.reltuples::bigint
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN unnest($1::text[], $2::text[]) AS wanted(schema, tab)
  ON wanted.schema = n.nspname AND wanted.tab = c.relname
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an alteration shall make of which tables, and the values that it may put where rows have none."""

    wanted: Mapping[TableName, Wanted]
    fills: Mapping[TableName, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with all that it takes to carry it out."""

    plan: AlterationPlan
    target: Target
    statements: Statements

    @property
    def tables(self) -> tuple[TableName, ...]:
        """The tables that exist and change."""
        return tuple(self.target.deltas)


def prepare(session: Session, catalog: Catalog, asked: Asked) -> Prepared:
    """Work out an alteration against the database as it is; nothing is changed."""
    target = follow(catalog, asked.wanted)
    physical = _physical(session, target.deltas)
    changes = {
        name: compare(
            delta, target.deltas, physical.get(name, Physical()), fills_of(delta, asked.fills.get(name, {}))
        )
        for name, delta in target.deltas.items()
    }
    target = Target(
        {name: delta for name, delta in target.deltas.items() if _matters(delta, changes[name])},
        target.created,
    )
    statements = _statements(session, target, changes, physical)
    findings = list(_findings(session, target, changes, catalog))
    altered = tuple(TableChange(name, change) for name in target.deltas for change in changes[name])
    plan = AlterationPlan(
        changes=(
            *altered,
            *(TableChange(table.name, CreateTable(table)) for table in target.created),
        ),
        tables=(
            *_touched(session, target.deltas.values()),
            *(TouchedTable(table.name, 0) for table in target.created),
        ),
        losses=tuple(finding for finding, loses in findings if loses),
        problems=(
            *(finding for finding, loses in findings if not loses),
            *used_elsewhere(session, altered),
        ),
        notes=tuple(_notes(target, catalog, asked.wanted)),
        statements=(*statements.shapes, *statements.references),
    )
    return Prepared(plan, target, statements)


def _matters(delta: Delta, changes: tuple[Change, ...]) -> bool:
    return bool(changes) or _lineages(delta)


def _lineages(delta: Delta) -> bool:
    """Whether some attribute that is kept comes from elsewhere afterwards."""
    return any(old.lineage != new.lineage for old, new in delta.kept)


def _physical(session: Session, deltas: Mapping[TableName, Delta]) -> dict[TableName, Physical]:
    names = [[name.schema for name in deltas], [name.table for name in deltas]]
    return physical_tables(session.execute(CONSTRAINTS, names), session.execute(INDEXES, names))


def _statements(
    session: Session,
    target: Target,
    changes: Mapping[TableName, tuple[Change, ...]],
    physical: Mapping[TableName, Physical],
) -> Statements:
    altered = {name: changes[name] for name in target.deltas}
    schemas = sorted(
        {name.schema for name in target.deltas} | {table.name.schema for table in target.created}
    )
    taken = {schema: relation_names(session.connection, schema) for schema in schemas}
    enums = _enums(session, target, altered)
    around = Surroundings(physical, enums.names, taken)
    lowered = lower(target.deltas, altered, around, target.created)
    return Statements((*enums.statements, *lowered.shapes), lowered.references)


def _enums(session: Session, target: Target, changes: Mapping[TableName, tuple[Change, ...]]) -> EnumPlan:
    wanted = [
        *new_enums(target.deltas, changes),
        *(enum for table in target.created for enum in enum_types(table)),
    ]
    existing = enums_of(session.connection, sorted({enum.schema for enum in wanted})) if wanted else {}
    return plan_enums(wanted, existing)


def _findings(
    session: Session, target: Target, changes: Mapping[TableName, tuple[Change, ...]], catalog: Catalog
) -> Iterator[tuple[Finding, bool]]:
    for name, delta in target.deltas.items():
        for question in questions(delta, changes[name], target.deltas, catalog):
            yield from ask(session, question)


def _touched(session: Session, deltas: Iterable[Delta]) -> Iterator[TouchedTable]:
    deltas = tuple(deltas)
    names = [[delta.name.schema for delta in deltas], [delta.name.table for delta in deltas]]
    rows = {TableName(schema, table): count for schema, table, count in session.execute(_ROWS, names)}
    for delta in deltas:
        count = rows.get(delta.name, -1)
        if count < 0:  # the server never looked
            [(count,)] = session.execute(f"SELECT count(*) FROM {qualified(delta.name)}")
        yield TouchedTable(delta.name, count, follows=not delta.is_asked)


def _notes(target: Target, catalog: Catalog, wanted: Mapping[TableName, Wanted]) -> Iterator[str]:
    for delta in target.deltas.values():
        if delta.is_asked:
            yield from _possible_renames(delta)
        for key in keys_to_itself(delta.new):
            yield (
                f"{delta.name} refers to itself by ({', '.join(key.own)}) -> ({', '.join(key.referenced)}), "
                "which no definition can say. That foreign key stays."
            )
    for table in catalog.tables:
        if table.name.master in wanted and table.name not in wanted:
            yield f"{table.name} is a part that its master's class lacks. It stays: drop it if it may go."


def _possible_renames(delta: Delta) -> Iterator[str]:
    for gone in delta.dropped:
        alike = [column.name for column in delta.added if column.type == gone.type]
        rivals = [column for column in delta.dropped if column.type == gone.type]
        if len(alike) == 1 and len(rivals) == 1:
            yield (
                f"{delta.name}: if {gone.name!r} is now called {alike[0]!r}, say "
                f"renames={{{gone.name!r}: {alike[0]!r}}}, and its values stay."
            )
