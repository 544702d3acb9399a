"""Arrays that come block by block."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from djflow.errors import DataTypeError, SerializationError
from djflow.model.types import CodecType
from djflow.storage.chunks import Chunks, in_rows
from djflow.storage.codec import codec_for
from djflow.storage.handles.checksums import verify_object
from djflow.storage.store import Store
from djflow.testing.codecs import column_context
from djflow.testing.stores import MemoryStore

CODECS = ["zarr", "npy"]


def stored(name: str, value: Any, store: Store) -> Any:
    kind = CodecType(name, "main")
    column = codec_for(kind).encode_column([None, value], column_context(kind, store, rows=2))
    verify_object(store, json.loads(column[1].as_py()))
    return codec_for(kind).decode_column(column, column_context(kind, store))[1]


def refused(name: str, value: Any) -> DataTypeError:
    with pytest.raises(DataTypeError) as caught:
        stored(name, value, MemoryStore("main"))
    assert (caught.value.row, caught.value.column) == (1, "value")
    return caught.value


def reused() -> Iterator[np.ndarray[Any, Any]]:
    """Blocks that are one array, filled anew, as instruments do."""
    buffer = np.empty((3, 2), "u2")
    for number in range(5):
        buffer[:] = number
        yield buffer


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("shape", [None, (None, 2), (15, 2)])
def test_blocks_become_one_array(name: str, shape: tuple[int | None, ...] | None) -> None:
    array = stored(name, Chunks(reused(), shape, chunks=(4, 2)), MemoryStore("main"))
    assert (array.shape, array.dtype) == ((15, 2), np.dtype("u2"))
    assert np.asarray(array[:])[:, 0].tolist() == [row // 3 for row in range(15)]


@pytest.mark.parametrize("name", CODECS)
def test_no_block_is_an_empty_array_of_the_given_type(name: str) -> None:
    array = stored(name, Chunks([], (None, 3), "f4"), MemoryStore("main"))
    assert (array.shape, array.dtype) == ((0, 3), np.dtype("f4"))


@pytest.mark.parametrize("name", CODECS)
def test_blocks_are_cast_to_the_given_type_if_nothing_is_lost_but_precision(name: str) -> None:
    array = stored(name, Chunks([np.arange(3)], dtype="f4"), MemoryStore("main"))
    assert array.dtype == np.dtype("f4")
    assert "not cast to" in str(refused(name, Chunks([np.arange(3.0)], dtype="i4")))


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Chunks([np.zeros((2, 3)), np.zeros((2, 4))]), r"block 1 has shape (2, 4), not (n, 3)"),
        (Chunks([np.zeros(2), np.float64(1)]), "block 1 has shape (), not (n)"),
        (Chunks([np.zeros(2)], (3,)), "the blocks have 2 rows and their shape tells 3"),
        (Chunks([np.zeros(2), np.zeros(2)], (3,)), "more than the 3 rows"),
        (Chunks(iter([])), "there is no block"),
        (Chunks([np.array(["text", None])], dtype=object), "Python objects"),
        (Chunks(5), "an iterable of arrays, not int"),  # type: ignore[arg-type]
        (Chunks([], (2, None), "f4"), "only the first extent"),
        (Chunks([], (), "f4"), "only the first extent"),
    ],
)
def test_what_cannot_be_an_array_is_refused_with_its_row(name: str, value: Chunks, reason: str) -> None:
    if name == "zarr" and "objects" in reason:
        reason = "numbers and booleans"
    assert reason in str(refused(name, value))


@pytest.mark.parametrize("name", CODECS)
def test_an_error_of_the_iterator_is_told_with_its_block(name: str) -> None:
    def blocks() -> Iterator[Any]:
        yield np.zeros(2)
        raise RuntimeError("the camera is off")

    error = refused(name, Chunks(blocks()))
    assert "the iterator of blocks failed at block 1: RuntimeError('the camera is off')" in str(error)
    assert isinstance(error.__cause__, ValueError)
    assert isinstance(error.__cause__.__cause__, RuntimeError)


def test_an_error_that_is_typed_already_stays_as_it_is() -> None:
    def blocks() -> Iterator[Any]:
        yield np.zeros(2)
        raise SerializationError("try again")

    with pytest.raises(SerializationError) as caught:
        stored("zarr", Chunks(blocks()), MemoryStore("main"))
    assert "at block 1" in caught.value.__notes__[0]


def test_a_group_may_have_members_that_come_in_blocks() -> None:
    group = stored("zarr", {"a": Chunks([np.arange(2), np.arange(3)])}, MemoryStore("main"))
    assert group["a"][:].tolist() == [0, 1, 0, 1, 2]


def test_an_array_is_never_in_memory_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from djflow.storage.codecs import zarr_write

    monkeypatch.setattr(zarr_write, "_COPY_BYTES", 64)
    alive, most = set[int](), [0]

    class Block(np.ndarray[Any, Any]):
        def __del__(self) -> None:
            alive.discard(id(self))

    def blocks() -> Iterator[Any]:
        for _ in range(50):
            block = np.zeros((4, 2), "u1").view(Block)
            alive.add(id(block))
            most[0] = max(most[0], len(alive))
            yield block

    array = stored("zarr", Chunks(blocks(), chunks=(8, 2)), MemoryStore("main"))
    assert array.shape == (200, 2)
    assert most[0] < 20


@given(st.lists(st.integers(0, 7), max_size=8), st.integers(1, 6))
def test_blocks_of_so_many_rows_are_the_same_rows(sizes: list[int], rows: int) -> None:
    edges = np.cumsum([0, *sizes])
    given_blocks = [np.arange(start, stop) for start, stop in pairwise(edges)]
    made = list(in_rows(given_blocks, rows))
    assert [int(each) for block in made for each in block] == list(range(sum(sizes)))
    assert all(len(block) == rows for block in made[:-1])
    assert all(0 < len(block) <= rows for block in made)
