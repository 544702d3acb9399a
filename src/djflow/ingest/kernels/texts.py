"""Text, limited text and labels."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from djflow.ingest.kernels.refusal import Refusal, require, wrong_kind


def to_text(array: pa.Array) -> pa.Array:
    """Text from text, and from integers by their digits. NUL is refused: PostgreSQL has no place for it."""
    if pa.types.is_integer(array.type):
        return array.cast(pa.string())
    if not pa.types.is_string(array.type):
        raise wrong_kind(array, "text")
    if _has_nul(array):
        reason = "contains a NUL character, which PostgreSQL's text cannot hold"
        raise Refusal(reason, pc.match_substring(array, "\0").fill_null(fill_value=False))
    return array


def to_native_text(array: pa.Array) -> pa.Array:
    """The text, for PostgreSQL to parse, of any scalar of a type that djflow does not know."""
    if pa.types.is_nested(array.type) or pa.types.is_binary(array.type):
        raise wrong_kind(array, "the text of a value")
    return to_text(array.cast(pa.string()))


def to_limited_text(array: pa.Array, limit: int) -> pa.Array:
    """Text of at most `limit` characters."""
    text = to_text(array)
    longest = pc.max(pc.binary_length(text)).as_py() or 0
    if longest > limit:
        require(pc.less_equal(pc.utf8_length(text), limit), f"longer than {limit} characters")
    return text


def to_label(array: pa.Array, labels: Sequence[str]) -> pa.Array:
    """Labels of an enum, told apart by case."""
    if not pa.types.is_string(array.type):
        raise wrong_kind(array, "a label")
    place = pc.index_in(array, pa.array(labels, pa.string()))
    require(pc.or_(place.is_valid(), array.is_null()), "not one of the labels")
    return array


def _has_nul(text: pa.Array) -> bool:
    """Whether any byte is zero: one look at the buffer instead of one at each value."""
    _, offsets, data = text.buffers()
    if data is None or not len(text):
        return False
    ends = np.frombuffer(offsets, np.int32)[text.offset : text.offset + len(text) + 1]
    return not np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].all()
