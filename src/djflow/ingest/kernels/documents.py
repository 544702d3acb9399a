"""JSON documents, as text."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from djflow.ingest.kernels.refusal import Refusal
from djflow.ingest.kernels.texts import to_text

# The escape itself, not a backslash that is escaped and followed by the same letters.
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def to_json_text(array: pa.Array) -> pa.Array:
    """JSON text from a column of text, which is taken to be JSON already, or from any other column."""
    if pa.types.is_string(array.type):
        return to_text(array)
    return documents(array.to_pylist())


def documents(values: Sequence[Any]) -> pa.Array:
    """JSON text of Python values: a str becomes a JSON string, None stays null.

    >>> documents([{"a": 1}, "b", None]).to_pylist()
    ['{"a": 1}', '"b"', None]
    """
    return pa.array([None if value is None else _dump(value) for value in values], pa.string())


def _dump(value: Any) -> str:
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, default=_plain)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Refusal(f"cannot be written as JSON ({error})") from error
    if _NUL.search(text):
        raise Refusal("contains a NUL character, which PostgreSQL's JSON cannot hold")
    return text


def _plain(value: object) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")
