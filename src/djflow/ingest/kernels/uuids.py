"""UUIDs, as canonical lower-case text."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from djflow.ingest.kernels.refusal import require, wrong_kind

_CANONICAL: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_GROUPS: Final = "^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$"
_BYTES: Final = 16
_HEX: Final = np.frombuffer(bytes.hex(bytes(range(256))).encode(), np.uint8).reshape(256, 2)
# The place of each hexadecimal digit in the canonical text; hyphens stand between.
_PLACES: Final = np.array([i for i in range(36) if i not in (8, 13, 18, 23)])


def to_uuid(array: pa.Array) -> pa.Array:
    """Canonical text from the text of a UUID in any of its forms, or from its 16 bytes.

    >>> to_uuid(pa.array(["{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}"])).to_pylist()
    ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']
    """
    types = pa.types
    if types.is_string(array.type):
        return _canonical(array)
    if types.is_binary(array.type):
        require(pc.equal(pc.binary_length(array), _BYTES), "not 16 bytes long")
        return _from_bytes(pc.fill_null(array, bytes(_BYTES)).cast(pa.binary(_BYTES)), array)
    if types.is_fixed_size_binary(array.type) and array.type.byte_width == _BYTES:
        return _from_bytes(pc.fill_null(array, bytes(_BYTES)), array)
    raise wrong_kind(array, "a UUID")


def _canonical(text: pa.Array) -> pa.Array:
    if pc.all(pc.match_substring_regex(text, _CANONICAL), min_count=0).as_py() is not False:
        return text
    bare = pc.replace_substring_regex(pc.utf8_lower(pc.utf8_trim_whitespace(text)), "^urn:uuid:|[{}-]", "")
    require(pc.match_substring_regex(bare, _GROUPS), "not a UUID")
    return pc.replace_substring_regex(bare, _GROUPS, r"\1-\2-\3-\4-\5")


def _from_bytes(filled: pa.Array, original: pa.Array) -> pa.Array:
    data = np.frombuffer(filled.buffers()[1], np.uint8)[filled.offset * _BYTES :][: len(filled) * _BYTES]
    text = np.full((len(filled), 36), ord("-"), np.uint8)
    text[:, _PLACES] = _HEX[data].reshape(len(filled), 32)
    offsets = np.arange(len(filled) + 1, dtype=np.int32) * 36
    strings = pa.StringArray.from_buffers(len(filled), pa.py_buffer(offsets), pa.py_buffer(text))
    return pc.if_else(pc.is_valid(original), strings, pa.scalar(None, pa.string()))
