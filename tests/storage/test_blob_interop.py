"""Blobs that DataJoint 2.3.5 wrote, and what they mean."""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from djflow.storage.blob import decode_column, pack, unpack

BLOBS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "interop" / "blobs.json").read_text()
)


def described(value: Any, entry: dict[str, Any]) -> str:
    if entry["repr"].startswith("sum="):
        return f"sum={value.sum()}"
    return str(value) if entry["type"] in ("ndarray", "recarray") else repr(value)


@pytest.mark.parametrize("name", BLOBS)
def test_a_stored_blob_has_the_value_and_exact_type_it_had(name: str) -> None:
    entry = BLOBS[name]
    value = unpack(bytes.fromhex(entry["hex"]))
    assert type(value).__name__ == entry["type"]
    assert described(value, entry) == entry["repr"]
    if "dtype" in entry:
        assert (str(value.dtype), list(value.shape)) == (entry["dtype"], entry["shape"])


@pytest.mark.parametrize("name", BLOBS.keys() - {"big_zeros", "big_random"})
def test_packing_the_value_of_a_stored_blob_gives_its_bytes(name: str) -> None:
    blob = bytes.fromhex(BLOBS[name]["hex"])
    assert pack(unpack(blob)) == blob


@pytest.mark.parametrize("name", ["big_zeros", "big_random"])
def test_packing_the_value_of_a_compressed_blob_gives_its_plain_bytes(name: str) -> None:
    blob = bytes.fromhex(BLOBS[name]["hex"])
    assert pack(unpack(blob), compress=False) == zlib.decompress(blob[14:])


def test_zeros_are_compressed_and_noise_is_not() -> None:
    zeros, noise = (unpack(bytes.fromhex(BLOBS[name]["hex"])) for name in ("big_zeros", "big_random"))
    assert pack(zeros)[:6] == b"ZL123\0"
    assert pack(noise)[:4] == b"mYm\0"


def test_a_column_of_stored_blobs_decodes_to_the_values_of_its_rows() -> None:
    blobs = [bytes.fromhex(entry["hex"]) for entry in BLOBS.values()]
    decoded = decode_column(pa.array(blobs, pa.binary()))
    for value, blob in zip(decoded, blobs, strict=True):
        assert repr(value) == repr(unpack(blob))


def test_arrays_come_back_writable() -> None:
    value = unpack(bytes.fromhex(BLOBS["arr_f4_2d"]["hex"]))
    value += 1
    assert np.array_equal(value, [[1, 2, 3], [4, 5, 6]])
