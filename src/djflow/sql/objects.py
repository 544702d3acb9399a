"""The table `~objects` of a schema: what was written into stores for its rows. Pure: no server is asked.

A record is committed before its object is written, so whatever a transaction leaves behind is known.

- `writers` are the transactions that may still commit a row which refers to the object. The server itself
  knows which of them have ended, however their processes ended.
- `quarantined_at` is when the object was found without any row that refers to it; recording it again, as a
  writer of the same content does, ends that.
- `condemned_at` is when its removal was decided, and `removed_at` when it was done. From then on nobody uses
  the path: a removal may still be under way, even of a process whose connection is gone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from djflow.model.names import TableName
from djflow.sql.identifiers import literal, qualified, quote

OBJECTS_TABLE: Final = "~objects"
# As a statement's own snapshot sees it: a transaction that has not ended there may still commit.
_LIVE: Final = (
    "EXISTS (SELECT FROM unnest({o}.writers) w WHERE NOT pg_visible_in_snapshot(w, pg_current_snapshot()))"
    # After a restart, or in another cluster, numbers of transactions tell nothing.
    " AND {o}.recorded_at > pg_postmaster_start_time()"
)


class Kind(StrEnum):
    """Whether one row owns an object, or all rows of a schema with this content share it."""

    OWNED = "owned"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class ReferenceColumn:
    """A column whose values refer to objects.

    `store` is the name of the store that is meant where a value names none. `is_plain` tells that a value
    has the path of its one object under `path`; others may have paths anywhere.
    """

    table: TableName
    column: str
    store: str
    is_plain: bool = True


def create_objects_table(schema: str) -> tuple[str, ...]:
    """The statements that create a schema's record of objects where it is missing."""
    table = (
        f"CREATE TABLE IF NOT EXISTS {_table(schema)} (\n"
        "  store text NOT NULL,\n"
        "  path text NOT NULL,\n"
        "  kind text NOT NULL CHECK (kind IN ('owned', 'shared')),\n"
        "  recorded_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),\n"
        "  writers xid8[] NOT NULL DEFAULT '{}',\n"
        "  quarantined_at timestamp with time zone,\n"
        "  condemned_at timestamp with time zone,\n"
        "  removed_at timestamp with time zone\n"
        ")"
    )
    # Paths may be longer than an index takes.
    index = f'CREATE UNIQUE INDEX IF NOT EXISTS "~objects_path" ON {_table(schema)} (store, md5(path))'
    return table, index


def settle(schema: str, home: str) -> str:
    """The statement that says in which database a schema's record of objects was made."""
    return f"COMMENT ON TABLE {_table(schema)} IS {literal(home)}"


# The database in which a schema's record was made, and this one.
HOME: Final = """
SELECT obj_description(to_regclass(format('%I.%I', $1::text, '~objects')), 'pg_class'),
  format('djflow: objects of database %s of server %s',
    (SELECT oid FROM pg_database WHERE datname = current_database()), system_identifier)
FROM pg_control_system()
"""

# by those who write objects

PLACE: Final = """
SELECT to_regnamespace(quote_ident($1))::oid::bigint,
  to_regclass(format('%I.%I', $1::text, $2::text)) IS NOT NULL
"""
# Two who restore a schema that is not there one after another.
CLAIM_SECTION: Final = "SELECT pg_advisory_xact_lock(hashtextextended('djflow section ' || $1::text, 0))"
TRY_SECTION: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('djflow section ' || $1::text, 0))"
SCHEMAS: Final = "SELECT nspname::text FROM pg_namespace WHERE nspname::text = ANY ($1::text[])"
WRITER: Final = "SELECT pg_current_xact_id()::text, to_regnamespace(quote_ident($1))::oid::bigint"


def record_objects(schema: str) -> str:
    """The statement that records objects for a writer and gives the paths that nobody may use any more.

    Its parameters are the store, the paths, the kind, and the number of the writer's transaction.
    """
    return (
        "WITH given AS (SELECT DISTINCT u AS path, md5(u) AS hash FROM unnest($2::text[]) u), recorded AS (\n"
        f"  INSERT INTO {_table(schema)} AS o (store, path, kind, writers)\n"
        # In one order, so that two writers of the same contents do not wait for each other.
        "  SELECT $1::text, path, $3::text, ARRAY[$4::text::xid8] FROM given ORDER BY hash\n"
        "  ON CONFLICT (store, md5(path)) DO UPDATE SET\n"
        "    writers = ARRAY(SELECT w FROM unnest(o.writers) w\n"
        "      WHERE NOT pg_visible_in_snapshot(w, pg_current_snapshot()) AND w <> EXCLUDED.writers[1])\n"
        "      || EXCLUDED.writers,\n"
        "    recorded_at = EXCLUDED.recorded_at, quarantined_at = NULL\n"
        "  WHERE o.condemned_at IS NULL\n"
        "  RETURNING o.path\n"
        ")\n"
        "SELECT path FROM given EXCEPT SELECT path FROM recorded"
    )


def forget_objects(schema: str) -> str:
    """The statement that removes the records of objects; its parameters are the store and the paths."""
    return f"DELETE FROM {_table(schema)} WHERE store = $1 AND {_is_one_of('path', '$2')}"


# by those who collect


def select_orphans(schema: str, columns: Sequence[ReferenceColumn]) -> str:
    """The query for the objects of one store to which no row refers, or which are in quarantine.

    Left out is what a writer may still commit a row for, and what was removed. The parameters are the names
    of the store, those of the stores in other places, and the grace period in seconds. A row is store, path,
    kind, when it was recorded, when quarantined, whether rows refer to it, and whether its grace period is
    over: all as of one moment.
    """
    return (
        f"WITH used AS MATERIALIZED (\n{_used(columns, '$2')}\n)\n"
        "SELECT o.store, o.path, o.kind, o.recorded_at, o.quarantined_at, u.path IS NOT NULL,\n"
        f"  o.condemned_at IS NOT NULL OR coalesce({_is_due('$3')}, false)\n"
        f"FROM {_table(schema)} o LEFT JOIN used u ON u.path = o.path\n"
        "WHERE o.store = ANY ($1::text[]) AND o.removed_at IS NULL\n"
        "  AND (u.path IS NULL OR (o.quarantined_at IS NOT NULL AND o.condemned_at IS NULL))\n"
        f"  AND NOT ({_LIVE.format(o='o')})\n"
        "ORDER BY o.store, o.path"
    )


def count_objects(schema: str) -> str:
    """The query for how many objects of each kind are recorded; its parameter are the names of the store."""
    return (
        f"SELECT kind, count(*) FROM {_table(schema)}\n"
        "WHERE store = ANY ($1::text[]) AND removed_at IS NULL GROUP BY kind"
    )


def count_all_objects(schema: str) -> str:
    """The query for how many objects are recorded, in all stores."""
    return f"SELECT count(*) FROM {_table(schema)} WHERE removed_at IS NULL"


def select_recorded(schema: str) -> str:
    """The query for the paths that are recorded; its parameter are the names of the store."""
    return f"SELECT path FROM {_table(schema)} WHERE store = ANY ($1::text[]) AND removed_at IS NULL"


def select_used(columns: Sequence[ReferenceColumn]) -> str:
    """The query for all paths to which rows refer in one place; its parameter are the stores elsewhere."""
    return _used(columns, "$1")


def quarantine_objects(schema: str) -> str:
    """The statement that puts objects into quarantine; its parameters are a store and the paths.

    Passed over is what was recorded again meanwhile, or may still get its row.
    """
    return (
        f"UPDATE {_table(schema)} AS o SET quarantined_at = clock_timestamp()\n"
        f"WHERE o.store = $1 AND {_is_one_of('o.path', '$2')} AND o.quarantined_at IS NULL"
        f" AND NOT ({_LIVE.format(o='o')})"
    )


def release_objects(schema: str) -> str:
    """The statement that ends the quarantine of objects; its parameters are a store and the paths."""
    return (
        f"UPDATE {_table(schema)} AS o SET quarantined_at = NULL\n"
        f"WHERE o.store = $1 AND {_is_one_of('o.path', '$2')} AND o.condemned_at IS NULL"
    )


def lock_quarantined(schema: str) -> str:
    """The query that locks what has been in quarantine for long enough, and gives the paths.

    Its parameters are a store, the paths, and the grace period in seconds. Whoever wrote a locked object has
    ended, and who records it again waits until the collector's transaction ends. What another collector has
    locked is passed over.
    """
    return (
        f"SELECT o.path FROM {_table(schema)} o\n"
        f"WHERE o.store = $1 AND {_is_one_of('o.path', '$2')} AND o.removed_at IS NULL\n"
        f"  AND {_is_due('$3')} AND NOT ({_LIVE.format(o='o')})\n"
        "ORDER BY md5(o.path) FOR UPDATE SKIP LOCKED"
    )


def condemn_objects(schema: str, columns: Sequence[ReferenceColumn]) -> str:
    """The statement that condemns those of some locked objects to which no row refers, and gives the paths.

    Its parameters are the names of the stores in other places, the store's name in the records, and the
    paths.
    """
    return (
        f"WITH used AS MATERIALIZED (\n{_used(columns, '$1')}\n)\n"
        f"UPDATE {_table(schema)} o SET condemned_at = clock_timestamp()\n"
        f"WHERE o.store = $2 AND {_is_one_of('o.path', '$3')}\n"
        "  AND NOT EXISTS (SELECT FROM used u WHERE u.path = o.path)\n"
        "RETURNING o.path"
    )


def bury_objects(schema: str) -> str:
    """The statement that records the removal of objects; its parameters are a store and the paths.

    The records stay for a while: contents are written again, and rows come back from an archive.
    """
    return (
        f"UPDATE {_table(schema)} SET removed_at = clock_timestamp()\n"
        f"WHERE store = $1 AND {_is_one_of('path', '$2')}"
    )


def forget_removed(schema: str) -> str:
    """The statement that lets paths be used again whose objects were removed so many seconds ago."""
    return (
        f"DELETE FROM {_table(schema)}\n"
        "WHERE removed_at <= clock_timestamp() - make_interval(secs => $1::float8)"
    )


def adopt_objects(schema: str) -> str:
    """The statement that records found objects, in quarantine from now on.

    Its parameters are a store, the paths and their kinds.
    """
    return (
        f"INSERT INTO {_table(schema)} (store, path, kind, quarantined_at)\n"
        "SELECT $1::text, u.path, u.kind, clock_timestamp()\n"
        "FROM unnest($2::text[], $3::text[]) AS u(path, kind) ORDER BY md5(u.path)\n"
        "ON CONFLICT (store, md5(path)) DO NOTHING"
    )


# A policy that hides rows would hide what refers to an object: the server then refuses instead. Who waits for
# the lock of one table holds those of others, so the wait ends before it can come to a deadlock. References
# are few or all of a database's: guessed to be few, they would be compared one by one with each object.
LOOK_AT_ALL: Final = (
    "SELECT set_config('row_security', 'off', true), set_config('lock_timeout', '500ms', true),"
    " set_config('enable_nestloop', 'off', true)"
)


def _used(columns: Iterable[ReferenceColumn], elsewhere: str) -> str:
    """The paths, each once, to which rows refer in all stores but some.

    A store that is not configured any more, or only on another machine, may be the same place.
    """
    selects = [_paths(column, elsewhere) for column in columns]
    return "\nUNION\n".join([f"SELECT NULL::text AS path WHERE {elsewhere}::text[] IS NULL", *selects])


def _paths(column: ReferenceColumn, elsewhere: str) -> str:
    name, own = quote(column.column), literal(column.store)
    source = f"FROM {qualified(column.table)} t"
    if column.is_plain:
        where = f"coalesce(nullif(t.{name} ->> 'store', ''), {own}) <> ALL ({elsewhere}::text[])"
        return (
            f"SELECT t.{name} ->> 'path' AS path {source} WHERE t.{name} ->> 'path' IS NOT NULL AND {where}"
        )
    texts = f"jsonb_path_query(t.{name}::jsonb, '$.** ? (@.type() == \"string\")')"
    return f"SELECT v #>> '{{}}' AS path {source} CROSS JOIN LATERAL {texts} AS v"


def _is_due(grace: str) -> str:
    return f"o.quarantined_at <= clock_timestamp() - make_interval(secs => {grace}::float8)"


def _is_one_of(path: str, listed: str) -> str:
    # By what the index has, and by the path itself.
    return f"(md5({path}), {path}) IN (SELECT md5(u), u FROM unnest({listed}::text[]) u)"


def _table(schema: str) -> str:
    return qualified(TableName(schema, OBJECTS_TABLE))
