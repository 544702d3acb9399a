"""Codecs that users write: one value at a time, chained to others."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from djflow.errors import DataTypeError, DefinitionError
from djflow.model.types import CodecType, CoreType
from djflow.storage.blob import unpack
from djflow.storage.codec import Codec, codec_for, get_codec, list_codecs, resolve_dtype
from djflow.storage.codecs.store_codec import SchemaCodec
from djflow.storage.store import Store
from djflow.testing.codecs import CodecContract, column_context
from djflow.testing.stores import MemoryStore

Key = Mapping[str, Any] | None


class SpikeTrain(Codec):
    name = "test_spike_train"

    def get_dtype(self, is_store: bool) -> str:  # noqa: ARG002, FBT001
        return "<blob>"

    def validate(self, value: Any) -> None:
        if not isinstance(value, list):
            raise TypeError("Expected a list of spike times")
        if value != sorted(value):
            raise ValueError("Spike times must be sorted")

    def encode(self, value: Any, *, key: Key = None, store_name: str | None = None) -> Any:  # noqa: ARG002
        return np.diff(value, prepend=0)

    def decode(self, stored: Any, *, key: Key = None) -> Any:  # noqa: ARG002
        return np.cumsum(stored).tolist()


class Twice(Codec):
    name = "test_twice"

    def get_dtype(self, is_store: bool) -> str:  # noqa: ARG002, FBT001
        return "<test_spike_train>"

    def encode(self, value: Any, *, key: Key = None, store_name: str | None = None) -> Any:  # noqa: ARG002
        return value["times"]

    def decode(self, stored: Any, *, key: Key = None) -> Any:  # noqa: ARG002
        return {"times": stored}


class Label(Codec):
    name = "test_label"

    def get_dtype(self, is_store: bool) -> str:  # noqa: ARG002, FBT001
        return "varchar(20)"

    def encode(self, value: Any, *, key: Key = None, store_name: str | None = None) -> Any:  # noqa: ARG002
        return f"{value}/{key and key['id']}"

    def decode(self, stored: Any, *, key: Key = None) -> Any:  # noqa: ARG002
        return stored.partition("/")[0]


class Nothing(Codec):
    name = "test_nothing"

    def get_dtype(self, is_store: bool) -> str:  # noqa: ARG002, FBT001
        return "<blob>"

    def encode(self, value: Any, *, key: Key = None, store_name: str | None = None) -> Any:  # noqa: ARG002
        return None if value == "nothing" else value

    def decode(self, stored: Any, *, key: Key = None) -> Any:  # noqa: ARG002
        return "nothing" if stored is None else stored


class Config(Codec):
    name = "test_config"

    def get_dtype(self, is_store: bool) -> str:  # noqa: ARG002, FBT001
        return "json"

    def encode(self, value: Any, *, key: Key = None, store_name: str | None = None) -> Any:  # noqa: ARG002
        return value

    def decode(self, stored: Any, *, key: Key = None) -> Any:  # noqa: ARG002
        return stored


class Text(SchemaCodec):
    name = "test_text"
    extension = ".txt"

    def write(self, value: Any, store: Store, path: str) -> Mapping[str, Any]:
        store.put(path, value.encode())
        return {"length": len(value)}

    def open(self, reference: Mapping[str, Any], store: Store) -> Any:
        return store.get(reference["path"]).decode()


class Circle(Codec):
    name = "test_circle"

    def get_dtype(self, is_store: bool) -> str:  # noqa: ARG002, FBT001
        return "<test_circle>"

    def encode(self, value: Any, *, key: Key = None, store_name: str | None = None) -> Any: ...

    def decode(self, stored: Any, *, key: Key = None) -> Any: ...


class Strange(Circle):
    name = "test_strange"

    def get_dtype(self, is_store: bool) -> str:  # noqa: FBT001
        return "int33" if is_store else "decimal(3)"


class TestSpikeTrainInTable(CodecContract):
    type = CodecType("test_spike_train")
    values = ([1, 3, 7], [2])


class TestSpikeTrainInStore(CodecContract):
    type = CodecType("test_spike_train", "main")
    values = ([1, 3, 7], [2])


class TestTwice(CodecContract):
    type = CodecType("test_twice", "main")
    values = ({"times": [1, 2]}, {"times": [3]})


class TestLabel(CodecContract):
    type = CodecType("test_label")
    values = ("a", "b")


class TestConfig(CodecContract):
    type = CodecType("test_config")
    values = ({"a": [1, None]}, [1.5])


class TestText(CodecContract):
    type = CodecType("test_text", "main")
    values = ("one", "zwei")


def test_a_chained_codec_really_encodes_through_the_inner_one() -> None:
    context = column_context(CodecType("test_spike_train"), MemoryStore(), rows=1)
    column = codec_for(context.type).encode_column([[1, 3, 7]], context)
    assert unpack(column[0].as_py()).tolist() == [1, 2, 4]


def test_the_store_is_handed_down_the_chain() -> None:
    store = MemoryStore("cold")
    context = column_context(CodecType("test_twice", "cold"), store, rows=1)
    column = codec_for(context.type).encode_column([{"times": [1, 2]}], context)
    reference = json.loads(column[0].as_py())
    assert reference["store"] == "cold"
    assert reference["path"] in store.files


def test_the_key_of_each_row_is_given_to_the_encoder() -> None:
    context = column_context(CodecType("test_label"), MemoryStore(), rows=3)
    assert codec_for(context.type).encode_column(["a", None, "b"], context).to_pylist() == [
        "a/0",
        None,
        "b/2",
    ]


def test_a_value_that_encodes_to_none_is_a_null() -> None:
    context = column_context(CodecType("test_nothing"), MemoryStore(), rows=2)
    assert codec_for(context.type).encode_column(["nothing", 1], context).null_count == 1


def test_a_stored_none_is_not_a_null() -> None:
    context = column_context(CodecType("test_nothing"), MemoryStore())
    column = pa.array([b"dj0\0\xff", None], pa.binary())
    assert codec_for(context.type).decode_column(column, context) == ["nothing", None]


@pytest.mark.parametrize(("value", "reason"), [("1 2", "Expected a list"), ([2, 1], "must be sorted")])
def test_a_value_that_validate_refuses_is_told_with_its_row(value: Any, reason: str) -> None:
    context = column_context(CodecType("test_spike_train"), MemoryStore(), rows=2)
    with pytest.raises(DataTypeError, match=reason) as caught:
        codec_for(context.type).encode_column([[1], value], context)
    assert (caught.value.row, caught.value.column, caught.value.value) == (1, "value", value)
    assert caught.value.__cause__ is not None


def test_types_at_the_end_of_a_chain_may_have_arguments() -> None:
    assert resolve_dtype(CodecType("test_label")) == CoreType("varchar", (20,))
    assert resolve_dtype(CodecType("test_twice")) == CoreType("bytes")
    assert resolve_dtype(CodecType("test_twice", "")) == CoreType("json")


def test_a_chain_that_never_ends_is_refused() -> None:
    with pytest.raises(DefinitionError, match="circle: <test_circle> -> <test_circle>"):
        resolve_dtype(CodecType("test_circle"))


@pytest.mark.parametrize("store", [None, "main"])
def test_an_unknown_stored_type_is_refused(store: str | None) -> None:
    with pytest.raises(DefinitionError, match="which is no type"):
        resolve_dtype(CodecType("test_strange", store))


def test_an_unknown_codec_is_refused_with_a_suggestion() -> None:
    with pytest.raises(DefinitionError, match="Did you mean 'blob'"):
        get_codec("<blub@main>")
    assert {"blob", "npy", "test_twice"} <= set(list_codecs())


def test_a_name_belongs_to_one_class() -> None:
    def define() -> type[Codec]:
        class Again(Circle):
            name = "test_again"

        return Again

    define()
    newest = define()
    assert type(get_codec("test_again")) is newest
    with pytest.raises(DefinitionError, match="registered already"):
        type("Rival", (Circle,), {"name": "test_again"})


def test_codecs_of_installed_packages_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugin_codecs.py").write_text(
        "from djflow.storage.codec import Codec\n"
        "class Plugged(Codec):\n"
        "    name = 'test_plugged'\n"
        "    def get_dtype(self, is_store): return 'json'\n"
        "    def encode(self, value, *, key=None, store_name=None): return value\n"
        "    def decode(self, stored, *, key=None): return stored\n"
    )
    info = tmp_path / "plugin_codecs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-codecs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[datajoint.codecs]\ntest_plugged = plugin_codecs:Plugged\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "test_plugged" in list_codecs()
    assert resolve_dtype(CodecType("test_plugged")) == CoreType("json")


def test_naming_a_builtin_codec_imports_neither_zarr_nor_polars() -> None:
    code = (
        "import sys\nfrom djflow.model.types import CodecType\n"
        "from djflow.storage.codec import resolve_dtype\n"
        "resolve_dtype(CodecType('zarr', '')); resolve_dtype(CodecType('blob')); "
        "print(sorted({'zarr', 'polars', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
