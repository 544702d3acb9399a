"""What every codec must do.

```python
class TestMyCodec(CodecContract):
    type = CodecType("mine", "main")
    values = (Mine(1), Mine(2))
```
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeAlias

import pyarrow as pa

from djflow.model.names import TableName
from djflow.model.types import CodecType, arrow_type
from djflow.storage.codec import ColumnContext, Values, codec_for, resolve_dtype
from djflow.storage.store import Store
from djflow.testing.stores import MemoryStore

Record: TypeAlias = Callable[[str, str], None]


def column_context(
    type_: CodecType, store: Store, *, rows: int = 0, record: Record = lambda _name, _path: None
) -> ColumnContext:
    """The context of column `value` of table `lab.example`, whose key is `id`, numbered from 0.

    >>> column_context(CodecType("blob"), MemoryStore(), rows=2).keys
    [{'id': 0}, {'id': 1}]
    """
    return ColumnContext(
        table=TableName("lab", "example"),
        attribute="value",
        type=type_,
        open_store=lambda _name: store,
        keys=[{"id": i} for i in range(rows)],
        record=record,
    )


class CodecContract:
    """The laws of a codec; a test class inherits them and gives a `type` and two or more `values`."""

    type: ClassVar[CodecType]
    values: ClassVar[Sequence[Any]]

    def same(self, decoded: Any, value: Any) -> bool:
        """Whether a decoded value is the encoded one; override for types without `==`."""
        return bool(decoded == value)

    def encode(self, values: Values, store: Store) -> pa.Array:
        """Encode a column of example values."""
        context = column_context(self.type, store, rows=len(values))
        return codec_for(self.type).encode_column(values, context)

    def decode(self, column: pa.Array, store: Store) -> list[Any]:
        """Decode a column."""
        return codec_for(self.type).decode_column(column, column_context(self.type, store))

    def test_decoding_undoes_encoding(self) -> None:
        """In order, and with nulls where they were."""
        store = MemoryStore()
        values = [None, *self.values, None]
        decoded = self.decode(self.encode(values, store), store)
        assert len(decoded) == len(values)  # noqa: S101 - these are tests
        for found, value in zip(decoded, values, strict=True):
            assert found is None if value is None else self.same(found, value)  # noqa: S101

    def test_a_slice_of_a_column_decodes_to_a_slice_of_its_values(self) -> None:
        """Offsets into a column are respected."""
        store = MemoryStore()
        column = self.encode([*self.values, None], store)
        decoded = self.decode(column.slice(1), store)
        assert self.same(decoded[0], self.values[1])  # noqa: S101
        assert decoded[-1] is None  # noqa: S101

    def test_an_empty_column_stays_empty_and_typed(self) -> None:
        """No rows, no objects, the same Arrow type."""
        store = MemoryStore()
        column = self.encode([], store)
        assert column.type == arrow_type(resolve_dtype(self.type))  # noqa: S101
        assert self.decode(column, store) == []  # noqa: S101

    def test_encoded_values_have_the_stored_type(self) -> None:
        """The Arrow type is the one of the column in the table."""
        assert self.encode(self.values, MemoryStore()).type == arrow_type(resolve_dtype(self.type))  # noqa: S101

    def test_every_object_of_one_row_is_recorded_and_no_shared_one(self) -> None:
        """What is recorded may be removed if the insert fails."""
        store = MemoryStore()
        recorded = set()

        def record(name: str, path: str) -> None:
            assert name == store.name  # noqa: S101
            assert not store.exists(path)  # noqa: S101
            recorded.add(path)

        context = column_context(self.type, store, rows=len(self.values), record=record)
        codec_for(self.type).encode_column(self.values, context)
        own = {path for path in store.files if not _is_shared(path, store)}
        assert own == {file.path for path in recorded for file in store.list(path)}  # noqa: S101
        assert all(map(store.exists, recorded))  # noqa: S101


def _is_shared(path: str, store: Store) -> bool:
    return path.startswith(f"{store.layout.hash_prefix}/")
