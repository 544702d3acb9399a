"""`<hash@>`: contents that rows share."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from djflow.errors import CorruptObjectError
from djflow.model.types import CodecType
from djflow.storage.codec import codec_for
from djflow.storage.handles.checksums import verify_object
from djflow.testing.codecs import column_context
from djflow.testing.stores import MemoryStore

TYPE = CodecType("hash", "main")


def test_contents_lie_where_they_are_told_to() -> None:
    store, asked = MemoryStore("main"), []

    def share(name: str, paths: Sequence[str]) -> Sequence[str]:
        asked.append((name, len(paths), len(store.files)))
        return [f"{path}-2" for path in paths]

    context = replace(column_context(TYPE, store, rows=3), share=share)
    column = codec_for(TYPE).encode_column([b"a", b"b", b"a"], context)
    references = [json.loads(text) for text in column.to_pylist()]
    assert asked == [("main", 2, 0)]
    assert {each["path"] for each in references} == set(store.files)
    assert all(path.endswith("-2") for path in store.files)
    assert codec_for(TYPE).decode_column(column, context) == [b"a", b"b", b"a"]


def test_the_hash_tells_a_changed_content() -> None:
    store = MemoryStore("main")
    context = column_context(TYPE, store, rows=1)
    (text,) = codec_for(TYPE).encode_column([b"abc"], context).to_pylist()
    reference = json.loads(text)
    verify_object(store, reference)
    store.put(reference["path"], b"abd")
    with pytest.raises(CorruptObjectError, match="hash"):
        verify_object(store, reference)
