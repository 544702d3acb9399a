"""Conversions that users ask for: those that both the server and the evaluator of tests know."""

from typing import TYPE_CHECKING, Final

from djflow.model.types import CoreType, StoredType
from djflow.planner import scalar as s
from djflow.planner.calls import Refuse
from djflow.planner.coerce import coerce

if TYPE_CHECKING:
    from sqlglot import exp

_TARGETS: Final[dict[str, StoredType]] = {
    "INT": CoreType("int32"),
    "BIGINT": s.INT64,
    "SMALLINT": CoreType("int16"),
    "SIGNED": s.INT64,
    "DOUBLE": s.FLOAT64,
    "FLOAT": CoreType("float32"),
    "TEXT": s.TEXT,
    "VARCHAR": s.TEXT,
    "CHAR": s.TEXT,
    "DATE": s.DATE,
    "TIMESTAMP": s.DATETIME,
    "DATETIME": s.DATETIME,
    "BOOLEAN": s.BOOL,
}
# From which families each kind of type can be made.
_SOURCES: Final = {
    "number": ("number", "text"),
    "text": ("number", "text", "time", "bool", "uuid", "json"),
    "time": ("time", "text"),
    "bool": ("bool", "text"),
}
_DIGITS: Final = 38


def cast(item: s.Scalar, to: "exp.DataType", refuse: Refuse) -> s.Scalar:
    """The item converted to the type that the user wrote."""
    target = _target(to, refuse)
    source = s.type_of(item)
    if isinstance(item, s.Constant) and (item.value is None or isinstance(item.value, str)):
        return _constant(item, target, refuse)
    if s.family(source) == "bool" and s.is_integer(target):
        return s.Cast(s.Cast(item, CoreType("int32")), target)  # the only number that a truth becomes
    if s.family(source) == "number" and target == s.BOOL:
        return s.Compare("<>", item, s.Constant(0, s.INT64))
    if s.family(source) not in _SOURCES[s.family(target)]:
        raise refuse(f"{source} cannot be made {target}.")
    return s.Cast(item, target)


def _target(to: "exp.DataType", refuse: Refuse) -> StoredType:
    written = to.sql()
    name = written.partition("(")[0].strip().upper()
    sizes = [part.name for part in to.expressions]
    if name in ("DECIMAL", "NUMERIC"):
        return _decimal(sizes, refuse)
    target = _TARGETS.get(name)
    if target is None or sizes:
        raise refuse(f"No cast to {written}; known: {', '.join(sorted(_TARGETS))}, DECIMAL(10,2).")
    return target


def _decimal(sizes: list[str], refuse: Refuse) -> StoredType:
    digits = [int(size) for size in sizes if size.isdecimal()]
    match digits:
        case [precision, scale] if 0 < precision <= _DIGITS and scale <= precision:
            return CoreType("decimal", (precision, scale))
        case [precision] if len(sizes) == 1 and 0 < precision <= _DIGITS:
            return CoreType("decimal", (precision, 0))
    raise refuse("Give the digits in all and after the point, at most 38, as in DECIMAL(10,2).")


def _constant(item: s.Constant, target: StoredType, refuse: Refuse) -> s.Scalar:
    """A text read as the type now, so that what is none is refused here and not by the server."""
    value, type_ = coerce(item.value, target, "the constant")
    if s.is_integer(target) and not s.is_integer(type_):
        raise refuse(f"{item.value!r} is not a whole number.")
    return s.Constant(value, type_ if type_ == s.DATETIME and target == s.DATE else target)
