"""What a role lacks for a statement that the server refused.

The server's own words name neither the right nor the role, nor who could give it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from djflow.errors import AccessError, DjflowError
from djflow.model.names import TableName
from djflow.sql.grants import level_for
from djflow.sql.identifiers import qualified, quote

if TYPE_CHECKING:
    import pyarrow as pa

Ask: TypeAlias = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

_INSUFFICIENT: Final = "42501"
_NAME: Final = r'("(?:[^"]|"")+"|[^\W\d][\w$]*)'
_QUALIFIED: Final = re.compile(rf"{_NAME}\.{_NAME}")
_SCHEMA: Final = re.compile(rf"\bSCHEMA (?:IF (?:NOT )?EXISTS )?{_NAME}", re.IGNORECASE)
_TEMPORARY: Final = re.compile(r"\s*CREATE TEMP", re.IGNORECASE)
_TARGET: Final = re.compile(
    rf"\b(?P<verb>INSERT INTO|COPY|UPDATE|DELETE FROM|TRUNCATE(?: TABLE)?|CREATE TABLE(?: IF NOT EXISTS)?"
    rf"|CREATE TYPE|ALTER TABLE|DROP TABLE(?: IF EXISTS)?)\s+(?:ONLY\s+)?{_NAME}\.{_NAME}",
    re.IGNORECASE,
)
# What a statement needs on its target; most also read it, to find the rows.
_NEEDS: Final = {
    "INSERT": ("INSERT",),
    "COPY": ("INSERT",),
    "UPDATE": ("UPDATE", "SELECT"),
    "DELETE": ("DELETE", "SELECT"),
    "TRUNCATE": ("TRUNCATE",),
}
_TABLES: Final = """
SELECT u.schema, u.name, u.needed, n.oid IS NOT NULL AND NOT has_schema_privilege(n.oid, 'USAGE'),
  c.oid IS NOT NULL AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, u.needed)),
  pg_get_userbyid(n.nspowner)::text, pg_get_userbyid(c.relowner)::text,
  ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND u.needed <> 'DELETE'
          AND u.needed <> 'TRUNCATE' AND has_column_privilege(c.oid, a.attnum, u.needed) ORDER BY a.attnum)
FROM unnest($1::text[], $2::text[], $3::text[]) AS u(schema, name, needed)
JOIN pg_catalog.pg_namespace n ON n.nspname = u.schema
LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = u.name
"""
_CREATION: Final = """
SELECT n.nspname::text, pg_get_userbyid(n.nspowner)::text
FROM pg_catalog.pg_namespace n WHERE n.nspname = $1 AND NOT has_schema_privilege(n.oid, 'CREATE')
"""
_CLOSED: Final = """
SELECT n.nspname::text, pg_get_userbyid(n.nspowner)::text
FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^pg_' AND NOT has_schema_privilege(n.oid, 'USAGE') ORDER BY 1
"""
_OWNER: Final = """
SELECT pg_get_userbyid(c.relowner)::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND NOT pg_has_role(c.relowner, 'USAGE')
"""
_DATABASE: Final = """
SELECT d.datname::text, pg_get_userbyid(d.datdba)::text
FROM pg_catalog.pg_database d
WHERE d.datname = current_database() AND NOT has_database_privilege(d.oid, $1)
"""


@dataclass(frozen=True, slots=True)
class Lack:
    """A right that the role has not: on which object, who can give it and how."""

    right: str
    thing: str
    owner: str
    remedy: str
    call: str = ""
    columns: tuple[str, ...] = ()


@contextmanager
def naming_rights(sql: str, ask: Ask) -> Iterator[None]:
    """What the server refuses inside is raised with the rights that the statement lacked.

    `ask` runs a query with `$1`, ... for parameters, as the same role, once the statement has failed.
    """
    try:
        yield
    except AccessError as error:
        better = explained(error, sql, ask)
        if better is error:
            raise
        raise better from error.__cause__


def naming_rights_of(batches: "Iterator[pa.RecordBatch]", sql: str, ask: Ask) -> "Iterator[pa.RecordBatch]":
    """The batches of a statement; it is refused as inside `naming_rights`."""
    with naming_rights(sql, ask):
        yield from batches


def explained(error: AccessError, sql: str, ask: Ask) -> AccessError:
    """The error with the rights that the statement lacked, or as it was where nothing more is found."""
    if error.missing or error.sqlstate != _INSUFFICIENT:
        return error
    try:
        [(role,)] = ask("SELECT current_user::text", ())
        lacks = tuple(dict.fromkeys(_lacks(ask, sql, role)))
        # A statement may take names as parameters; the server's words tell the schema that it stopped at.
        lacks = lacks or tuple(_of_mentioned(ask, str(error), role))
    except DjflowError:
        return error
    return _told(role, lacks) if lacks else error


def _told(role: str, lacks: Sequence[Lack]) -> AccessError:
    what = " and ".join(f"{lack.right} on {lack.thing}" for lack in lacks)
    owners = ", ".join(dict.fromkeys(lack.owner for lack in lacks))
    remedy = tuple(dict.fromkeys(lack.remedy for lack in lacks if lack.remedy))
    calls = " and ".join(dict.fromkeys(lack.call for lack in lacks if lack.call))
    ways = " or ".join(way for way in (calls, "; ".join(remedy)) if way)
    owner = f"The owner, {owners}, can give it: {ways}." if ways else f"Only the owner, {owners}, has it."
    error = AccessError(
        f"The role {role!r} lacks {what}. {owner}",
        role=role,
        missing=[(lack.right, lack.thing) for lack in lacks],
        remedy=remedy,
    )
    for lack in lacks:
        if lack.columns:
            listed = ", ".join(lack.columns)
            error.suggest(f"The role has {lack.right} on these columns of {lack.thing} alone: {listed}.")
    return error


def _lacks(ask: Ask, sql: str, role: str) -> Iterator[Lack]:
    if _TEMPORARY.match(sql):
        yield from _of_database(ask, role, "TEMPORARY")
    target = _TARGET.search(sql)
    pair = None if target is None else (_plain(target[2]), _plain(target[3]))
    verb = "" if target is None else target["verb"].upper().split()[0]
    if verb in {"ALTER", "DROP"} and pair is not None:
        yield from _of_owner(ask, pair)
    elif verb == "CREATE" and pair is not None:
        yield from _of_creation(ask, role, pair[0])
        others = [(*name, "REFERENCES") for name in _named(sql) if name != pair]
        yield from _of_tables(ask, role, others)
    elif sql.lstrip().upper().startswith("CREATE SCHEMA"):
        yield from _of_database(ask, role, "CREATE")
    else:
        yield from _of_tables(ask, role, list(_needed(sql, verb, pair)))
        for name in _SCHEMA.findall(sql):
            yield from _of_creation(ask, role, _plain(name))


def _needed(sql: str, verb: str, target: tuple[str, str] | None) -> Iterator[tuple[str, str, str]]:
    """Schema, table and right, for each table that a statement names."""
    if target is not None:
        for right in _NEEDS[verb]:
            yield (*target, right)
        if "ON CONFLICT" in sql.upper():
            yield (*target, "SELECT")
        if "DO UPDATE" in sql.upper():
            yield (*target, "UPDATE")
    for name in _named(sql):
        if name != target:
            yield (*name, "SELECT")


def _named(sql: str) -> list[tuple[str, str]]:
    found = ((_plain(schema), _plain(table)) for schema, table in _QUALIFIED.findall(sql))
    return list(dict.fromkeys(found))


def _of_tables(ask: Ask, role: str, needed: Sequence[tuple[str, str, str]]) -> Iterator[Lack]:
    schemas, names, rights = ([item[i] for item in needed] for i in range(3))
    for schema, name, right, no_entry, lacking, schema_owner, owner, columns in ask(
        _TABLES, (schemas, names, rights)
    ):
        level = level_for(right, TableName(schema, name)) or level_for("SELECT", TableName(schema, name))
        call = f"schema.grant({role!r}, {str(level)!r})"
        if no_entry:
            usage = f"GRANT USAGE ON SCHEMA {quote(schema)} TO {quote(role)}"
            yield Lack("USAGE", f"schema {schema}", schema_owner, usage, call)
        if lacking:
            statement = f"GRANT {right} ON TABLE {qualified(TableName(schema, name))} TO {quote(role)}"
            known = level_for(right, TableName(schema, name)) is not None
            yield Lack(
                right,
                f"table {schema}.{name}",
                owner,
                statement,
                call if known else "",
                tuple(columns),
            )


def _of_creation(ask: Ask, role: str, schema: str) -> Iterator[Lack]:
    for name, owner in ask(_CREATION, (schema,)):
        statement = f"GRANT USAGE, CREATE ON SCHEMA {quote(name)} TO {quote(role)}"
        yield Lack("CREATE", f"schema {name}", owner, statement)


def _of_mentioned(ask: Ask, message: str, role: str) -> Iterator[Lack]:
    for schema, owner in ask(_CLOSED, ()):
        if re.search(rf"(?<!\w){re.escape(schema)}(?!\w)", message):
            usage = f"GRANT USAGE ON SCHEMA {quote(schema)} TO {quote(role)}"
            yield Lack("USAGE", f"schema {schema}", owner, usage, f"schema.grant({role!r}, 'reader')")


def _of_owner(ask: Ask, table: tuple[str, str]) -> Iterator[Lack]:
    for (owner,) in ask(_OWNER, table):
        yield Lack("ownership", f"table {table[0]}.{table[1]}", owner, "")


def _of_database(ask: Ask, role: str, right: str) -> Iterator[Lack]:
    for name, owner in ask(_DATABASE, (right,)):
        yield Lack(
            right, f"database {name}", owner, f"GRANT {right} ON DATABASE {quote(name)} TO {quote(role)}"
        )


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
