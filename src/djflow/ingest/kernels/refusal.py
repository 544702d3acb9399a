"""How a kernel says no."""

from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

T = TypeVar("T")
Kernel: TypeAlias = Callable[[pa.Array], pa.Array]
Telling: TypeAlias = Callable[[pa.Array], pa.Array]
"""Says of each value, in a boolean array, whether it can be converted at all; null where nobody knows."""

CAST_ERRORS: Final = (
    pa.ArrowInvalid,
    pa.ArrowNotImplementedError,
    pa.ArrowTypeError,
    OverflowError,
    ValueError,
)


class Refusal(Exception):  # noqa: N818 - not an error of its own: it becomes one once the row is known
    """Some value of an array cannot be converted. `reason` fits behind "column 'x': ".

    `refused` is a boolean array, true for values which are refused for this reason; others may be, too.
    None where no value can be told apart.
    """

    reason: str
    refused: pa.Array | None

    def __init__(self, reason: str, refused: pa.Array | None = None) -> None:
        self.reason, self.refused = reason, refused
        super().__init__(reason)


def require(holds: pa.Array, reason: str) -> None:
    """Raise `Refusal` unless a boolean array is true wherever it is not null."""
    if pc.all(holds, min_count=0).as_py() is False:
        raise Refusal(reason, _not(holds))


def cast(array: pa.Array, target: pa.DataType, reason: str, can_be: Telling | None = None) -> pa.Array:
    """Cast without loss, or raise `Refusal`, which names the values that `can_be` knows to be impossible."""
    try:
        return array.cast(target)
    except CAST_ERRORS as error:
        raise Refusal(reason, None if can_be is None else _not(can_be(array))) from error


def can_be_number(text: pa.Array) -> pa.Array:
    """Whether texts begin as numbers do."""
    return pc.match_substring_regex(text, r"^[+-]?(\d|\.\d|inf|nan)", ignore_case=True)


def wrong_kind(array: pa.Array, wanted: str) -> Refusal:
    """The refusal of a whole family of types, such as text for bytes."""
    kind = _KINDS.get(str(array.type), f"a value of type {array.type}")
    # Nulls are of no kind, but an array of nothing else is refused for its type.
    refused = array.is_valid() if array.null_count < len(array) else array.is_null()
    return Refusal(f"{kind} is not {wanted}", refused)


def _not(holds: pa.Array) -> pa.Array:
    return pc.invert(pc.fill_null(holds, fill_value=True))


_KINDS: Final = {
    "string": "text",
    "binary": "bytes",
    "bool": "a boolean",
    "double": "a float",
    "int64": "an integer",
}


def of_elements(convert: Callable[[T], pa.Array]) -> Callable[[T], pa.Array]:
    """The conversion of the elements of lists, whose refusals name no list."""

    def converted(values: T) -> pa.Array:
        try:
            return convert(values)
        except Refusal as refusal:
            raise Refusal(refusal.reason) from refusal

    return converted
