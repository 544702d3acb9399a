"""Which codecs Spark can read, and what it gets of them."""

from datetime import datetime
from typing import Any

import numpy as np
import pytest

import djflow as dj
from djflow.spark import SparkAdapter
from djflow.storage.codec import Codec


class LabelledPoint(Codec):
    """A codec as a plug-in defines it, without inheriting the protocol."""

    name = "labelled_point_example"

    def get_dtype(self, is_store: bool) -> str:  # noqa: FBT001 - the documented signature
        del is_store
        return "json"

    def encode(self, value: Any, *, key: Any = None, store_name: str | None = None) -> Any:
        del key, store_name
        return value

    def decode(self, stored: Any, *, key: Any = None) -> Any:
        del key
        return stored

    def to_spark(self, decoded: Any, *, key: Any = None) -> dict[str, Any]:
        del key
        return {"x": float(decoded["x"]), "label": str(decoded["label"])}


def test_who_defines_the_method_takes_part() -> None:
    codec = LabelledPoint()
    assert isinstance(codec, SparkAdapter)
    assert codec.to_spark({"x": 1, "label": "a"}) == {"x": 1.0, "label": "a"}
    assert dj.SparkAdapter is dj.spark.SparkAdapter is SparkAdapter


@pytest.mark.parametrize("name", ["blob", "blob@", "hash@", "attach@", "object@", "filepath@"])
def test_codecs_of_anything_take_no_part(name: str) -> None:
    assert not isinstance(dj.get_codec(f"<{name}>"), SparkAdapter)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.eye(2), [[1.0, 0.0], [0.0, 1.0]]),
        (np.array([1, 2], "u1"), [1, 2]),
        (np.array(True), True),
        (np.array(["2026-01-02T03:04:05"], "M8[ns]"), [datetime(2026, 1, 2, 3, 4, 5)]),
    ],
)
def test_tensors_become_lists_of_plain_values(array: Any, expected: Any) -> None:
    tensor = dj.get_codec("<tensor>")
    assert isinstance(tensor, SparkAdapter)
    assert tensor.to_spark(tensor.decode(tensor.encode(array))) == expected


@pytest.mark.parametrize("kind", ["c8", "m8[s]"])
def test_what_spark_has_no_type_for_is_refused(kind: str) -> None:
    tensor = dj.get_codec("<tensor>")
    assert isinstance(tensor, SparkAdapter)
    with pytest.raises(TypeError, match="Spark has no type"):
        tensor.to_spark(np.zeros(1, kind))
