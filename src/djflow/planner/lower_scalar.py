"""Scalars become SQL fragments; constants become parameters."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, assert_never

from djflow.model.types import CoreType, EnumType, StoredType
from djflow.planner import scalar as s
from djflow.planner.functions import FUNCTIONS, common_type
from djflow.planner.parameters import cast_name
from djflow.sql.identifiers import literal

if TYPE_CHECKING:
    from djflow.planner.parameters import Parameters


class MatchLowering(Protocol):
    """How a scalar asks another relation; given by the lowering of plans."""

    def __call__(self, matches: s.Matches, columns: Mapping[str, str]) -> str:
        """The EXISTS fragment."""
        ...


class EnumColumn(str):
    """The fragment of a column that is of an enum type in the database, as opposed to a label as text."""

    __slots__ = ("type",)
    type: EnumType

    def __new__(cls, fragment: str, type_: EnumType) -> Self:
        """A fragment with the type, whose name is known."""
        column = super().__new__(cls, fragment)
        column.type = type_
        return column


def label_of(fragment: str, value: Any) -> str:
    r"""A label in the type of an enum column, or nothing where the fragment is none.

    Comparing in that type keeps indexes and the column's statistics of use. A label is a name of the
    schema, like a column's; no text of a user's gets here.

    >>> label_of(EnumColumn('t1."sex"', EnumType(("M", "F"), '"lab"."enum_1"')), "M")
    '\'M\'::"lab"."enum_1"'
    """
    if not isinstance(fragment, EnumColumn) or value not in fragment.type.labels:
        return ""
    known = fragment.type.labels[fragment.type.labels.index(value)]
    return f"{literal(known)}::{fragment.type.sql_name}"


def lower_scalar(
    scalar: s.Scalar, columns: Mapping[str, str], params: "Parameters", match_lowering: MatchLowering
) -> str:
    """The SQL fragment of a scalar over named column fragments."""

    def lower(inner: s.Scalar) -> str:
        return lower_scalar(inner, columns, params, match_lowering)

    def operand(inner: s.Scalar) -> str:
        return f"({lower(inner)})" if is_loose(inner) else lower(inner)

    def branch(inner: s.Scalar, type_: StoredType) -> str:
        return _as_wide(operand(inner), s.type_of(inner), type_)

    match scalar:
        case s.Column(name, type_):
            return f"{columns[name]}::text" if _is_padded_or_label(type_) else columns[name]
        case s.Constant(value, type_):
            return f"NULL::{cast_name(type_)}" if value is None else params.add(value, type_)
        case s.Compare("=" | "<>" as op, s.Column(name), s.Constant(value, EnumType())) if own := label_of(
            columns[name], value
        ):
            return f"{columns[name]} {op} {own}"
        case s.InList(s.Column(name), values, EnumType()) if all(
            labels := [label_of(columns[name], value) for value in values]
        ):
            return f"{columns[name]} IN ({', '.join(labels)})"
        case s.Compare(op, left, right):
            return f"{operand(left)} {op} {operand(right)}"
        case s.And(items):
            return f"({' AND '.join(map(lower, items))})" if items else "TRUE"
        case s.Or(items):
            return f"({' OR '.join(map(lower, items))})" if items else "FALSE"
        case s.Not(s.IsNull(item)):
            return f"({operand(item)} IS NOT NULL)"
        case s.Not(item):
            return f"(NOT {operand(item)})"
        case s.IsTrue(item):
            return f"({operand(item)} IS TRUE)"
        case s.IsNull(item):
            return f"({operand(item)} IS NULL)"
        case s.InList(item, values, type_):
            return f"{operand(item)} = ANY({params.add_list(values, type_)})"
        case s.Like(item, pattern, ignore_case):
            return f"{lower(item)} {'ILIKE' if ignore_case else 'LIKE'} {lower(pattern)}"
        case s.Case(whens, otherwise, type_):
            pairs = " ".join(f"WHEN {lower(when)} THEN {branch(then, type_)}" for when, then in whens)
            rest = "" if otherwise is None else f" ELSE {branch(otherwise, type_)}"
            return f"(CASE {pairs}{rest} END)::{cast_name(type_)}"
        case s.Cast(item, type_):
            return f"({lower(item)})::{cast_name(type_)}"
        case s.JsonPath(item, path, type_):
            return _json_path(lower(item), [params.add(key, s.TEXT) for key in path], type_)
        case s.Arithmetic():
            return _arithmetic(scalar, lower(scalar.left), lower(scalar.right))
        case s.Call():
            return _call(scalar, [operand(arg) for arg in scalar.args])
        case s.Matches():
            return match_lowering(scalar, columns)
        case _ as never:
            assert_never(never)


def _json_path(document: str, keys: list[str], type_: StoredType) -> str:
    where = ", ".join([document, *keys])
    text = f"jsonb_extract_path_text({where})"
    if type_ != s.FLOAT64:
        return text
    # What is not a number equals none: a cast alone would fail on the first text.
    return (
        f"(CASE WHEN jsonb_typeof(jsonb_extract_path({where})) = 'number' THEN {text}::double precision END)"
    )


def is_loose(scalar: s.Scalar) -> bool:
    """Whether the fragment of a scalar needs parentheses beside another operator."""
    return isinstance(scalar, s.Compare | s.InList | s.Like)


def _is_padded_or_label(type_: StoredType) -> bool:
    """Types whose own operators see more than the text: blanks at the end, or a type for each schema."""
    return isinstance(type_, EnumType) or s.core_name(type_) == "char"


def _arithmetic(scalar: s.Arithmetic, left: str, right: str) -> str:
    match scalar.op, scalar.type:
        case "/", _:
            return f"({left}::double precision / {right})"
        case "%", CoreType("int64"):
            return f"({left}::bigint % {right})"
        case "%", type_:
            return f"mod({left}::numeric, {right}::numeric)::{cast_name(type_)}"
        case op, CoreType("date"):
            return f"({left} {op} {right}::integer)"
        case "-", CoreType("int64") if s.core_name(s.type_of(scalar.left)) == "date":
            return f"({left} - {right})::bigint"
        case op, CoreType("decimal"):
            return f"({left}::numeric {op} {right}::numeric)"
        case op, type_:
            return f"({left}::{cast_name(type_)} {op} {right})"


def _call(scalar: s.Call, args: list[str]) -> str:
    function = FUNCTIONS[scalar.function]
    args = [_fitted(scalar, s.type_of(arg), text) for arg, text in zip(scalar.args, args, strict=True)]
    filled = [*args, *function.defaults[len(args) - function.arity[0] :]]
    text = function.template.format(*filled, all=", ".join(args) or "*")
    return f"{text}::{cast_name(scalar.type)}"


def _fitted(call: s.Call, type_: StoredType, fragment: str) -> str:
    """An argument in a type for which the server has the function, and that loses no digits."""
    kind = s.core_name(type_)
    if FUNCTIONS[call.function].result is common_type:
        return _as_wide(fragment, type_, call.type)
    if kind == "uuid" and call.function in ("min", "max"):
        return f"{fragment}::text"
    if call.function in _EXACT and s.is_integer(type_):
        return f"{fragment}::numeric"
    if kind == "bool" and FUNCTIONS[call.function].is_aggregate and call.function not in _OF_TRUTHS:
        return f"{fragment}::integer"
    return f"{fragment}::double precision" if kind == "float32" and call.function == "sum" else fragment


def _as_wide(fragment: str, type_: StoredType, wide: StoredType) -> str:
    """A number in the type of the numbers beside it: left to itself, the server may choose a narrower one."""
    return f"{fragment}::{cast_name(wide)}" if type_ != wide and s.is_numeric(wide) else fragment


# The server would compute these of a large integer as a double, or overflow.
_EXACT: Final = frozenset({"abs", "ceil", "floor", "sign"})
_OF_TRUTHS: Final = frozenset({"count", "count_distinct", "bool_and", "bool_or", "group_concat"})
