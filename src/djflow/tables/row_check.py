"""Which rows of plain Python values a table certainly takes, told in microseconds."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from djflow.model.table import Attribute, Table
from djflow.model.types import CoreType

_Fits: TypeAlias = Callable[[Any], bool]

_LIMITS: Final = {f"int{bits}": 1 << (bits - 1) for bits in (8, 16, 32, 64)}
_LARGEST_FLOAT32: Final = 3.4e38


class RowCheck:
    """Says of a row whether it can be inserted as it is; of others nothing, not even that they are wrong.

    It knows numbers, booleans and plain text. What it accepts, `prepare` converts without an error.

    >>> from djflow.model.names import TableName
    >>> int16 = CoreType("int16")
    >>> table = Table(TableName("lab", "rat"), "", (Attribute("rat", int16, int16, in_key=True),))
    >>> check = RowCheck(table)
    >>> check.accepts({"rat": 7}), check.accepts({"rat": 70_000}), check.accepts({})
    (True, False, False)
    """

    def __init__(self, table: Table) -> None:
        self._fits = {a.name: fits for a in table.heading if (fits := _fits(a)) is not None}
        self._required = frozenset(a.name for a in table.heading if a.is_required and not a.nullable)
        self._nullable = frozenset(a.name for a in table.heading if a.nullable)

    def accepts(self, row: Any) -> bool:
        """Whether a row is a dict of values that the table certainly takes."""
        return type(row) is dict and self._required <= row.keys() and self._all_fit(row)

    def _all_fit(self, row: Mapping[Any, Any]) -> bool:
        for name, value in row.items():
            if value is None:
                if name not in self._nullable:
                    return False
            elif (fits := self._fits.get(name)) is None or not fits(value):
                return False
        return True


def _fits(attribute: Attribute) -> _Fits | None:
    """What accepts values of an attribute; None for types that take more than a look."""
    kind = attribute.type
    if not isinstance(kind, CoreType):
        return None
    if kind.name in _LIMITS:
        limit = _LIMITS[kind.name]
        return lambda value: type(value) is int and -limit <= value < limit
    match kind.name:
        case "float64":
            return lambda value: isinstance(value, float)
        case "float32":
            return lambda value: isinstance(value, float) and -_LARGEST_FLOAT32 < value < _LARGEST_FLOAT32
        case "bool":
            return lambda value: type(value) is bool
        case "varchar":
            longest = kind.args[0]
            return lambda value: (
                type(value) is str and len(value) <= longest and value.isascii() and "\0" not in value
            )
        case _:
            return None
