"""JSON documents, as text."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from djflow.ingest.kernels.refusal import Refusal
from djflow.ingest.kernels.texts import to_text

# The escape itself, not a backslash that is escaped and followed by the same letters.
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_NUL_REASON: Final = "contains a NUL character, which PostgreSQL's JSON cannot hold"
_SPACE: Final = " \t\n\r"


def to_json_text(array: pa.Array) -> pa.Array:
    """JSON text from a column of text, which is taken to be JSON already, or from any other column."""
    if not pa.types.is_string(array.type):
        return documents(array.to_pylist())
    text = to_text(array)
    _require_json(text)
    return text


def _require_json(text: pa.Array) -> None:
    import polars as pl

    # Polars takes a part of what PostgreSQL takes, but for NUL: the few that are left are read slowly.
    taken = pl.Series(text).str.json_path_match("$").is_not_null().to_numpy()
    doubted = ~taken | pc.match_substring(text, "\\u0000").fill_null(fill_value=False).to_numpy(
        zero_copy_only=False
    )
    rows = np.flatnonzero(doubted & text.is_valid().to_numpy(zero_copy_only=False))
    reasons = {row: reason for row in rows if (reason := _fault_of(text[row].as_py()))}
    for reason in dict.fromkeys(reasons.values()):
        refused = np.zeros(len(text), bool)
        refused[[row for row, other in reasons.items() if other == reason]] = True
        raise Refusal(reason, pa.array(refused))


def _fault_of(text: str) -> str:
    """Why PostgreSQL would not take a text as JSON, or nothing."""
    if text.strip(_SPACE) == "null":
        return ""
    try:
        document = json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return "not valid JSON"
    return _NUL_REASON if _NUL.search(text) else ""


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


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
        raise Refusal(_NUL_REASON)
    return text


def _plain(value: object) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")
