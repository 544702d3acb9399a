"""Statements that give roles rights on a schema, level by level. Pure: nothing here talks to a server."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from djflow.model.names import TableName
from djflow.sql.identifiers import qualified, quote
from djflow.sql.objects import OBJECTS_TABLE
from djflow.sql.reads import READS_TABLE
from djflow.sql.runs import RUNS_TABLE

GRANTS_TABLE: Final = "~grants"
_READ: Final = frozenset({"SELECT"})
_DELETE: Final = _READ | {"DELETE"}
_WRITE: Final = _DELETE | {"INSERT", "UPDATE"}


class Level(StrEnum):
    """What a role may do in a schema; the levels of one role add up."""

    READER = "reader"
    WRITER = "writer"
    POPULATOR = "populator"


@dataclass(frozen=True, slots=True)
class Contents:
    """What rights can be had on: tables (hidden ones included), sequences and types of a schema, by name.

    `creators` are the roles whose later tables are to be readable too.
    """

    schema: str
    tables: tuple[TableName, ...] = ()
    sequences: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    creators: tuple[str, ...] = ()


def rights(level: Level, table: TableName) -> frozenset[str]:
    """The rights that a level has on a table.

    A writer may delete what was computed, for deleting an entry takes along what was computed from it.

    >>> sorted(rights(Level.WRITER, TableName("lab", "__ana")))
    ['DELETE', 'SELECT']
    >>> sorted(rights(Level.POPULATOR, TableName("lab", "__ana__trial")))
    ['DELETE', 'INSERT', 'SELECT', 'UPDATE']
    """
    if table.table == OBJECTS_TABLE:
        return _READ if level is Level.READER else _WRITE  # who writes objects records them
    if table.is_hidden:
        is_of_populate = table.table.startswith("~~") or table.table in (READS_TABLE, RUNS_TABLE)
        return _WRITE if is_of_populate and level is Level.POPULATOR else _READ
    is_made = (table.master or table).tier.is_auto_populated
    match level:
        case Level.READER:
            return _READ
        case Level.WRITER:
            return _DELETE if is_made else _WRITE
        case Level.POPULATOR:
            return _WRITE if is_made else _READ


def level_for(right: str, table: TableName) -> Level | None:
    """The lowest level that has a right on a table; None where no level has it.

    >>> level_for("DELETE", TableName("lab", "__ana")), level_for("TRUNCATE", TableName("lab", "__ana"))
    (<Level.WRITER: 'writer'>, None)
    """
    return next((level for level in Level if right in rights(level, table)), None)


def grant_statements(role: str, level: Level, contents: Contents) -> Iterator[str]:
    r"""The statements that give a role a level.

    >>> tables = (TableName("lab", "subject"), TableName("lab", "__ana"))
    >>> print(*grant_statements("ann", Level.WRITER, Contents("lab", tables)), sep="\n")
    GRANT USAGE ON SCHEMA "lab" TO "ann"
    GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "lab"."subject" TO "ann"
    GRANT DELETE, SELECT ON TABLE "lab"."__ana" TO "ann"
    """
    to = f"TO {quote(role)}"
    yield f"GRANT USAGE ON SCHEMA {quote(contents.schema)} {to}"
    yield from grant_on_contents(role, level, contents)
    for creator in contents.creators:
        later = _later(creator, contents.schema)
        yield f"{later} GRANT SELECT ON TABLES {to}"
        yield f"{later} GRANT USAGE ON TYPES {to}"
        if level is not Level.READER:
            yield f"{later} GRANT USAGE ON SEQUENCES {to}"


def grant_on_contents(role: str, level: Level, contents: Contents) -> Iterator[str]:
    """Of the statements that give a level, those for the tables, sequences and types that exist."""
    to = f"TO {quote(role)}"
    for listed, tables in _by_rights(level, contents.tables).items():
        yield f"GRANT {listed} ON TABLE {', '.join(map(qualified, tables))} {to}"
    if contents.sequences and level is not Level.READER:
        yield f"GRANT USAGE ON SEQUENCE {_listed(contents.schema, contents.sequences)} {to}"
    if contents.types:
        yield f"GRANT USAGE ON TYPE {_listed(contents.schema, contents.types)} {to}"


def revoke_statements(role: str, contents: Contents) -> Iterator[str]:
    r"""The statements that take all rights on a schema from a role.

    >>> print(*revoke_statements("ann", Contents("lab")), sep="\n")
    REVOKE ALL ON ALL TABLES IN SCHEMA "lab" FROM "ann"
    REVOKE ALL ON ALL SEQUENCES IN SCHEMA "lab" FROM "ann"
    REVOKE ALL ON SCHEMA "lab" FROM "ann"
    """
    whom, schema = f"FROM {quote(role)}", quote(contents.schema)
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} {whom}"
    yield f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} {whom}"
    if contents.types:
        yield f"REVOKE ALL ON TYPE {_listed(contents.schema, contents.types)} {whom}"
    for creator in contents.creators:
        for kind in ("TABLES", "SEQUENCES", "TYPES"):
            yield f"{_later(creator, contents.schema)} REVOKE ALL ON {kind} {whom}"
    yield f"REVOKE ALL ON SCHEMA {schema} {whom}"


def create_grants_table(schema: str) -> str:
    """The statement that creates the record of who was given which level."""
    return (
        f"CREATE TABLE IF NOT EXISTS {_record(schema)} (\n"
        "  role_name varchar(63) NOT NULL,\n  level varchar(9) NOT NULL,\n  PRIMARY KEY (role_name, level)\n)"
    )


def record_grant(schema: str) -> str:
    """The statement that notes a level; its parameters are role and level."""
    return f"INSERT INTO {_record(schema)} VALUES ($1, $2) ON CONFLICT DO NOTHING"


def forget_grants(schema: str) -> str:
    """The statement that forgets the levels of the role that is its parameter."""
    return f"DELETE FROM {_record(schema)} WHERE role_name = $1"


def recorded_grants(schema: str) -> str:
    """The query for role and level of all grants to roles that still exist."""
    return (
        f"SELECT r.rolname::text, g.level::text FROM {_record(schema)} g"
        " JOIN pg_catalog.pg_roles r ON r.rolname = g.role_name ORDER BY 1, 2"
    )


def _by_rights(level: Level, tables: Iterable[TableName]) -> Mapping[str, list[TableName]]:
    grouped: dict[str, list[TableName]] = defaultdict(list)
    for table in tables:
        grouped[", ".join(sorted(rights(level, table)))].append(table)
    return grouped


def _later(creator: str, schema: str) -> str:
    return f"ALTER DEFAULT PRIVILEGES FOR ROLE {quote(creator)} IN SCHEMA {quote(schema)}"


def _listed(schema: str, names: Iterable[str]) -> str:
    return ", ".join(f"{quote(schema)}.{quote(name)}" for name in names)


def _record(schema: str) -> str:
    return qualified(TableName(schema, GRANTS_TABLE))
