"""The types of attributes, with their PostgreSQL and Arrow twins in one table."""

import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import pyarrow as pa

ENCODED: Final = b"djflow.encoded"  # metadata of a field of Arrow: which codec encoded its values


@dataclass(frozen=True, slots=True)
class CoreType:
    """One of djflow's own types: `int32`, `varchar(20)`, `decimal(8,3)`, `datetime(3)`, ...

    >>> str(CoreType("decimal", (8, 3)))
    'decimal(8,3)'
    """

    name: str
    args: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.name + (f"({','.join(map(str, self.args))})" if self.args else "")


@dataclass(frozen=True, slots=True)
class EnumType:
    """One of a fixed set of labels.

    `sql_name` is the quoted name of the type in the database, where it is known; it tells no types apart.

    >>> str(EnumType(("M", "it's")))
    "enum('M','it''s')"
    """

    labels: tuple[str, ...]
    sql_name: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        return "enum({})".format(",".join("'" + label.replace("'", "''") + "'" for label in self.labels))


@dataclass(frozen=True, slots=True)
class NativeType:
    """A type of PostgreSQL passed through by name, such as `real[]` or `timestamp with time zone`."""

    sql: str

    def __str__(self) -> str:
        return self.sql


@dataclass(frozen=True, slots=True)
class CodecType:
    """A type that a codec encodes: `<blob>`, `<blob@>`, `<npy@main>`.

    `store` is None for values in the table, "" for the default store, else a store's name.
    """

    name: str
    store: str | None = None

    def __str__(self) -> str:
        return f"<{self.name}>" if self.store is None else f"<{self.name}@{self.store}>"


StoredType: TypeAlias = CoreType | EnumType | NativeType
DataType: TypeAlias = StoredType | CodecType

_CORE_SQL: Final = {
    "int8": "smallint",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "float32": "real",
    "float64": "double precision",
    "decimal": "numeric",
    "char": "character",
    "varchar": "character varying",
    "bool": "boolean",
    "date": "date",
    "datetime": "timestamp",
    "bytes": "bytea",
    "json": "jsonb",
    "uuid": "uuid",
}
_CORE_ARROW: Final = {
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "char": pa.string(),
    "varchar": pa.string(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us"),
    "bytes": pa.binary(),
    "json": pa.string(),
    "uuid": pa.string(),
}
# How many arguments each core type takes.
CORE_ARITY: Final = dict.fromkeys(_CORE_SQL, (0, 0)) | {
    "decimal": (2, 2),
    "char": (1, 1),
    "varchar": (1, 1),
    "datetime": (0, 1),
}
_NATIVE_ARROW: Final = {
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "bytea": pa.binary(),
    "date": pa.date32(),
    "time without time zone": pa.time64("us"),
    "timestamp without time zone": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
    "interval": pa.duration("us"),
    "uuid": pa.string(),
    "json": pa.string(),
    "jsonb": pa.string(),
    "numeric": pa.string(),
}
_EXACT: Final = frozenset(
    (
        *("smallint", "integer", "bigint", "smallserial", "serial", "bigserial", "boolean", "uuid", "bytea"),
        *("date", "time", "time without time zone", "timestamp", "timestamp without time zone"),
        *("timestamp with time zone", "text", "character", "character varying"),
    )
)
# Spellings of PostgreSQL and MySQL; the value is a core type's text where one means the same.
NATIVE_ALIASES: Final[dict[str, CoreType | NativeType]] = {
    "smallint": NativeType("smallint"),
    "int2": NativeType("smallint"),
    "int": NativeType("integer"),
    "integer": NativeType("integer"),
    "int4": NativeType("integer"),
    "bigint": NativeType("bigint"),
    "serial": NativeType("serial"),
    "bigserial": NativeType("bigserial"),
    "real": NativeType("real"),
    "float": NativeType("double precision"),
    "float4": NativeType("real"),
    "float8": NativeType("double precision"),
    "double precision": NativeType("double precision"),
    "text": NativeType("text"),
    "time": NativeType("time without time zone"),
    "timestamp": NativeType("timestamp without time zone"),
    "timestamptz": NativeType("timestamp with time zone"),
    "timestamp with time zone": NativeType("timestamp with time zone"),
    "timestamp without time zone": NativeType("timestamp without time zone"),
    "time without time zone": NativeType("time without time zone"),
    "interval": NativeType("interval"),
    "numeric": NativeType("numeric"),
    "boolean": CoreType("bool"),
    "jsonb": CoreType("json"),
    "bytea": CoreType("bytes"),
    "character": CoreType("char", (1,)),
    "character varying": NativeType("character varying"),
    # MySQL's spellings, found in pipelines that moved
    "tinyint": CoreType("int8"),
    "tinyint unsigned": CoreType("int16"),
    "smallint unsigned": CoreType("int32"),
    "mediumint": CoreType("int32"),
    "mediumint unsigned": CoreType("int32"),
    "int unsigned": CoreType("int64"),
    "integer unsigned": CoreType("int64"),
    "bigint unsigned": CoreType("decimal", (20, 0)),
    "double": CoreType("float64"),
    "double unsigned": CoreType("float64"),
    "float unsigned": CoreType("float32"),
    "year": CoreType("int16"),
    "tinytext": NativeType("text"),
    "mediumtext": NativeType("text"),
    "longtext": NativeType("text"),
    "tinyblob": CoreType("bytes"),
    "blob": CoreType("bytes"),
    "smallblob": CoreType("bytes"),
    "mediumblob": CoreType("bytes"),
    "longblob": CoreType("bytes"),
    "binary": CoreType("bytes"),
    "varbinary": CoreType("bytes"),
}

_NUMERIC: Final = re.compile(r"numeric\((\d+),(\d+)\)\Z")
_LENGTH: Final = re.compile(r"\(\d+(,\d+)?\)")


def sql_type(stored: StoredType) -> str:
    """The PostgreSQL type of a column; an enum's is a type of its own, named by `enum_type_name`.

    >>> sql_type(CoreType("varchar", (20,))), sql_type(CoreType("datetime", (3,)))
    ('character varying(20)', 'timestamp(3) without time zone')
    """
    match stored:
        case CoreType("datetime", args):
            return f"timestamp{_sql_args(args)} without time zone"
        case CoreType(name, args):
            return _CORE_SQL[name] + _sql_args(args)
        case NativeType(sql):
            return sql
        case EnumType():
            raise ValueError("an enum has a named type of its own")


def arrow_type(stored: StoredType) -> pa.DataType:
    """The exact Arrow type in which a column travels.

    >>> arrow_type(CoreType("decimal", (8, 3)))
    Decimal128Type(decimal128(8, 3))
    """
    match stored:
        case CoreType("decimal", (precision, scale)):
            wide = precision > 38  # noqa: PLR2004 - what 128 bits hold
            return pa.decimal256(precision, scale) if wide else pa.decimal128(precision, scale)
        case CoreType(name, _):
            return _CORE_ARROW[name]
        case EnumType():
            return pa.string()
        case NativeType(sql):
            return _native_arrow(sql)


def is_told_by_equality(stored: StoredType) -> bool:
    """Whether equal values of a type are the same value: -0.0 equals 0.0, one day equals 24 hours.

    >>> is_told_by_equality(CoreType("int32")), is_told_by_equality(CoreType("float64"))
    (True, False)
    """
    if isinstance(stored, EnumType):
        return True
    sql = sql_type(stored)
    return sql.partition("(")[0] in _EXACT or _NUMERIC.match(sql) is not None


def _native_arrow(sql: str) -> pa.DataType:
    if sql.endswith("[]"):
        return pa.list_(_native_arrow(sql.removesuffix("[]")))
    if (numeric := _NUMERIC.match(sql)) is not None:
        return arrow_type(CoreType("decimal", (int(numeric[1]), int(numeric[2]))))
    base = _LENGTH.sub("", sql)
    base = {"serial": "integer", "bigserial": "bigint"}.get(base, base)
    return _NATIVE_ARROW.get(base, pa.string())


def _sql_args(args: tuple[int, ...]) -> str:
    return f"({','.join(map(str, args))})" if args else ""
