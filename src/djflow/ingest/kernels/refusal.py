"""How a kernel says no."""

from collections.abc import Callable
from typing import Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

Kernel: TypeAlias = Callable[[pa.Array], pa.Array]

CAST_ERRORS: Final = (
    pa.ArrowInvalid,
    pa.ArrowNotImplementedError,
    pa.ArrowTypeError,
    OverflowError,
    ValueError,
)


class Refusal(Exception):  # noqa: N818 - not an error of its own: it becomes one once the row is known
    """Some value of an array cannot be converted. `reason` fits behind "column 'x': "."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def require(holds: pa.Array, reason: str) -> None:
    """Raise `Refusal` unless a boolean array is true wherever it is not null."""
    if pc.all(holds, min_count=0).as_py() is False:
        raise Refusal(reason)


def cast(array: pa.Array, target: pa.DataType, reason: str) -> pa.Array:
    """Cast without loss, or raise `Refusal`."""
    try:
        return array.cast(target)
    except CAST_ERRORS as error:
        raise Refusal(reason) from error


def wrong_kind(array: pa.Array, wanted: str) -> Refusal:
    """The refusal of a whole family of types, such as text for bytes."""
    return Refusal(f"{_KINDS.get(str(array.type), f'a value of type {array.type}')} is not {wanted}")


_KINDS: Final = {
    "string": "text",
    "binary": "bytes",
    "bool": "a boolean",
    "double": "a float",
    "int64": "an integer",
}
