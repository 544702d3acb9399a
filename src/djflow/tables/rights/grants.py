"""Who may do what in a schema: levels of rights for roles of the database."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from djflow.backend.session import Session
from djflow.errors import (
    AccessError,
    InvalidArgumentError,
    MissingSchemaError,
    UnknownRoleError,
    did_you_mean,
)
from djflow.model.names import TableName
from djflow.sql import grants as sql
from djflow.sql.grants import GRANTS_TABLE, Contents, Level

if TYPE_CHECKING:
    import polars as pl

_ROLES: Final = "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_'"
_CONTENTS: Final = """
SELECT
  ARRAY(SELECT c.relname::text FROM pg_catalog.pg_class c
        WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1),
  ARRAY(SELECT c.relname::text FROM pg_catalog.pg_class c
        WHERE c.relnamespace = n.oid AND c.relkind = 'S' ORDER BY 1),
  ARRAY(SELECT t.typname::text FROM pg_catalog.pg_type t
        WHERE t.typnamespace = n.oid AND t.typtype IN ('e', 'd') ORDER BY 1),
  ARRAY(SELECT r.rolname::text FROM pg_catalog.pg_roles r
        WHERE (r.rolname = current_user OR r.oid = n.nspowner OR r.oid IN (
                SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid))
          AND pg_has_role(r.oid, 'USAGE') ORDER BY 1)
FROM pg_catalog.pg_namespace n WHERE n.nspname = $1
"""
_COUNTERS: Final = """
SELECT DISTINCT s.relname::text
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_catalog.pg_class c ON c.oid = d.refobjid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.oid = s.relnamespace
WHERE d.classid = 'pg_class'::regclass AND n.nspname = $1 AND c.relname = ANY ($2::text[])
ORDER BY 1
"""
# What a role lacks although it was just granted: the server only warns where the granter may not grant.
_LACKING: Final = """
SELECT u.table_name, u.needed, pg_get_userbyid(c.relowner)::text
FROM unnest($3::text[], $4::text[]) AS u(table_name, needed)
JOIN pg_catalog.pg_namespace n ON n.nspname = $2
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = u.table_name
WHERE NOT has_table_privilege($1::text, c.oid, u.needed)
ORDER BY 1, 2
"""
_OWNED: Final = """
SELECT 1 FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_namespace n ON n.nspname = $1
WHERE r.rolname = $2 AND (n.nspowner = r.oid OR EXISTS (
  SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relowner = r.oid))
"""
_HELD: Final = """
SELECT g.rolname::text, c.relname::text, array_agg(a.privilege_type ORDER BY a.privilege_type),
  has_schema_privilege(g.oid, n.oid, 'USAGE')
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(c.relacl) a
JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND a.grantee <> c.relowner
GROUP BY g.rolname, g.oid, n.oid, c.relname
ORDER BY 1, 2
"""
_LEFT: Final = """
SELECT DISTINCT pg_get_userbyid(a.grantor)::text
FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_roles r ON r.rolname = $2
CROSS JOIN LATERAL (
  SELECT (aclexplode(n.nspacl)).*
  UNION ALL
  SELECT e.* FROM pg_catalog.pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) e WHERE c.relnamespace = n.oid
) a
WHERE n.nspname = $1 AND a.grantee = r.oid
ORDER BY 1
"""
_RECORD_EXISTS: Final = """
SELECT has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2
"""
_IN_TURN: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"


def grant(session: Session, schema: str, role: str, level: str) -> None:
    """Give a role a level in a schema, for the tables there are and those declared later.

    Granting twice changes nothing; levels add up. All rights are given, or none.

    Raises `UnknownRoleError`, `InvalidArgumentError` for an unknown level, `MissingSchemaError` where the
    database has no such schema, and `AccessError` where the rights are not yours to give.
    """
    wanted = _level(level)
    with session.transaction():
        session.execute(_IN_TURN, [f"djflow grant {schema}"])
        _check_role(session, role)
        contents = _contents(session, schema)
        session.execute(sql.create_grants_table(schema))
        session.execute(sql.record_grant(schema), [role, wanted])
        record = TableName(schema, GRANTS_TABLE)
        tables = tuple(dict.fromkeys((*contents.tables, record)))
        _give(session, role, wanted, replace(contents, tables=tables))


def extend(session: Session, schema: str, created: Iterable[TableName]) -> None:
    """Give the roles of a schema, as recorded, their rights on tables that have just been created."""
    tables = tuple(sorted(created))
    if not tables or not _is_recorded(session, schema):
        return
    with session.transaction():
        # One who creates tables need not own what others created: only what is new is granted.
        names = [name.table for name in tables]
        sequences = tuple(name for (name,) in session.execute(_COUNTERS, [schema, names]))
        contents = Contents(schema, tables, sequences)
        for role, level in session.execute(sql.recorded_grants(schema)):
            for statement in sql.grant_on_contents(role, Level(level), contents):
                session.execute(statement)


def revoke(session: Session, schema: str, role: str) -> None:
    """Take all rights in a schema from a role; what it may do as a member of other roles stays.

    Raises `UnknownRoleError`, `MissingSchemaError`, and `AccessError` where the role owns the schema or a
    table, or holds rights that somebody else gave.
    """
    with session.transaction():
        session.execute(_IN_TURN, [f"djflow grant {schema}"])
        _check_role(session, role)
        contents = _contents(session, schema)
        if session.execute(_OWNED, [schema, role]):
            raise AccessError(
                f"{role!r} owns the schema {schema!r} or tables in it; an owner has all rights. "
                "Give these to another owner first, with ALTER ... OWNER TO.",
                role=role,
            )
        for statement in sql.revoke_statements(role, contents):
            session.execute(statement)
        if _is_recorded(session, schema):
            session.execute(sql.forget_grants(schema), [role])
        if others := [name for (name,) in session.execute(_LEFT, [schema, role])]:
            raise AccessError(
                f"{role!r} has rights in {schema!r} that others gave: {', '.join(others)}. "
                "They, or an administrator, can revoke them; nothing was changed.",
                role=role,
            )


def grants(session: Session, schema: str) -> "pl.DataFrame":
    """A row for each role and level: `role`, `level`, `tables` (names as in PostgreSQL).

    The tables are those on which the role has all rights of the level. Rights that were given otherwise
    have the level "custom". Rights of owners, of PUBLIC, and those that come with membership in another
    role are left out.
    """
    import polars as pl

    held, reachable = _held(session, schema)
    recorded: dict[str, list[Level]] = defaultdict(list)
    if _is_recorded(session, schema):
        for role, level in session.execute(sql.recorded_grants(schema)):
            recorded[role].append(Level(level))
    rows = [
        (role, str(level), _covered(level, held.get(role, {}) if role in reachable else {}))
        for role, levels in recorded.items()
        for level in levels
    ]
    rows += [
        (role, "custom", [name.table for name in tables if not name.is_hidden])
        for role, tables in held.items()
        if role not in recorded
    ]
    columns = {"role": pl.String(), "level": pl.String(), "tables": pl.List(pl.String())}
    return pl.DataFrame(sorted(rows), schema=columns, orient="row")


def _covered(level: Level, held: Mapping[TableName, frozenset[str]]) -> list[str]:
    return [name.table for name, has in held.items() if not name.is_hidden and sql.rights(level, name) <= has]


def _held(session: Session, schema: str) -> tuple[dict[str, dict[TableName, frozenset[str]]], frozenset[str]]:
    """The rights of each role by table, and the roles that may enter the schema."""
    held: dict[str, dict[TableName, frozenset[str]]] = defaultdict(dict)
    reachable = set()
    for role, table, rights, may_enter in session.execute(_HELD, [schema]):
        held[role][TableName(schema, table)] = frozenset(rights)
        if may_enter:
            reachable.add(role)
    return held, frozenset(reachable)


def _give(session: Session, role: str, level: Level, contents: Contents) -> None:
    for statement in sql.grant_statements(role, level, contents):
        session.execute(statement)
    pairs = [(name.table, right) for name in contents.tables for right in sorted(sql.rights(level, name))]
    names, needed = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    lacking = session.execute(_LACKING, [role, contents.schema, names, needed])
    if lacking:
        owners = sorted({owner for _, _, owner in lacking})
        tables = sorted({table for table, _, _ in lacking})
        raise AccessError(
            f"You may not give rights on {', '.join(tables)} of {contents.schema!r}: "
            f"ask the owner, {', '.join(owners)}, to run schema.grant({role!r}, {str(level)!r}). "
            "Nothing was granted.",
            role=role,
            missing=[(right, f"table {contents.schema}.{table}") for table, right, _ in lacking],
        )


def _contents(session: Session, schema: str) -> Contents:
    found = session.execute(_CONTENTS, [schema])
    if not found:
        raise MissingSchemaError(schema, ())
    tables, sequences, types, creators = found[0]
    names = tuple(TableName(schema, table) for table in tables)
    return Contents(schema, names, tuple(sequences), tuple(types), tuple(creators))


def _is_recorded(session: Session, schema: str) -> bool:
    return session.execute(_RECORD_EXISTS, [schema, GRANTS_TABLE]) == [(True,)]


def _check_role(session: Session, role: str) -> None:
    if not isinstance(role, str):
        raise InvalidArgumentError(f"A role is given by its name, not as {role!r}.")
    known = [name for (name,) in session.execute(_ROLES)]
    if role not in known:
        raise UnknownRoleError(role, known)


def _level(level: str) -> Level:
    try:
        return Level(level)
    except ValueError:
        known = [str(each) for each in Level]
        raise InvalidArgumentError(
            f"There is no level {level!r}.{did_you_mean(str(level), known)} Levels: {', '.join(known)}."
        ) from None
