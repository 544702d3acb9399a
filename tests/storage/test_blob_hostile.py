"""Blobs made to do harm are refused before anything large is allocated."""

import struct
import tracemalloc
import zlib

import pyarrow as pa
import pytest

from djflow.errors import CorruptObjectError
from djflow.storage.blob import decode_column, pack, unpack


def u64(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def array(*shape: int, kind: int = 6, data: bytes = b"") -> bytes:
    return b"A" + u64(len(shape), *shape) + struct.pack("<II", kind, 0) + data


HUGE = 1 << 62
HOSTILE = {
    "nothing": b"",
    "no header": b"abcd",
    "header alone": b"dj0\0",
    "unknown code": b"dj0\0\x7f",
    "array of exabytes": b"mYm\0" + array(HUGE, 2),
    "array that overflows": b"mYm\0" + array(HUGE, HUGE, HUGE),
    "empty array of impossible shape": b"mYm\0" + array(0, HUGE, HUGE),
    "array of many dimensions": b"mYm\0" + b"A" + u64(HUGE),
    "objects of exabytes": b"dj0\0" + array(HUGE, kind=5),
    "unknown element type": b"dj0\0" + array(1, kind=99, data=bytes(8)),
    "unknown datetime unit": b"dj0\0" + array(1, kind=0x100FF, data=bytes(8)),
    "string of exabytes": b"dj0\0\x05" + u64(HUGE),
    "bytes of exabytes": b"dj0\0\x06" + u64(HUGE),
    "list of exabytes": b"dj0\0\x02" + u64(HUGE),
    "dict of exabytes": b"dj0\0\x04" + u64(HUGE),
    "item larger than its list": b"dj0\0\x02" + u64(1, 100) + b"\xff",
    "item smaller than it says": b"dj0\0\x02" + u64(1, 2) + b"\xff\xff",
    "trailing bytes": pack(1) + b"\0",
    "invalid text": b"dj0\0\x05" + u64(1) + b"\xff",
    "impossible date": b"dj0\0t" + struct.pack("<iq", 20241399, -1),
    "impossible time": b"dj0\0t" + struct.pack("<iq", -1, 99_00_00_000000),
    "impossible decimal": b"dj0\0d" + u64(3) + b"1.x",
    "set of lists": b"dj0\0\x03" + u64(1, 9) + b"\x02" + u64(0),
    "records of exabytes": b"dj0\0F" + struct.pack("<I", 0xFFFFFFFF),
    "records without fields": b"dj0\0F" + struct.pack("<I", 0),
    "records with an endless name": b"dj0\0F" + struct.pack("<I", 1) + b"n" * 5000,
    "records of unequal shape": b"dj0\0F" + struct.pack("<I", 2) + b"a\0b\0" + array(0) + array(0, 1),
    "records within records": b"dj0\0" + (b"F" + struct.pack("<I", 1) + b"a\0") * 1000,
    "deep nesting": b"dj0\0" + b"".join(b"\x02" + u64(1, 17 * (999 - i)) for i in range(999)),
    "struct without fields": b"mYm\0S" + u64(1, HUGE) + struct.pack("<I", 0),
    "struct of exabytes": b"mYm\0S" + u64(1, HUGE) + struct.pack("<I", 1) + b"a\0",
    "cell of exabytes": b"mYm\0C" + u64(1, HUGE),
    "sparse array": b"mYm\0P" + u64(2, 1, 1),
    "compressed to more than it says": b"ZL123\0" + u64(10) + zlib.compress(bytes(1_000_000)),
    "compressed to less than it says": b"ZL123\0" + u64(1000) + zlib.compress(bytes(10)),
    "compressed to exabytes": b"ZL123\0" + u64(HUGE) + zlib.compress(bytes(1_000_000)),
    "compressed garbage": b"ZL123\0" + u64(10) + b"garbage",
    "compressed, cut": b"ZL123\0" + u64(5000) + zlib.compress(bytes(5000))[:-3],
    "compressed, with a tail": b"ZL123\0" + u64(5000) + zlib.compress(bytes(5000)) + b"tail",
    "compressed header alone": b"ZL123\0",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_blob_is_refused_without_a_large_allocation(name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CorruptObjectError):
            unpack(HOSTILE[name])
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_blob_in_a_column_is_refused_and_its_row_told(name: str) -> None:
    column = pa.array([pack([1.5] * 3), HOSTILE[name]], pa.binary())
    with pytest.raises(CorruptObjectError) as caught:
        decode_column(column)
    assert caught.value.__notes__ == ["It is in row 1 of the column."]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_column_of_hostile_blobs_is_refused(name: str) -> None:
    with pytest.raises(CorruptObjectError):
        decode_column(pa.array([HOSTILE[name]] * 3, pa.binary()))


def test_the_place_of_the_fault_is_told() -> None:
    with pytest.raises(CorruptObjectError) as caught:
        unpack(b"dj0\0\x05" + u64(9) + b"short")
    assert caught.value.position == 13
    assert "4 bytes are missing" in caught.value.reason


def test_matlab_structs_and_cells_become_arrays() -> None:
    def item(number: float) -> bytes:
        value = array(1, 1, data=struct.pack("<d", number))
        return u64(len(value)) + value

    struct_blob = b"mYm\0S" + u64(2, 1, 2) + struct.pack("<I", 2) + b"a\0b\0" + b"".join(map(item, range(4)))
    records = unpack(struct_blob)
    assert records.shape == (1, 2)
    assert [[float(value[0, 0]) for value in row] for row in records[0]] == [[0, 1], [2, 3]]
    cell = unpack(b"mYm\0C" + u64(2, 2, 2) + b"".join(map(item, range(4))))
    assert [[float(value[0, 0]) for value in row] for row in cell] == [[0, 2], [1, 3]]


def test_matlab_text_becomes_a_string_array() -> None:
    assert unpack(b"mYm\0" + array(1, 2, kind=4, data=b"a\0b\0")).tolist() == ["ab"]
    assert unpack(b"mYm\0" + array(2, 2, kind=4, data=b"a\0b\0c\0d\0")).tolist() == [["a", "c"], ["b", "d"]]
