"""What codecs have in common whose values are objects in a store and JSON references in the table."""

import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn

import pyarrow as pa

from djflow.errors import CorruptObjectError, DefinitionError, MissingExternalFile
from djflow.storage.codec import Codec, ColumnContext, Values
from djflow.storage.parallel import map_threads
from djflow.storage.paths import new_token, schema_path
from djflow.storage.store import Store


class StoreCodec(Codec, register=False):
    """A codec of objects in a store, referred to by JSON in the table; only its columns know the store."""

    def get_dtype(self, is_store: bool) -> str:  # noqa: FBT001 - the documented signature
        """`json`. Raises `DefinitionError` for a type without `@`."""
        if not is_store:
            raise DefinitionError(
                f"<{self.name}> keeps its values in a store.",
                hint=f"Write <{self.name}@> for the default store or <{self.name}@name> for another.",
            )
        return "json"

    def encode(
        self, value: Any, *, key: Mapping[str, Any] | None = None, store_name: str | None = None
    ) -> NoReturn:
        """Not possible for a value without its column: use `encode_column`."""
        del value, key, store_name
        raise TypeError(f"<{self.name}> writes to a store, which only encode_column() knows")

    def decode(self, stored: Any, *, key: Mapping[str, Any] | None = None) -> NoReturn:
        """Not possible for a value without its column: use `decode_column`."""
        del stored, key
        raise TypeError(f"<{self.name}> reads from a store, which only decode_column() knows")


class SchemaCodec(StoreCodec, register=False):
    """Base of codecs that give every row an object of its own, at a path that mirrors the database.

    A subclass says how one value is written and opened; this class makes paths and references, and writes
    several objects at a time.

    >>> class TextCodec(SchemaCodec):
    ...     name = "text_example"
    ...     extension = ".txt"
    ...     def write(self, value, store, path):
    ...         store.put(path, value.encode())
    ...         return {"length": len(value)}
    ...     def open(self, reference, store):
    ...         return store.get(reference["path"]).decode()
    >>> TextCodec().get_dtype(is_store=True)
    'json'
    """

    extension: ClassVar[str] = ""

    @abstractmethod
    def write(self, value: Any, store: Store, path: str) -> Mapping[str, Any]:
        """Write one value to `path`, durably; what is returned is kept in the row, beside path and store."""

    @abstractmethod
    def open(self, reference: Mapping[str, Any], store: Store) -> Any:
        """The value of an object, or a lazy handle.

        `reference` has `path`, `store` and what `write` returned.
        """

    def encode_column(self, values: Values, context: ColumnContext) -> pa.Array:
        """Write the objects of a column and return their references as JSON text; None stays null.

        All values are validated and all paths recorded before the first object is written.
        """
        rows = [row for row, value in enumerate(values) if value is not None]
        for row in rows:
            self._check(values[row], context, row)
        store = context.store
        paths = {row: self._new_path(store, context, row) for row in rows}
        for path in paths.values():
            context.record(store.name, path)

        def write(row: int) -> str:
            metadata = self._write_row(values[row], store, paths[row], context, row)
            return json.dumps({"path": paths[row], "store": store.name, **metadata})

        references = dict(zip(rows, map_threads(write, rows), strict=True))
        return pa.array([references.get(row) for row in range(len(values))], pa.string())

    def decode_column(self, column: pa.Array, context: ColumnContext) -> list[Any]:
        """Open the objects of a column. Raises `CorruptObjectError` for text that is no reference."""
        stores: dict[str, Store] = {}
        return [
            None if text is None else self._open_row(text, stores, context, row)
            for row, text in enumerate(column.to_pylist())
        ]

    def _check(self, value: Any, context: ColumnContext, row: int) -> None:
        try:
            self.validate(value)
        except (TypeError, ValueError) as error:
            raise context.refuse(error, row=row, value=value) from error

    def _new_path(self, store: Store, context: ColumnContext, row: int) -> str:
        token = new_token(store.layout.token_length)
        return schema_path(
            store.layout,
            context.table,
            context.key(row),
            context.attribute,
            token=token,
            extension=self.extension,
        )

    def _write_row(
        self, value: Any, store: Store, path: str, context: ColumnContext, row: int
    ) -> Mapping[str, Any]:
        try:
            return self.write(value, store, path)
        except (TypeError, ValueError) as error:
            raise context.refuse(error, row=row, value=value) from error

    def _open_row(self, text: str, stores: dict[str, Store], context: ColumnContext, row: int) -> Any:
        reference = parse_reference(text, context, row)
        store = store_of(reference, stores, context)
        try:
            return self.open(reference, store)
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptObjectError(
                f"Row {row} of column {context.attribute!r} has an unusable reference ({error!r})",
                path=str(reference["path"]),
            ) from error


def parse_reference(text: str, context: ColumnContext, row: int) -> dict[str, Any]:
    """The reference that a row keeps as JSON text. Raises `CorruptObjectError` if it is none."""
    try:
        reference = json.loads(text)
        if isinstance(reference["path"], str):
            return dict(reference)
    except (ValueError, TypeError, KeyError):
        pass
    raise CorruptObjectError(f"Row {row} of column {context.attribute!r} holds no reference: {text!r}")


def store_of(reference: Mapping[str, Any], stores: dict[str, Store], context: ColumnContext) -> Store:
    """The store that a reference names, opened once; references without a name mean the column's store."""
    name = reference.get("store") or context.type.store or ""
    if name not in stores:
        stores[name] = context.open_store(name)
    return stores[name]


def missing(path: str, store: Store) -> MissingExternalFile:
    """The error for an object that a row refers to and that its store does not have."""
    return MissingExternalFile(f"{path!r} is not in store {store.name!r}.")
