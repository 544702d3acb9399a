"""What codecs have in common whose values are objects in a store and JSON references in the table."""

import json
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, ClassVar, Final, NoReturn, Self

import pyarrow as pa

from djflow.errors import CorruptObjectError, DefinitionError
from djflow.model.names import TableName
from djflow.storage.codec import Codec, ColumnContext, Values
from djflow.storage.codecs.backend import StoreBackend
from djflow.storage.parallel import map_threads, threads_for
from djflow.storage.paths import new_token, schema_path
from djflow.storage.progress import watched
from djflow.storage.staging.draft import MakeDraft
from djflow.storage.staging.file_draft import FileDraft
from djflow.storage.store import Store

_PLACE: Final = ("_schema", "_table", "_field")  # beside the key that encode is given


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

    Instead of these it may define `encode` and `decode`, which make the reference themselves, with
    `_extract_context`, `_build_path` and `_get_backend`; such a codec is called for one row after another.
    """

    extension: ClassVar[str] = ""
    _context: ColumnContext | None = None

    def write(self, value: Any, store: Store, path: str) -> Mapping[str, Any]:
        """Write one value to `path`, durably; what is returned is kept in the row, beside path and store."""
        raise NotImplementedError(f"{type(self).__name__} defines neither write() nor encode()")

    def open(self, reference: Mapping[str, Any], store: Store) -> Any:
        """The value of an object, or a lazy handle.

        `reference` has `path`, `store` and what `write` returned.
        """
        raise NotImplementedError(f"{type(self).__name__} defines neither open() nor decode()")

    def extension_for(self, value: Any) -> str:
        """How the path of a value's object ends; `extension` unless a subclass says otherwise."""
        del value
        return self.extension

    def describe(self, store: Store, path: str) -> Mapping[str, Any]:
        """What a row keeps of a file that was written with `staged.open()`, beside its size and checksum.

        A codec that defines it lets its objects be written so; one that does not refuses.
        """
        del store, path
        raise NotImplementedError(f"{type(self).__name__} does not define describe()")

    def stages(self) -> Mapping[str, MakeDraft]:
        """The ways to write an object that grows, by methods of a staged insert: `open` with `describe`."""
        if type(self).describe is SchemaCodec.describe:
            return {}
        return {
            "open": lambda context, extension: FileDraft(context, extension or self.extension, self.describe)
        }

    def encode_column(self, values: Values, context: ColumnContext) -> pa.Array:
        """Write the objects of a column and return their references as JSON text; None stays null.

        All values are validated and all paths recorded before the first object is written.
        """
        rows = [row for row, value in enumerate(values) if value is not None]
        for row in rows:
            self._check(values[row], context, row)
        if self._encodes_itself:
            return Codec.encode_column(self._within(context), values, context)
        store = context.store
        paths = {row: self._new_path(values[row], store, context, row) for row in rows}
        context.own(store.name, list(paths.values()))
        label = f"{context.table}.{context.attribute}"
        with store.batch() as batch, watched(batch, label, len(rows)) as (target, done):

            def write(row: int) -> str:
                metadata = self._write_row(values[row], target, paths[row], context, row)
                done()
                place = {"path": paths[row], "store": store.name}
                return json.dumps(place | dict(metadata) | place)

            references = dict(zip(rows, map_threads(write, rows, threads_for([store])), strict=True))
        return pa.array([references.get(row) for row in range(len(values))], pa.string())

    def decode_column(self, column: pa.Array, context: ColumnContext) -> list[Any]:
        """Open the objects of a column. Raises `CorruptObjectError` for text that is no reference."""
        if type(self).decode is StoreCodec.decode:
            return decode_references(column, context, self.open)
        bound = self._within(context)
        return decode_references(column, context, lambda reference, _store: bound.decode(reference))

    @property
    def _encodes_itself(self) -> bool:
        return type(self).encode is not StoreCodec.encode

    def _within(self, context: ColumnContext) -> Self:
        """The codec for the rows of one column: encode and decode are not told where these are."""
        bound = copy(self)
        bound._context = context  # noqa: SLF001 - of the same class
        return bound

    def _extract_context(self, key: Mapping[str, Any] | None) -> tuple[str, str, str, dict[str, Any]]:
        """Schema, table, attribute and primary key of the row that `encode` was given the key of."""
        told = dict(key or {})
        schema, table, attribute = (str(told.get(name, "")) for name in _PLACE)
        return schema, table, attribute, {name: told[name] for name in told if name not in _PLACE}

    def _build_path(
        self,
        schema: str,
        table: str,
        field: str,
        primary_key: Mapping[str, Any],
        ext: str | None = None,
        store_name: str | None = None,
    ) -> tuple[str, str]:
        """A new path for a row's object, and the random part of it.

        The path is recorded as the row's: write to it in `encode`, or not at all.
        """
        store = self._column.open_store(store_name or self._column.type.store or "")
        token = new_token(store.layout.token_length)
        name = TableName(schema, table)
        path = schema_path(store.layout, name, primary_key, field, token=token, extension=ext or "")
        self._column.own(store.name, [path])
        return path, token

    def _get_backend(self, store_name: str | None = None) -> StoreBackend:
        """The store of a name, by default the column's."""
        return StoreBackend(self._column.open_store(store_name or self._column.type.store or ""))

    @property
    def _column(self) -> ColumnContext:
        if self._context is None:
            raise TypeError(f"<{self.name}> uses a store, which only the methods for columns know")
        return self._context

    def _told(self, context: ColumnContext, row: int) -> tuple[Mapping[str, Any] | None, str | None]:
        place = (context.table.schema, context.table.table, context.attribute)
        return {**context.key(row), **dict(zip(_PLACE, place, strict=True))}, context.store.name

    def _check(self, value: Any, context: ColumnContext, row: int) -> None:
        try:
            self.validate(value)
        except (TypeError, ValueError) as error:
            raise context.refuse(error, row=row, value=value) from error

    def _new_path(self, value: Any, store: Store, context: ColumnContext, row: int) -> str:
        return schema_path(
            store.layout,
            context.table,
            context.key(row),
            context.attribute,
            token=new_token(store.layout.token_length),
            extension=self.extension_for(value),
        )

    def _write_row(
        self, value: Any, store: Store, path: str, context: ColumnContext, row: int
    ) -> Mapping[str, Any]:
        try:
            return self.write(value, store, path)
        except (TypeError, ValueError) as error:
            raise context.refuse(error, row=row, value=value) from error


def decode_references(
    column: pa.Array,
    context: ColumnContext,
    open_one: Callable[[Mapping[str, Any], Store], Any],
    *,
    default: str = "",
) -> list[Any]:
    """What `open_one` makes of each reference and its store; nulls stay None.

    `default` names the store of a column and a reference that name none.

    Raises `CorruptObjectError`, with the row, for text that is no reference or one that cannot be opened.
    """
    stores: dict[str, Store] = {}

    def open_row(text: str, row: int) -> Any:
        reference = parse_reference(text, context, row)
        store = store_of(reference, stores, context, default=default)
        try:
            return open_one(reference, store)
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptObjectError(
                f"Row {row} of column {context.attribute!r} has an unusable reference ({error!r})",
                path=str(reference["path"]),
            ) from error

    return [None if text is None else open_row(text, row) for row, text in enumerate(column.to_pylist())]


def parse_reference(text: str, context: ColumnContext, row: int) -> dict[str, Any]:
    """The reference that a row keeps as JSON text. Raises `CorruptObjectError` if it is none."""
    try:
        reference = json.loads(text)
        if isinstance(reference["path"], str):
            return dict(reference)
    except (ValueError, TypeError, KeyError):
        pass
    raise CorruptObjectError(f"Row {row} of column {context.attribute!r} holds no reference: {text!r}")


def store_of(
    reference: Mapping[str, Any], stores: dict[str, Store], context: ColumnContext, *, default: str = ""
) -> Store:
    """The store that a reference names, opened once; references without a name mean the column's store."""
    name = reference.get("store") or context.type.store or default
    if name not in stores:
        stores[name] = context.open_store(name)
    return stores[name]
