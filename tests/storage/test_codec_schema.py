"""Users' codecs of files, as they are documented: `encode` and `decode` with a backend of their own."""

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from djflow.errors import DataTypeError, DefinitionError
from djflow.model.types import CodecType
from djflow.storage.codec import Codec, codec_for
from djflow.storage.codecs.store_codec import SchemaCodec
from djflow.storage.store import Store
from djflow.testing.codecs import CodecContract, column_context
from djflow.testing.stores import MemoryStore

Key = Mapping[str, Any] | None


class Csv(SchemaCodec):
    name = "test_csv"

    def encode(self, value: Any, *, key: Key = None, store_name: str | None = None) -> Any:
        schema, table, field, pk = self._extract_context(key)
        path, _token = self._build_path(schema, table, field, pk, ext=".csv")
        backend = self._get_backend(store_name)
        backend.put_buffer(value.to_csv(index=False).encode(), path)
        return {"path": path, "store": store_name, "shape": list(value.shape)}

    def decode(self, stored: Any, *, key: Key = None) -> Any:  # noqa: ARG002
        backend = self._get_backend(stored.get("store"))
        return pd.read_csv(io.BytesIO(backend.get_buffer(stored["path"])))


class Asking(SchemaCodec):
    name = "test_asking"

    def encode(self, value: Any, *, key: Key = None, store_name: str | None = None) -> Any:
        if value == "bad":
            raise ValueError("a bad value")
        schema, table, field, pk = self._extract_context(key)
        path, token = self._build_path(schema, table, field, pk, ".txt", store_name=store_name)
        assert path.endswith(f"{field}_{token}.txt")
        self._get_backend(store_name).put_buffer(b"", path)
        return {"path": path, "told": [schema, table, field, pk, store_name]}

    def decode(self, stored: Any, *, key: Key = None) -> Any:  # noqa: ARG002
        return stored["told"]


class Outer(Codec):
    name = "test_outer_object"

    def get_dtype(self, is_store: bool) -> str:  # noqa: ARG002, FBT001
        return "<object@>"

    def encode(self, value: Any, *, key: Key = None, store_name: str | None = None) -> Any:  # noqa: ARG002
        return (".txt", value.encode())

    def decode(self, stored: Any, *, key: Key = None) -> Any:  # noqa: ARG002
        return stored.read().decode()


class TestCsv(CodecContract):
    type = CodecType("test_csv", "main")
    values = (pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), pd.DataFrame({"c": [0.5]}))

    def same(self, decoded: Any, value: Any) -> bool:
        return bool(decoded.equals(value))


class TestChainedToObject(CodecContract):
    type = CodecType("test_outer_object", "main")
    values = ("one", "zwei")


def encode(name: str, values: list[Any], store: Store, store_name: str = "") -> pa.Array:
    type_ = CodecType(name, store_name)
    return codec_for(type_).encode_column(values, column_context(type_, store, rows=len(values)))


def test_the_encoder_is_told_table_attribute_key_and_store() -> None:
    store = MemoryStore("main")
    column = encode("test_asking", ["a", None, "b"], store)
    type_ = CodecType("test_asking", "")
    found = codec_for(type_).decode_column(column, column_context(type_, store))
    assert found == [["lab", "example", "value", {"id": 0}, "main"], None, [*found[0][:3], {"id": 2}, "main"]]
    assert json.loads(column[2].as_py())["path"].startswith("_schema/lab/example/id=2/value_")


def test_a_value_that_it_refuses_is_told_with_its_row() -> None:
    with pytest.raises(DataTypeError, match="a bad value") as caught:
        encode("test_asking", ["a", "bad"], MemoryStore())
    assert caught.value.row == 1


def test_stores_are_known_to_columns_only() -> None:
    with pytest.raises(TypeError, match="uses a store"):
        Csv().encode(pd.DataFrame(), key={})
    with pytest.raises(TypeError, match="uses a store"):
        Csv().decode({"path": "a"})


def test_a_codec_without_methods_says_so() -> None:
    class Lacking(SchemaCodec):
        name = "test_lacking"

    with pytest.raises(NotImplementedError, match=r"neither write\(\) nor encode\(\)"):
        encode("test_lacking", ["a"], MemoryStore())
    with pytest.raises(NotImplementedError, match=r"neither open\(\) nor decode\(\)"):
        Lacking().open({}, MemoryStore())


def test_a_store_is_needed() -> None:
    with pytest.raises(DefinitionError, match="<test_csv@>"):
        Csv().get_dtype(is_store=False)


@pytest.mark.parametrize("first", ["djflow's", "the user's"])
def test_a_user_s_codec_may_have_a_name_that_only_djflow_has(first: str) -> None:
    imported = "import djflow.storage.codecs\n"
    program = (
        "from djflow.storage.codec import get_codec\n"
        "from djflow.storage.codecs.store_codec import SchemaCodec\n"
        "class ParquetCodec(SchemaCodec):\n    name = 'parquet'\n"
        "    def encode(self, df, *, key=None, store_name=None): ...\n"
        "    def decode(self, stored, *, key=None): ...\n"
    )
    text = imported + program if first == "djflow's" else program + imported
    text += "print(type(get_codec('<parquet@>')).__module__, type(get_codec('zarr')).__name__)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == "__main__ ZarrCodec\n"
