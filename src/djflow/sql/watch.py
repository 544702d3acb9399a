"""Triggers that tell listeners which rows were inserted, as statements.

The function that a trigger calls is its own: its name has a digest of what it does and of the table's
number, so that nobody else's function has it, whatever is dropped, renamed or made again meanwhile.
"""

from dataclasses import dataclass
from hashlib import md5
from typing import Final

import pyarrow as pa

from djflow.model.names import TableName
from djflow.model.table import Attribute, Table
from djflow.model.types import CodecType, arrow_type
from djflow.sql.identifiers import literal, qualified, quote

TRIGGER: Final = "~watch_insert"
MOST_KEYS: Final = 1000  # of a statement that are told
_MOST_BYTES: Final = 7999  # that a notification carries
_FUNCTION: Final = "~watch_"

PLACES: Final = f"""
SELECT n.nspname::text, c.relname::text, c.oid::bigint, pg_has_role(c.relowner, 'USAGE'),
  has_schema_privilege(n.oid, 'CREATE'), pg_get_userbyid(c.relowner)::text, pg_get_userbyid(n.nspowner)::text,
  p.proname::text, p.prosrc
FROM unnest($1::text[], $2::text[]) AS w(schema, tab)
JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.tab AND c.relkind IN ('r', 'p')
LEFT JOIN pg_catalog.pg_trigger g
  ON g.tgrelid = c.oid AND g.tgname = '{TRIGGER}' AND g.tgenabled IN ('O', 'A')
LEFT JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
ORDER BY c.oid
"""
"""The query for those among some tables, given by schemas and names, that exist, each with: its number,
whether it is the role's own, whether the role may create functions in its schema, the owners of both, and the
function of the trigger with its body."""

TRIGGER_OF: Final = f"""
SELECT n.nspname::text, c.relname::text, pn.nspname::text, p.proname::text, pg_has_role(p.proowner, 'USAGE')
FROM pg_catalog.pg_trigger g
JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
WHERE g.tgrelid = $1::bigint AND g.tgname = '{TRIGGER}' AND pg_has_role(c.relowner, 'USAGE')
"""
"""The query for the trigger of a table by its number, where the role may drop it: names of the table and of
the function, each with its schema, and whether the function is the role's own."""

BODY: Final = "SELECT p.prosrc FROM pg_catalog.pg_proc p WHERE p.oid = to_regprocedure($1::text)"
"""The query for the body of a function, given as `schema.name()`."""

# Each watcher shares the first lock, who removes a trigger has it alone; installing takes the second one.
_WATCHING: Final = "hashtextextended('djflow watch', $1::bigint)"
SHARE: Final = f"SELECT pg_advisory_lock_shared({_WATCHING})"
UNSHARE: Final = f"SELECT pg_advisory_unlock_shared({_WATCHING})"
TAKE: Final = f"SELECT pg_try_advisory_lock({_WATCHING})"
GIVE_BACK: Final = f"SELECT pg_advisory_unlock({_WATCHING})"
IN_TURN: Final = "SELECT pg_advisory_xact_lock(hashtextextended('djflow watch installs', $1::bigint))"
LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', $1, false)"

BLOCKERS: Final = f"""
SELECT DISTINCT l.pid, coalesce(a.usename, '')::text,
  coalesce(nullif(a.application_name, ''), a.backend_type, ''), coalesce(a.state, ''),
  extract(epoch FROM clock_timestamp() - a.xact_start)::float8
FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.pid IS DISTINCT FROM pg_backend_pid() AND (
  l.relation = $1::bigint AND l.locktype = 'relation' AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  OR l.locktype = 'advisory' AND l.objsubid = 1 AND l.mode = 'ExclusiveLock'
    AND ((l.classid::bigint << 32) | l.objid::bigint) = {_WATCHING})
ORDER BY 1
"""
"""The query for who is in the way of a trigger on a table, given by its number: process (none where it is a
prepared transaction), role (empty for the server's own processes), application, state and seconds since the
transaction began."""


@dataclass(frozen=True, slots=True)
class Function:
    """The function of a trigger: which it is, what it does, and with which settings."""

    name: TableName
    body: str
    settings: str = ""


def channel(schema: str) -> str:
    """The channel on which a schema's inserts are told.

    >>> channel("lab")
    'djflow_watch_f9664ea1803311b3'
    """
    return f"djflow_watch_{_digest(schema)}"


def listen(schema: str) -> str:
    """The statement by which a connection begins to hear of a schema's inserts."""
    return f"LISTEN {quote(channel(schema))}"


def told_keys(table: Table) -> tuple[Attribute, ...]:
    """The attributes of the primary key whose values notifications carry; none where these cannot be told."""
    key = tuple(table.heading[name] for name in table.heading.primary_key) if table.is_keyed else ()
    return () if any(_as_json(attribute) is None for attribute in key) else key


def layout(key: tuple[Attribute, ...]) -> str:
    """What tells whether a message has the values of just these attributes."""
    return _digest(repr([(attribute.name, str(attribute.stored)) for attribute in key]))[:8]


def watching_function(table: Table, number: int) -> Function:
    """The function that tells of a table's inserts; `number` is the table's in the catalogue.

    A message is the table's number in a JSON array, and behind it the `layout` of the key and the values of
    each of its attributes; these are left out where they are too many or too long.
    """
    key = told_keys(table)
    body = _telling_keys(table.name.schema, key) if key else _telling(table.name.schema)
    # Floats are told in as many digits as tell them apart, whatever the writer has set.
    has_floats = any(pa.types.is_floating(arrow_type(attribute.stored)) for attribute in key)
    settings = " SET extra_float_digits = 1" if has_floats else ""
    name = TableName(table.name.schema, f"{_FUNCTION}{_digest(f'{number} {settings} {body}')}")
    return Function(name, body, settings)


def create_function(function: Function) -> str:
    """The statement that creates the function of a trigger.

    It has the rights of who inserts, and needs none: what a column's type does when it is read as text, its
    owner may have written.
    """
    return (
        f"CREATE OR REPLACE FUNCTION {qualified(function.name)}() RETURNS trigger LANGUAGE plpgsql\n"
        f"SET search_path = pg_catalog, pg_temp{function.settings} AS {literal(function.body)}"
    )


def create_trigger(table: TableName, function: TableName) -> str:
    """The statement that has a function called after each statement that inserts into a table."""
    return (
        f"CREATE OR REPLACE TRIGGER {quote(TRIGGER)} AFTER INSERT ON {qualified(table)}\n"
        f"REFERENCING NEW TABLE AS became FOR EACH STATEMENT EXECUTE FUNCTION {qualified(function)}()"
    )


def drop_trigger(table: TableName) -> str:
    """The statement that has nobody told of a table's inserts any more.

    >>> print(drop_trigger(TableName("lab", "subject")))
    DROP TRIGGER IF EXISTS "~watch_insert" ON "lab"."subject"
    """
    return f"DROP TRIGGER IF EXISTS {quote(TRIGGER)} ON {qualified(table)}"


def drop_function(function: TableName) -> str:
    """The statement that drops the function of a trigger."""
    return f"DROP FUNCTION IF EXISTS {qualified(function)}()"


def _telling(schema: str) -> str:
    return (
        "BEGIN\n"
        "IF EXISTS (SELECT FROM became) THEN\n"
        f"  PERFORM pg_notify({literal(channel(schema))}, json_build_array(TG_RELID::bigint)::text);\n"
        "END IF;\n"
        "RETURN NULL;\n"
        "END"
    )


def _telling_keys(schema: str, key: tuple[Attribute, ...]) -> str:
    names = [f"k{place}" for place in range(len(key))]
    values = ", ".join(map(_value, key))
    aggregated = ", ".join(f"json_agg({name})" for name in names)
    return (
        "#variable_conflict use_column\n"
        "DECLARE\n"
        "  told bigint;\n"
        "  message text;\n"
        "BEGIN\n"
        "BEGIN\n"
        f"  SELECT count(*), json_build_array(TG_RELID::bigint, '{layout(key)}', {aggregated})::text\n"
        "  INTO told, message\n"
        # A transition table is not counted for this: it may have millions of rows.
        f"  FROM (SELECT {values} FROM became LIMIT {MOST_KEYS + 1}) AS keys({', '.join(names)});\n"
        "EXCEPTION WHEN OTHERS THEN\n"
        # The columns were changed since; what inserts must not fail for it.
        f"  told := {MOST_KEYS + 1};\n"
        "END;\n"
        "IF told = 0 THEN\n"
        "  RETURN NULL;\n"
        "END IF;\n"
        f"IF told > {MOST_KEYS} OR octet_length(message) > {_MOST_BYTES} THEN\n"
        "  message := json_build_array(TG_RELID::bigint)::text;\n"
        "END IF;\n"
        f"PERFORM pg_notify({literal(channel(schema))}, message);\n"
        "RETURN NULL;\n"
        "END"
    )


def _value(attribute: Attribute) -> str:
    text = _as_json(attribute)
    assert text is not None  # noqa: S101 - `told_keys` looked
    return text


def _as_json(attribute: Attribute) -> str | None:
    """A value in a form that JSON gives exactly, whatever the writer's settings; None where there is none."""
    name, arrow = quote(attribute.name), arrow_type(attribute.stored)
    types = pa.types
    if isinstance(attribute.type, CodecType) or types.is_list(arrow) or types.is_duration(arrow):
        return None
    if types.is_binary(arrow):
        return f"encode({name}, 'hex')"
    if types.is_timestamp(arrow) and arrow.tz is not None:
        return f"{name} AT TIME ZONE 'UTC'"
    if types.is_decimal(arrow) or types.is_floating(arrow) or types.is_string(arrow):
        return f"{name}::text"
    return name


def _digest(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()[:16]
