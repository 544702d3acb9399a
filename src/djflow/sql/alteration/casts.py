"""Values of one type to another: the expression, and whether all values survive whatever they are."""

import re
from typing import Final

from djflow.model.types import EnumType, StoredType, sql_type

_SIZES: Final = re.compile(r"(?P<name>[a-z ]+?)(?:\((?P<sizes>\d+(?:,\d+)?)\))?(?P<tail> [a-z ]+)?\Z")
_INTEGER_DIGITS: Final = {"smallint": 5, "integer": 10, "bigint": 19}
_EXACT_IN_FLOAT: Final = {"real": ("smallint",), "double precision": ("smallint", "integer", "real")}
_FAMILIES: Final = (
    frozenset({"smallint", "integer", "bigint", "real", "double precision", "numeric"}),
    frozenset({"character", "character varying", "text"}),
    frozenset({"date", "timestamp without time zone", "timestamp with time zone"}),
)
_SERIAL: Final = {"smallserial": "smallint", "serial": "integer", "bigserial": "bigint"}
_ANY_SCALE: Final = 6  # fractional digits of a time that says none


def physical_sql(stored: StoredType) -> str:
    """The type by its name in PostgreSQL; an enum's is the name found in the database, a serial's its base.

    >>> from djflow.model.types import CoreType, NativeType
    >>> physical_sql(CoreType("int8")), physical_sql(NativeType("serial"))
    ('smallint', 'integer')
    """
    if isinstance(stored, EnumType):
        return stored.sql_name or "text"
    name = sql_type(stored)
    return _SERIAL.get(name, name)


def cast(value: str, old: StoredType, new: str) -> str:
    """The SQL expression `value`, of type `old`, as a value of PostgreSQL's type `new`.

    What PostgreSQL does not convert directly goes by its text.

    >>> from djflow.model.types import CoreType
    >>> cast('"x"', CoreType("int32"), "bigint")
    'CAST("x" AS bigint)'
    >>> cast('"x"', CoreType("varchar", (36,)), "uuid")
    'CAST(CAST("x" AS text) AS uuid)'
    """
    before = physical_sql(old)
    base, target = _base(before), _base(new)
    if isinstance(old, EnumType) or not _is_direct(base, target):
        between = (
            "integer" if "boolean" in (base, target) and {base, target} & _INTEGER_DIGITS.keys() else "text"
        )
        return f"CAST(CAST({value} AS {between}) AS {new})"
    return f"CAST({value} AS {new})"


def is_lossless(old: StoredType, new: StoredType) -> bool:
    """Whether every value of one type is one of the other, and the same.

    >>> from djflow.model.types import CoreType
    >>> is_lossless(CoreType("int16"), CoreType("int64")), is_lossless(CoreType("int64"), CoreType("int16"))
    (True, False)
    >>> is_lossless(CoreType("decimal", (6, 2)), CoreType("decimal", (8, 3)))
    True
    """
    if isinstance(old, EnumType):
        return _keeps_labels(old, new)
    if isinstance(new, EnumType):
        return False
    if str(new) == "int8":  # which PostgreSQL stores with more room
        return str(old) == "int8"
    before, after = physical_sql(old), physical_sql(new)
    return before == after or _widens(before, after)


def is_number(stored: StoredType) -> bool:
    """Whether values of the type are numbers.

    >>> from djflow.model.types import CoreType
    >>> is_number(CoreType("decimal", (8, 3))), is_number(CoreType("bool"))
    (True, False)
    """
    return _base(physical_sql(stored)) in _FAMILIES[0]


def _keeps_labels(old: EnumType, new: StoredType) -> bool:
    if isinstance(new, EnumType):
        return set(old.labels) <= set(new.labels)
    name, sizes = _parsed(physical_sql(new))
    if name not in ("character varying", "text"):
        return False
    return not sizes or max(map(len, old.labels)) <= sizes[0]


def _widens(before: str, after: str) -> bool:
    (old, sizes), (new, room) = _parsed(before), _parsed(after)
    if new == "numeric":
        return _fits_numeric(old, sizes, room)
    if old in _INTEGER_DIGITS and new in _INTEGER_DIGITS:
        return _INTEGER_DIGITS[old] <= _INTEGER_DIGITS[new]
    if new in _EXACT_IN_FLOAT:
        return old in _EXACT_IN_FLOAT[new]
    if old == "character varying" and new in ("character varying", "text"):
        return not room or bool(sizes and sizes[0] <= room[0])
    if old.startswith("timestamp") and old == new:
        return (sizes or (_ANY_SCALE,))[0] <= (room or (_ANY_SCALE,))[0]
    return (old, new) in {("text", "character varying"), ("date", "timestamp without time zone")} and not room


def _fits_numeric(old: str, sizes: tuple[int, ...], room: tuple[int, ...]) -> bool:
    if old != "numeric" and old not in _INTEGER_DIGITS:
        return False
    if not room:
        return True
    if old == "numeric" and not sizes:
        return False
    precision, scale = sizes if old == "numeric" else (_INTEGER_DIGITS[old], 0)
    return scale <= room[1] and precision - scale <= room[0] - room[1]


def _parsed(sql: str) -> tuple[str, tuple[int, ...]]:
    found = _SIZES.match(sql)
    if found is None:
        return sql, ()
    sizes = tuple(int(size) for size in (found["sizes"] or "").split(",") if size)
    return found["name"] + (found["tail"] or ""), sizes


def _base(sql: str) -> str:
    return _parsed(sql)[0]


def _is_direct(base: str, target: str) -> bool:
    both_arrays = base.endswith("[]") and target.endswith("[]")
    return base == target or both_arrays or any({base, target} <= family for family in _FAMILIES)
