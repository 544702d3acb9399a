"""A fingerprint of what `make_fetch` returned, to see whether it returns the same once more."""

import pickle
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np

_LENGTH = 16  # bytes


def fingerprint(value: Any) -> bytes:
    """The same for equal values: arrays by type, shape and elements, frames by rows, the rest by pickle.

    >>> fingerprint((1, [2.5, "a"])) == fingerprint((1, [2.5, "a"]))
    True
    >>> fingerprint({"a": np.arange(3)}) == fingerprint({"a": np.arange(3.0)})
    False
    """
    digest = blake2b(digest_size=_LENGTH)
    digest.update(_bytes_of(value))
    return digest.digest()


def _bytes_of(value: Any) -> bytes:
    match value:
        case Mapping():
            parts = [fingerprint(name) + fingerprint(each) for name, each in value.items()]
            return _joined("mapping", parts)
        case list() | tuple():
            return _joined(type(value).__name__, [fingerprint(each) for each in value])
        case set() | frozenset():
            return _joined("set", sorted(fingerprint(each) for each in value))
        case np.ndarray() if value.dtype.hasobject:
            return _joined(f"objects {value.shape}", [fingerprint(value.tolist())])
        case np.ndarray():
            return _joined(f"array {value.dtype.descr} {value.shape}", [value.tobytes()])
        case _:
            return _of_object(value)


def _of_object(value: Any) -> bytes:
    if hasattr(value, "to_json") and hasattr(value, "verify"):  # a lazy reference to a stored object
        return _joined("object", [repr(sorted(value.to_json().items())).encode()])
    if hasattr(value, "__arrow_c_stream__"):
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        table = pa.table(value)
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table.combine_chunks())
        return _joined("rows", [bytes(sink.getvalue())])
    return _joined("pickled", [pickle.dumps(value)])


def _joined(kind: str, parts: list[bytes]) -> bytes:
    return b"%d %s %s" % (len(parts), kind.encode(), b"".join(parts))
