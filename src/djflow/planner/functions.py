"""The functions that users' expressions may call: an allow-list with result types.

What is not here is refused before anything is sent: a function could write, sleep or read files.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from djflow.model.types import CoreType, StoredType
from djflow.planner.scalar import DATE, DATETIME, FLOAT64, INT64, TEXT, core_name, family, is_integer

ResultType = Callable[[Sequence[StoredType]], StoredType]


@dataclass(frozen=True, slots=True)
class Function:
    """`template` is SQL with `{0}`, `{1}` for the arguments and `{all}` for all of them.

    `defaults` are SQL for the optional arguments that a call leaves out.
    """

    template: str
    result: ResultType
    arity: tuple[int, int]
    is_aggregate: bool = False
    non_null: bool = False
    defaults: tuple[str, ...] = ()


def _fixed(type_: StoredType) -> ResultType:
    return lambda _args: type_


def _first(args: Sequence[StoredType]) -> StoredType:
    return args[0]


def _widened(args: Sequence[StoredType]) -> StoredType:
    """The type of a result that may need a digit more than the argument."""
    if is_integer(args[0]):
        return INT64
    match args[0]:
        case CoreType("decimal", (_, scale)):
            return CoreType("decimal", (38, scale))
        case type_:
            return type_


def common_type(types: Sequence[StoredType]) -> StoredType:
    """The type that holds the values of all of these, which are of one family.

    >>> str(common_type([CoreType("int32"), CoreType("decimal", (8, 3))])), str(common_type([INT64, FLOAT64]))
    ('decimal(38,3)', 'float64')
    """
    if len(set(types)) == 1:
        return types[0]
    match family(types[0]):
        case "number":
            return _common_number(types)
        case "text":
            return TEXT
        case "time" if {core_name(type_) for type_ in types} <= {"date", "datetime"}:
            return DATETIME
        case _:
            return types[0]


def _common_number(types: Sequence[StoredType]) -> StoredType:
    scales = [0 if is_integer(type_) else _scale(type_) for type_ in types]
    known = [scale for scale in scales if scale is not None]
    if len(known) < len(scales):
        return FLOAT64
    return CoreType("decimal", (38, max(known))) if any(not is_integer(type_) for type_ in types) else INT64


def _scale(type_: StoredType) -> int | None:
    match type_:
        case CoreType("decimal", (_, scale)):
            return scale
        case _:
            return None


def _total(args: Sequence[StoredType]) -> StoredType:
    """The sum of integers is an integer, of decimals a decimal of the same scale, else a float."""
    if is_integer(args[0]) or core_name(args[0]) == "bool":
        return INT64
    match args[0]:
        case CoreType("decimal", (_, scale)):
            return CoreType("decimal", (38, scale))
        case _:
            return FLOAT64


def _scalar(template: str, result: ResultType, low: int, high: int | None = None) -> Function:
    return Function(template, result, (low, low if high is None else high))


def _aggregate(template: str, result: ResultType, *, non_null: bool = False) -> Function:
    return Function(template, result, (1, 1), is_aggregate=True, non_null=non_null)


def _part(field: str) -> Function:
    return _scalar(f"extract({field} from {{0}})::bigint", _fixed(INT64), 1)


_CLOCK: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_CALENDAR: Final = {"month": 1, "quarter": 3, "year": 12}


def _elapsed(seconds: int) -> Function:
    """Complete units from the first moment to the second."""
    span = "extract(epoch from ({1}::timestamp - {0}::timestamp))"
    return _scalar(f"div({span}, {seconds})::bigint", _fixed(INT64), 2)


def _elapsed_months(months: int) -> Function:
    span = "age({1}::timestamp, {0}::timestamp)"
    count = f"extract(year from {span}) * 12 + extract(month from {span})"
    return _scalar(f"div({count}, {months})::bigint", _fixed(INT64), 2)


_MANY: Final = 100

# Names that begin with an underscore are the planner's own: users' expressions cannot call them.
FUNCTIONS: Final[dict[str, Function]] = {
    # aggregates
    "count": Function("count({all})", _fixed(INT64), (0, 1), is_aggregate=True, non_null=True),
    "count_distinct": _aggregate("count(distinct {0})", _fixed(INT64), non_null=True),
    "sum": _aggregate("sum({0})", _total),
    "avg": _aggregate("avg({0}::double precision)", _fixed(FLOAT64)),
    "min": _aggregate("min({0})", _first),
    "max": _aggregate("max({0})", _first),
    "std": _aggregate("stddev_pop({0})", _fixed(FLOAT64)),
    "stddev": _aggregate("stddev_samp({0})", _fixed(FLOAT64)),
    "stddev_pop": _aggregate("stddev_pop({0})", _fixed(FLOAT64)),
    "stddev_samp": _aggregate("stddev_samp({0})", _fixed(FLOAT64)),
    "variance": _aggregate("var_samp({0})", _fixed(FLOAT64)),
    "var_pop": _aggregate("var_pop({0})", _fixed(FLOAT64)),
    "var_samp": _aggregate("var_samp({0})", _fixed(FLOAT64)),
    "bool_and": _aggregate("bool_and({0})", _first),
    "bool_or": _aggregate("bool_or({0})", _first),
    "group_concat": Function(
        "string_agg({0}::text, {1} order by {0})", _fixed(TEXT), (1, 2), is_aggregate=True, defaults=("','",)
    ),
    # numbers
    "abs": _scalar("abs({0})", _widened, 1),
    "ceil": _scalar("ceil({0})", _widened, 1),
    "floor": _scalar("floor({0})", _widened, 1),
    "sign": _scalar("sign({0})", _widened, 1),
    "mod": _scalar("mod({0}, {1})", _first, 2),
    "div": _scalar("div({0}::numeric, {1}::numeric)::bigint", _fixed(INT64), 2),
    "round": Function("round({0}::numeric, {1}::integer)", _widened, (1, 2), defaults=("0",)),
    "sqrt": _scalar("sqrt({0}::double precision)", _fixed(FLOAT64), 1),
    "exp": _scalar("exp({0}::double precision)", _fixed(FLOAT64), 1),
    "ln": _scalar("ln({0}::double precision)", _fixed(FLOAT64), 1),
    "log10": _scalar("log(10::numeric, {0}::numeric)::double precision", _fixed(FLOAT64), 1),
    "power": _scalar("power({0}::double precision, {1}::double precision)", _fixed(FLOAT64), 2),
    "sin": _scalar("sin({0}::double precision)", _fixed(FLOAT64), 1),
    "cos": _scalar("cos({0}::double precision)", _fixed(FLOAT64), 1),
    "tan": _scalar("tan({0}::double precision)", _fixed(FLOAT64), 1),
    "degrees": _scalar("degrees({0}::double precision)", _fixed(FLOAT64), 1),
    "radians": _scalar("radians({0}::double precision)", _fixed(FLOAT64), 1),
    "pi": Function("pi()", _fixed(FLOAT64), (0, 0), non_null=True),
    "atan2": _scalar("atan2({0}::double precision, {1}::double precision)", _fixed(FLOAT64), 2),
    "greatest": _scalar("greatest({all})", common_type, 1, _MANY),
    "least": _scalar("least({all})", common_type, 1, _MANY),
    # absence
    "coalesce": _scalar("coalesce({all})", common_type, 1, _MANY),
    "_zero_if_null": _scalar("coalesce({0}, 0)", _first, 1),
    "_ratio": _scalar("({0} / nullif({1}, 0)::double precision)", _fixed(FLOAT64), 2),
    "_one_if_null": _scalar("coalesce({0}, 1)", _first, 1),
    "nullif": _scalar("nullif({0}, {1})", _first, 2),
    # text
    "lower": _scalar("lower({0})", _fixed(TEXT), 1),
    "upper": _scalar("upper({0})", _fixed(TEXT), 1),
    "trim": _scalar("btrim({0})", _fixed(TEXT), 1),
    "length": _scalar("length({0})::bigint", _fixed(INT64), 1),
    "substring": Function(
        "substr({0}, {1}::integer, {2}::integer)", _fixed(TEXT), (2, 3), defaults=("2147483647",)
    ),
    "left": _scalar("left({0}, {1}::integer)", _fixed(TEXT), 2),
    "right": _scalar("right({0}, {1}::integer)", _fixed(TEXT), 2),
    "replace": _scalar("replace({0}, {1}, {2})", _fixed(TEXT), 3),
    "||": _scalar("({0} || {1})", _fixed(TEXT), 2),  # null if a side is, unlike concat
    "concat": _scalar("concat({all})", _fixed(TEXT), 1, _MANY),
    # time
    "year": _part("year"),
    "month": _part("month"),
    "day": _part("day"),
    "hour": _part("hour"),
    "minute": _part("minute"),
    "second": _scalar("floor(extract(second from {0}))::bigint", _fixed(INT64), 1),
    "quarter": _part("quarter"),
    "dayofyear": _part("doy"),
    "dayofweek": _scalar("(extract(dow from {0}) + 1)::bigint", _fixed(INT64), 1),  # Sunday is 1
    "weekday": _scalar("(extract(isodow from {0}) - 1)::bigint", _fixed(INT64), 1),  # Monday is 0
    "date": _scalar("({0})::date", _fixed(DATE), 1),
    "datediff": _scalar("(({0})::date - ({1})::date)::bigint", _fixed(INT64), 2),
    **{f"timestampdiff_{unit}": _elapsed(seconds) for unit, seconds in _CLOCK.items()},
    **{f"timestampdiff_{unit}": _elapsed_months(months) for unit, months in _CALENDAR.items()},
    **{
        f"date_trunc_{unit}": _scalar(f"date_trunc('{unit}', {{0}}::timestamp)", _fixed(DATETIME), 1)
        for unit in ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
    },
    "_add_months": _scalar("({0} + make_interval(months => {1}::integer))", _first, 2),
    "_add_days": _scalar("({0} + make_interval(days => {1}::integer))", _first, 2),
    "_add_seconds": _scalar("({0} + make_interval(secs => {1}::double precision))", _first, 2),
    "now": Function("localtimestamp", _fixed(DATETIME), (0, 0), non_null=True),
    "current_date": Function("current_date", _fixed(DATE), (0, 0), non_null=True),
    # bytes
    "octet_length": _scalar("octet_length({0})::bigint", _fixed(INT64), 1),
    # Of Polars expressions alone: names in users' strings are lower case, so that none of them reaches these.
    "BYTEWISE": _scalar('({0} COLLATE "C")', _fixed(TEXT), 1),
    "FLOOR_DIV": _scalar(
        "({0} / nullif({1}, 0) - (({0} % nullif({1}, 0) <> 0) AND (({0} < 0) <> ({1} < 0)))::integer)",
        _fixed(INT64),
        2,
    ),
    "FLOOR_MOD": _scalar(
        "({0} % nullif({1}, 0) + (({0} % nullif({1}, 0) <> 0) AND (({0} < 0) <> ({1} < 0)))::integer * {1})",
        _fixed(INT64),
        2,
    ),
    # 8 bits travel as 16: what does not fit 8 overflows 16 on the way.
    "NARROW_INT8": _scalar("({0}::smallint * 256::smallint / 256::smallint)", _fixed(CoreType("int8")), 1),
    "RINT": _scalar("round({0}::double precision)", _first, 1),
    # The year before year 1 is 0, as in the ISO calendar.
    "YEAR": _scalar("(extract(year from {0}) + (extract(year from {0}) < 0)::integer)", _fixed(INT64), 1),
    "QUARTER": _part("quarter"),
    "WEEK": _part("week"),
    "WEEKDAY": _part("isodow"),
    "ORDINAL_DAY": _part("doy"),
}

# Their arguments are of one family, and constants among them are made to fit.
ALIKE: Final = frozenset({"greatest", "least", "coalesce", "nullif"})
