"""Calls of functions: names of both dialects, what each takes, and what its arguments become."""

import re
from collections.abc import Callable
from functools import cache
from typing import Final

from djflow.errors import DataTypeError, DjflowError, did_you_mean
from djflow.model.types import StoredType
from djflow.planner import scalar as s
from djflow.planner.coerce import coerce
from djflow.planner.functions import ALIKE, FUNCTIONS, common_type

Refuse = Callable[[str], DjflowError]

_ALIASES: Final = {
    "ifnull": "coalesce",
    "char_length": "length",
    "character_length": "length",
    "ucase": "upper",
    "lcase": "lower",
    "substr": "substring",
    "mid": "substring",
    "pow": "power",
    "ceiling": "ceil",
    "curdate": "current_date",
    "current_timestamp": "now",
    "localtimestamp": "now",
    "dayofmonth": "day",
    "string_agg": "group_concat",
    "every": "bool_and",
    "btrim": "trim",
}
_HINTS: Final = {
    "log": "Write ln(x) or log10(x): log(x) has another base in each database.",
    "date_format": "Compare with a date, or take its parts: year(x), month(x), day(x).",
    "to_char": "Compare with a date, or take its parts: year(x), month(x), day(x).",
    "any_value": "Write min(x), which is the same value each time.",
    "rand": "A query gives the same rows each time; draw at random from the rows fetched.",
    "random": "A query gives the same rows each time; draw at random from the rows fetched.",
    "exists": "Restrict by a query with `&` instead.",
    "age": "Write TIMESTAMPDIFF(YEAR, x, CURDATE()).",
    "timediff": "Write TIMESTAMPDIFF(SECOND, x, y).",
    "regexp_like": "Write x REGEXP 'pattern' for a pattern that LIKE can express.",
    "week": "Its rules differ between databases; write DATE_TRUNC('week', x).",
    "median": "In .aggr(), write a Polars expression: m=pl.col('x').median().",
    "any": "Write x IN (1, 2), or restrict by a query with `&`.",
    "some": "Write x IN (1, 2), or restrict by a query with `&`.",
    "all": "Write x NOT IN (1, 2), or exclude a query with `-`.",
    "extract": "Write year(x), month(x), day(x), hour(x), minute(x) or second(x).",
    "timestampdiff": "Write TIMESTAMPDIFF(SECOND, x, y), with SECOND, MINUTE, HOUR, DAY, MONTH or YEAR.",
    "date_trunc": "Write DATE_TRUNC('day', x), with second, minute, hour, day, week, month or year.",
}
_NUMBERS: Final = frozenset(
    [
        "abs",
        "ceil",
        "floor",
        "sign",
        "div",
        "round",
        "sqrt",
        "exp",
        "ln",
        "log10",
        "power",
        "sin",
        "cos",
        "tan",
        "atan2",
        "pi",
        "degrees",
        "radians",
    ]
)
_SUMS: Final = frozenset(
    ["sum", "avg", "std", "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp"]
)
_TEXTS: Final = frozenset({"lower", "upper", "trim", "length", "replace"})
_CUTS: Final = frozenset({"substring", "left", "right"})
_TRUTHS: Final = frozenset({"bool_and", "bool_or"})
_DATES: Final = frozenset(
    {"year", "month", "day", "date", "datediff", "quarter", "dayofyear", "dayofweek", "weekday"}
)
_CLOCKS: Final = frozenset({"hour", "minute", "second"})
_SEPARATED: Final = 2
# What COUNT(DISTINCT x), DATE_TRUNC('day', x) and TIMESTAMPDIFF(DAY, x, y) become.
_OWN: Final = re.compile(r"(date_trunc|timestampdiff|count)_")


def canonical(name: str) -> str:
    """The name in the allow-list of a function as written in either dialect.

    >>> canonical("IFNULL")
    'coalesce'
    """
    lowered = name.lower()
    return _ALIASES.get(lowered, lowered)


def refusal_of(name: str) -> str:
    """Why a function that is not allowed is refused, and what to write instead."""
    hint = _HINTS.get(name.lower()) or did_you_mean(name.lower(), [*known_functions(), *_ALIASES]).strip()
    return f"Function {name!r} is not allowed in an expression. {hint}".rstrip()


@cache
def known_functions() -> tuple[str, ...]:
    """The names that users' expressions may call.

    >>> [name for name in known_functions() if name.startswith("date")]
    ['date', 'datediff']
    """
    allowed = (n for n in FUNCTIONS if n[0].isalpha() and n.islower() and not _OWN.match(n))
    return tuple(sorted(allowed))


def call(name: str, args: list[s.Scalar], refuse: Refuse) -> s.Scalar:
    """A call of an allowed function, its arguments made to fit.

    `refuse` makes the error of a reason.
    """
    function = FUNCTIONS[name]
    if name == "group_concat":
        args = _concatenated(args, refuse)
    if not function.arity[0] <= len(args) <= function.arity[1]:
        raise refuse(f"Function {name!r} does not take {len(args)} arguments.")
    if function.is_aggregate and any(map(has_aggregate, args)):
        raise refuse(f"{name}() cannot summarise a summary: use .aggr() on the result of .aggr().")
    fitted = [_fitted(name, place, arg, refuse) for place, arg in enumerate(args)]
    if name in ALIKE:
        fitted = alike(fitted, refuse)
    return s.Call(name, tuple(fitted), function.result([s.type_of(arg) for arg in fitted]))


def has_aggregate(scalar: s.Scalar) -> bool:
    """Whether a summary function is part of the scalar."""
    return any(isinstance(node, s.Call) and FUNCTIONS[node.function].is_aggregate for node in s.walk(scalar))


def alike(values: list[s.Scalar], refuse: Refuse) -> list[s.Scalar]:
    """Values of one family of types; constants take the type of what stands beside them."""
    present = [v for v in values if not (isinstance(v, s.Constant) and v.value is None)] or values
    typed = [v for v in present if not isinstance(v, s.Constant)] or present
    anchor = s.type_of(typed[0])
    if any(s.family(s.type_of(value)) != s.family(anchor) for value in typed):
        kinds = ", ".join(dict.fromkeys(str(s.type_of(value)) for value in typed))
        raise refuse(f"The values are of different kinds: {kinds}. Convert them with CAST.")
    return [_as_alike(value, anchor, refuse) if isinstance(value, s.Constant) else value for value in values]


def _as_alike(value: s.Constant, anchor: StoredType, refuse: Refuse) -> s.Constant:
    if value.value is not None and s.family(value.type) == s.family(anchor):
        return value
    try:
        return s.Constant(*coerce(value.value, anchor, "the constant"))
    except DataTypeError:
        reason = f"The constant {value.value!r} is no {anchor}, as what stands beside it. Convert with CAST."
        raise refuse(reason) from None


def as_text(item: s.Scalar, refuse: Refuse) -> s.Scalar:
    """The scalar as text. Refuses bytes, whose text differs between databases."""
    type_ = s.type_of(item)
    if s.family(type_) in ("bytes", "bytea"):
        raise refuse(f"{s.show(item)} is {type_}, not text.")
    return item if s.is_text(type_) else s.Cast(item, s.TEXT)


def as_moment(item: s.Scalar, refuse: Refuse) -> s.Scalar:
    """The scalar as a date or datetime; a text is read as one."""
    if isinstance(item, s.Constant) and (item.value is None or isinstance(item.value, str)):
        return s.Constant(*coerce(item.value, s.DATETIME, "the constant"))
    if s.family(s.type_of(item)) != "time":
        raise refuse(f"{s.show(item)} is {s.type_of(item)}, not a date or datetime.")
    return item


def _fitted(name: str, place: int, arg: s.Scalar, refuse: Refuse) -> s.Scalar:
    type_ = s.type_of(arg)
    if name in _NUMBERS:
        return _number(name, arg, refuse)
    if name in _SUMS:
        return arg if type_ == s.BOOL else _number(name, arg, refuse)
    if name in _TEXTS or (name in _CUTS and place == 0):
        return as_text(arg, refuse)
    if name in _CUTS:
        return _whole(name, arg, refuse)
    if name in _TRUTHS and type_ != s.BOOL:
        raise refuse(f"{name}() takes conditions, not {type_}.")
    if name in _CLOCKS or name.startswith(("timestampdiff_", "date_trunc_")):
        moment = as_moment(arg, refuse)
        return s.Cast(moment, s.DATETIME) if s.core_name(s.type_of(moment)) == "date" else moment
    if name in _DATES:
        return as_moment(arg, refuse)
    _refuse_unordered(name, type_, refuse)
    return arg


def _number(name: str, arg: s.Scalar, refuse: Refuse) -> s.Scalar:
    if isinstance(arg, s.Constant) and arg.value is None:
        return s.Constant(None, s.FLOAT64)
    if not s.is_numeric(s.type_of(arg)):
        raise refuse(f"{name}() takes numbers, but {s.show(arg)} is {s.type_of(arg)}.")
    return arg


def _whole(name: str, arg: s.Scalar, refuse: Refuse) -> s.Scalar:
    if not s.is_integer(s.type_of(arg)):
        raise refuse(f"{name}() counts characters with whole numbers, but {s.show(arg)} is {s.type_of(arg)}.")
    return arg


def _refuse_unordered(name: str, type_: StoredType, refuse: Refuse) -> None:
    kind = s.family(type_)
    if name in ("min", "max", "greatest", "least") and kind == "json":
        raise refuse(f"{name}() needs values with an order; JSON documents have none.")
    if name in ("concat", "||", "group_concat") and kind in ("bytes", "bytea"):
        raise refuse(f"{name}() joins texts, not {type_}.")
    if name == "octet_length" and kind not in ("bytes", "bytea", "text"):
        raise refuse(f"octet_length() takes bytes or text, not {type_}.")


def _concatenated(args: list[s.Scalar], refuse: Refuse) -> list[s.Scalar]:
    """A comma is what separates by itself, and other separators are constants."""
    if len(args) != _SEPARATED:
        return args
    item, separator = args
    if not isinstance(separator, s.Constant) or not isinstance(separator.value, str):
        raise refuse("Write the separator as a text, as in GROUP_CONCAT(x SEPARATOR ';').")
    return [item] if separator.value == "," else [item, separator]


def common_of(values: list[s.Scalar]) -> StoredType:
    """The type that holds all the values."""
    return common_type([s.type_of(value) for value in values])
