"""The queue `~~name` of a table that `make` fills, laid out as DataJoint does so that its workers share it.

What djflow needs besides stands in hidden columns, which all have defaults: how often a key was taken, when
the lease of its holder ends by the server's clock, and a number that tells the holder from earlier ones.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from djflow.errors import InvalidArgumentError
from djflow.model.names import TableName
from djflow.model.table import Attribute, CurrentTimestamp, Default, IndexSpec, Literal, Null, Table
from djflow.model.types import CodecType, CoreType, DataType, EnumType, StoredType
from djflow.sql.ddl import column_clause, column_comment, drop_tables
from djflow.sql.enums import SchemaEnum, enum_of
from djflow.sql.identifiers import literal, qualified, quote
from djflow.sql.indexes import create_these

STATUS: Final = EnumType(("pending", "reserved", "success", "error", "ignore"))
_PREFIX: Final = "~~"
_BYTES: Final = CoreType("bytes")
_MILLISECONDS: Final = CoreType("datetime", (3,))
_HIDDEN: Final = (
    ("_attempts", "integer NOT NULL DEFAULT 0"),
    ("_lease_end", "timestamp with time zone"),
    ("_token", "bigint"),
)
_INTEGERS: Final = ("int8", "int16", "int32", "int64")
_INDEX: Final = IndexSpec(("status", "priority", "scheduled_time"))


def _column(
    name: str, type_: DataType, default: Default | None = None, stored: StoredType | None = None
) -> Attribute:
    kept = stored or type_
    assert not isinstance(kept, CodecType)  # noqa: S101 - the one codec column says how it is stored
    return Attribute(name, type_, kept, nullable=isinstance(default, Null), default=default)


_COLUMNS: Final = (
    _column("status", STATUS),
    _column("priority", CoreType("int8")),
    _column("created_time", _MILLISECONDS, CurrentTimestamp()),
    _column("scheduled_time", _MILLISECONDS, CurrentTimestamp()),
    _column("reserved_time", _MILLISECONDS, Null()),
    _column("completed_time", _MILLISECONDS, Null()),
    _column("duration", CoreType("float64"), Null()),
    _column("error_message", CoreType("varchar", (2047,)), Literal("")),
    _column("error_stack", CodecType("blob"), Null(), _BYTES),
    _column("user", CoreType("varchar", (255,)), Literal("")),
    _column("host", CoreType("varchar", (255,)), Literal("")),
    _column("pid", CoreType("int32"), Literal("0")),
    _column("connection_id", CoreType("int64"), Literal("0")),
    _column("version", CoreType("varchar", (64,)), Literal("")),
)


def queue_name(target: TableName) -> TableName:
    """The name of a table's queue.

    >>> queue_name(TableName("lab", "__ana"))
    TableName(schema='lab', table='~~ana')
    """
    return TableName(target.schema, _PREFIX + target.table.lstrip("_#"))


def key_names(target: Table) -> tuple[str, ...]:
    """The attributes by which a table's jobs are told apart: those of its key that come from its parents.

    Raises `InvalidArgumentError` for a table without any, or whose names queues use themselves.
    """
    inherited = {own for fk in target.foreign_keys if fk.in_key for own in fk.own}
    visible = [name for name in target.heading.primary_key if name in inherited or not inherited]
    if not visible:
        raise InvalidArgumentError(f"{target.name} has one row at most, so there is nothing to queue.")
    if clashes := sorted({column.name for column in _COLUMNS}.intersection(visible)):
        raise InvalidArgumentError(
            f"Queues have a column {clashes[0]!r} of their own: {target.name} cannot have one whose key has "
            "that, too. Rename it in the definition, with .proj() behind the reference to its parent."
        )
    return tuple(visible)


def padded_names(target: Table) -> frozenset[str]:
    """Those of them whose texts the server fills up with blanks."""
    columns = (column for column in target.columns if column.name in key_names(target))
    return frozenset(c.name for c in columns if str(c.stored).startswith("char"))


def queue_table(target: Table, status_type: str = "") -> Table:
    """A table's queue as queries see it; `status_type` is the quoted name of the status's enum type.

    Its keys have the lineages of those of the table, so that jobs and rows match.
    """
    wanted = set(key_names(target))
    key = (replace(a, in_key=True, default=None) for a in target.columns if a.name in wanted)
    status = EnumType(STATUS.labels, status_type)
    others = [replace(a, type=status, stored=status) if a.name == "status" else a for a in _COLUMNS]
    comment = f"Job queue for {qualified(target.name)}"
    return Table(queue_name(target.name), comment, (*key, *others), (), (_INDEX,))


def queue_enums(target: Table) -> tuple[SchemaEnum, ...]:
    """The enum types that the columns of a table's queue use."""
    wanted = set(key_names(target))
    of_key = (enum_of(target, column) for column in target.columns if column.name in wanted)
    own = SchemaEnum(target.name.schema, STATUS)
    return tuple(dict.fromkeys([*(enum for enum in of_key if enum is not None), own]))


def create_queue(
    target: Table, enum_names: Mapping[SchemaEnum, str], taken_names: Iterable[str] = ()
) -> tuple[str, ...]:
    """The statements that create a table's queue, without djflow's own columns.

    `taken_names` are the relations that the schema has already.
    """
    queue, wanted = queue_table(target), set(key_names(target))
    lines = [
        # As columns of the target: they have the types that these have there.
        *(
            column_clause(target, replace(column, default=None), enum_names)
            for column in target.columns
            if column.name in wanted
        ),
        *(column_clause(queue, column, enum_names) for column in queue.columns if column.name not in wanted),
        f"PRIMARY KEY ({', '.join(map(quote, queue.primary_key))})",
    ]
    body = ",\n".join(f"  {line}" for line in lines)
    return (
        f"CREATE TABLE {qualified(queue.name)} (\n{body}\n)",
        f"COMMENT ON TABLE {qualified(queue.name)} IS {literal(queue.comment)}",
        *_comments(queue),
        *create_these(queue, queue.indexes, taken_names),
    )


def _comments(queue: Table) -> Iterator[str]:
    for column in queue.columns:
        # DataJoint takes the integers of a key for native types, which need no mark.
        if column.in_key and isinstance(column.type, CoreType) and column.type.name in _INTEGERS:
            continue
        if comment := column_comment(replace(column, comment="")):
            # As DataJoint writes it, with a space behind each comma.
            text = comment if column.name != "status" else comment.replace("','", "', '")
            yield f"COMMENT ON COLUMN {qualified(queue.name)}.{quote(column.name)} IS {literal(text)}"


def drop_queue(queue: TableName) -> tuple[str, ...]:
    """The statements that drop a queue; what is counted of it goes, whoever owns that.

    >>> drop_queue(TableName("lab", "~~ana"))
    ('TRUNCATE "lab"."~~ana"', 'DROP TABLE "lab"."~~ana"')
    """
    return f"TRUNCATE {qualified(queue)}", drop_tables([queue])


def add_own_columns(queue: TableName) -> str:
    """The statement that adds djflow's own columns where they are missing.

    >>> print(add_own_columns(TableName("lab", "~~ana")))
    ALTER TABLE "lab"."~~ana"
      ADD COLUMN IF NOT EXISTS "_attempts" integer NOT NULL DEFAULT 0,
      ADD COLUMN IF NOT EXISTS "_lease_end" timestamp with time zone,
      ADD COLUMN IF NOT EXISTS "_token" bigint
    """
    added = ",\n".join(f"  ADD COLUMN IF NOT EXISTS {quote(name)} {type_}" for name, type_ in _HIDDEN)
    return f"ALTER TABLE {qualified(queue)}\n{added}"


def lineage_of_queue(target: Table) -> Table:
    """A table's queue as its lineage is recorded: as DataJoint has it, its keys are its own."""
    queue = queue_table(target)
    columns = tuple(replace(a, lineage=f"{queue.name}.{a.name}" if a.in_key else None) for a in queue.columns)
    return replace(queue, columns=columns)


# What there is of a queue: the quoted name of its status's type, whether it has djflow's columns, and whether
# its jobs are counted. No row where there is no queue. The parameters are its schema, its name and that of a
# trigger.
PLACE: Final = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(t.typname),
  EXISTS (SELECT FROM pg_catalog.pg_attribute h
          WHERE h.attrelid = c.oid AND h.attname = '_token' AND NOT h.attisdropped),
  EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname = $3)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'status' AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE s.nspname = $1 AND c.relname = $2
"""
IN_TURN: Final = "SELECT pg_advisory_xact_lock(hashtextextended('djflow jobs ' || $1::text, 0))"
IS_THERE: Final = "SELECT to_regclass($1::text) IS NOT NULL"


def create_type_if_missing(statement: str) -> str:
    """The statement that runs a `CREATE TYPE`, unless somebody else does so at the same time."""
    return f"DO {literal(f'BEGIN {statement}; EXCEPTION WHEN duplicate_object OR unique_violation THEN END')}"
