"""Translated values with the kind that Polars gives them."""

import math
import struct
from dataclasses import dataclass
from typing import Any, Final

from djflow.model.table import Attribute
from djflow.model.types import CodecType, CoreType, EnumType, StoredType
from djflow.planner import scalar as s
from djflow.planner.polars_expressions.serialised import UntranslatableError

INT8: Final = CoreType("int8")
INT32: Final = CoreType("int32")
FLOAT32: Final = CoreType("float32")
STORED: Final[dict[str, StoredType]] = {
    "Int8": INT8,
    "Int16": CoreType("int16"),
    "Int32": INT32,
    "Int64": s.INT64,
    "UInt32": s.INT64,
    "Float32": FLOAT32,
    "Float64": s.FLOAT64,
    "Boolean": s.BOOL,
    "String": s.TEXT,
    "Date": s.DATE,
    "Datetime": s.DATETIME,
}
SIGNED: Final = ("Int8", "Int16", "Int32", "Int64")
INTEGERS: Final = (*SIGNED, "UInt32")
FLOATS: Final = ("Float32", "Float64")
_BOUNDS: Final = {
    **{f"Int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    "UInt32": (0, 2**32 - 1),
    # Integers that a float holds exactly, as all below them.
    "Float32": (-(2**24), 2**24),
    "Float64": (-(2**53), 2**53),
}
_KINDS: Final = {
    "int8": "Int8",
    "int16": "Int16",
    "smallint": "Int16",
    "int32": "Int32",
    "integer": "Int32",
    "serial": "Int32",
    "int64": "Int64",
    "bigint": "Int64",
    "bigserial": "Int64",
    "float32": "Float32",
    "real": "Float32",
    "float64": "Float64",
    "double precision": "Float64",
    "bool": "Boolean",
    "boolean": "Boolean",
    "date": "Date",
    "datetime": "Datetime",
    "timestamp without time zone": "Datetime",
    "char": "String",
    "varchar": "String",
    "text": "String",
    "decimal": "Decimal",
}


@dataclass(frozen=True, slots=True)
class Value:
    """A scalar and the Polars type that it stands for.

    Kinds of their own: `DynInt` and `DynFloat` are literals that take on the type beside them, `Null` the
    null of no type, and `Opaque` what only has presence: documents, bytes, codecs' values, other types.
    """

    scalar: s.Scalar
    kind: str

    @property
    def constant(self) -> Any:
        """The value of a literal. Raises `UntranslatableError` for anything else."""
        if not isinstance(self.scalar, s.Constant):
            raise UntranslatableError("not a literal")
        return self.scalar.value


def truth(scalar: s.Scalar) -> Value:
    """A condition."""
    return Value(scalar, "Boolean")


def column_value(attribute: Attribute) -> Value:
    """An attribute as it stands in Polars: labels and padded text are text."""
    column = s.Column(attribute.name, attribute.stored)
    if isinstance(attribute.type, CodecType):
        return Value(column, "Opaque")
    if isinstance(attribute.stored, EnumType):
        return Value(column, "String")
    return Value(column, _KINDS.get(s.core_name(attribute.stored) or str(attribute.stored), "Opaque"))


def stored_type(value: Value) -> StoredType:
    """The type of a value on the server."""
    return STORED.get(value.kind, s.type_of(value.scalar))


def require(value: Value, *kinds: str) -> Value:
    """The value, if it is of one of the kinds."""
    if value.kind not in kinds:
        raise UntranslatableError(value.kind)
    return value


def common_kind(left: Value, right: Value) -> str:
    """The kind to which Polars brings two values before it combines them."""
    kinds = {left.kind, right.kind}
    if "Opaque" in kinds or kinds == {"Null"}:
        raise UntranslatableError("no common kind")
    if len(kinds) == 1 and not kinds & _DYNAMIC:
        if left.kind == "Decimal" and s.type_of(left.scalar) != s.type_of(right.scalar):
            raise UntranslatableError("decimals of different scales")
        return left.kind
    if "Null" in kinds:
        (kind,) = kinds - {"Null"}
        return require(Value(left.scalar, kind), *STORED).kind
    if kinds <= _DYNAMIC:
        return "Int32" if kinds == {"DynInt"} else "Float64"
    if kinds & _DYNAMIC:
        return _adopted(*kinds - _DYNAMIC, *kinds & _DYNAMIC)
    return _common_number(kinds)


_DYNAMIC: Final = frozenset({"DynInt", "DynFloat"})


def _adopted(kind: str, dynamic: str) -> str:
    if kind in FLOATS or (kind in INTEGERS and dynamic == "DynInt"):
        return kind
    if kind in INTEGERS:
        return "Float64"
    raise UntranslatableError(f"{dynamic} beside {kind}")


def _common_number(kinds: set[str]) -> str:
    if not kinds <= {*INTEGERS, *FLOATS}:
        raise UntranslatableError(f"{kinds} have no common kind")
    if kinds.isdisjoint(FLOATS):
        return "Int64" if "UInt32" in kinds else max(kinds, key=SIGNED.index)
    return "Float32" if kinds <= {"Int8", "Int16", "Float32"} else "Float64"


def as_kind(value: Value, kind: str) -> s.Scalar:
    """The value in a kind that holds it: wider numbers, and literals that fit."""
    if value.kind == kind:
        return value.scalar
    match value.kind:
        case "Null":
            return s.Constant(None, STORED[kind])
        case "DynInt" | "DynFloat":
            return literal(value.constant, kind)
        case _:
            return _widened(value, kind)


def _widened(value: Value, kind: str) -> s.Scalar:
    rank = {**dict.fromkeys(("Int8", "Int16"), "Float32"), "Float32": "Float64"}
    widens = (
        (kind in SIGNED and value.kind in SIGNED[: SIGNED.index(kind)])
        or (kind, value.kind) == ("Int64", "UInt32")
        or (kind == "Float64" and value.kind in (*INTEGERS, "Float32"))
        or rank.get(value.kind) == kind
    )
    if not widens:
        raise UntranslatableError(f"{value.kind} as {kind}")
    return s.Cast(value.scalar, STORED[kind])


def literal(number: float, kind: str) -> s.Constant:
    """A literal that takes on a kind, if it fits there."""
    if isinstance(number, int):
        low, high = _BOUNDS[kind]
        if not low <= number <= high:
            raise UntranslatableError("a literal out of range")
        return s.Constant(float(number) if kind in FLOATS else number, STORED[kind])
    if kind not in FLOATS or not math.isfinite(number):
        raise UntranslatableError("a literal that does not fit")
    if kind == "Float32":
        number = struct.unpack("f", struct.pack("f", number))[0]
    return s.Constant(number, STORED[kind])


def narrowed(wide: s.Scalar, kind: str) -> Value:
    """A whole number, computed in 64 bits, in its own kind: too large a one is an error of the server."""
    match kind:
        case "Int64":
            return Value(wide, kind)
        case "Int8":  # kept in 16 bits there, so that it needs a check of its own
            return Value(s.Call("NARROW_INT8", (wide,), INT8), kind)
        case "Int16" | "Int32":
            return Value(s.Cast(wide, STORED[kind]), kind)
        case _:
            raise UntranslatableError("unsigned numbers wrap around")


def case(whens: tuple[tuple[s.Scalar, s.Scalar], ...], otherwise: s.Scalar | None, kind: str) -> Value:
    """A choice between values of a kind."""
    return Value(s.Case(whens, otherwise, STORED[kind]), kind)
