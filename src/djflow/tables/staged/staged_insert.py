"""What a staged insert offers while its row is being made."""

from collections.abc import Callable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from djflow.errors import StorageError, UnknownAttributeError
from djflow.model.table import Attribute, Table
from djflow.model.types import CodecType
from djflow.storage.codec import ColumnContext, codec_for
from djflow.storage.staging.draft import Draft, MakeDraft, Stageable
from djflow.tables.staged.record import Record

if TYPE_CHECKING:
    import fsspec
    import zarr
    from numpy.typing import DTypeLike

    from djflow.storage.npy_writer import NpyWriter
    from djflow.storage.staging.frame_draft import FrameAppender
    from djflow.storage.store import Store


class StagedInsert:
    """One row, and the objects that are written for it.

    Give `rec` the primary key first; then begin objects, each with the method that suits its attribute:

    | type | method | gives |
    |---|---|---|
    | `<object@>` | `store(field, ext)` | a mapping of files, for Zarr and others |
    | `<object@>`, `<hash@>`, `<blob@>`, `<attach@>` | `open(field, ext, mode)` | a file |
    | `<zarr@>` | `zarr(field, ...)` | an array or a group of Zarr |
    | `<npy@>` | `npy(field, ...)` | an array to which rows are appended or assigned |
    | `<parquet@>`, `<arrow@>` | `frames(field)` | a frame to which rows are appended |
    """

    def __init__(
        self,
        table: Table,
        open_store: Callable[[str], "Store"],
        record: Callable[[str, Sequence[str]], None],
        share: Callable[[str, Sequence[str]], Sequence[str]],
    ) -> None:
        self._table, self._open_store, self._record, self._share = table, open_store, record, share
        self._rec = Record(table)
        self._drafts: dict[str, Draft] = {}
        self._is_over = False

    def __repr__(self) -> str:
        objects = ", ".join(self._drafts) or "none"
        return f"StagedInsert({self._table.name}, {dict(self._rec)}, objects: {objects})"

    @property
    def rec(self) -> Record:
        """The values of the row's other attributes; those of the primary key come first."""
        return self._rec

    @property
    def fs(self) -> "fsspec.AbstractFileSystem":
        """The file system of the default store."""
        return self._open_store("").filesystem("_")[0]

    def store(self, field: str, ext: str = "") -> "fsspec.FSMap":
        """The files of a new folder as a mapping, which Zarr and Xarray write to.

        Raises as the other methods do: `MissingAttributeError` before the primary key is set, `StorageError`
        for an attribute that is not written in this way.
        """
        mapping: fsspec.FSMap = self._begin(field, "store", ext).writing()
        return mapping

    def open(self, field: str, ext: str = "", mode: str = "wb") -> IO[Any]:
        """A new file, to be written in any order; opened again, the same file.

        `mode` is that of `open`; text is in UTF-8. A `<blob@>` written so holds bytes; an `<attach@>` is a
        file named after the attribute.
        """
        file: IO[Any] = self._begin(field, "open", ext).writing(mode)
        return file

    def zarr(self, field: str, **options: Any) -> "zarr.Array[Any] | zarr.Group":
        """A new array, or without `shape` and `data` a new group, of Zarr.

        `options` are those of `zarr.create_array`: `shape`, `dtype`, `data`, `chunks` (by default of 4 MiB),
        `shards`, `compressors` (Zstandard, level 1), `fill_value`, `attributes`, `dimension_names`. An array
        may grow: `array.append(block)`, `array.resize(shape)`. What is never written holds the fill value.

        An array may also be sent to other processes, or be shared by threads: these write to whole chunks, or
        whole shards, only; anything else raises `RegionError`.
        """
        node: zarr.Array[Any] | zarr.Group = self._begin(field, "zarr", "").writing(**options)
        return node

    def npy(self, field: str, *, dtype: "DTypeLike", shape: Sequence[int | None]) -> "NpyWriter":
        """A new array of NumPy's format, in bounded memory.

        The first extent of `shape` may be None: the array grows with `append(rows)`. With a known shape, rows
        can be assigned, too; those that never are hold zeros.
        """
        writer: NpyWriter = self._begin(field, "npy", "").writing(dtype, shape)
        return writer

    def frames(self, field: str, schema: Any = None) -> "FrameAppender":
        """A new frame; `append(frame)` adds rows from Polars, pandas or Arrow.

        `schema` is an Arrow schema, by default that of the first rows.
        """
        appender: FrameAppender = self._begin(field, "frames", "").writing(schema)
        return appender

    def _begin(self, field: str, way: str, extension: str) -> Draft:
        """The object of an attribute, begun now or before in the same way."""
        if self._is_over:
            raise StorageError("The block of this staged insert has ended; begin another one.")
        draft = self._drafts.get(field)
        if draft is not None:
            if draft.what != way:
                raise StorageError(
                    f"{field!r} is being written with staged.{draft.what}() already, not staged.{way}()."
                )
            return draft
        attribute = _attribute(self._table, field)
        make = _way(attribute, way, self._table)
        key = self._rec.key()
        self._rec.check_vacant(field)
        self._drafts[field] = draft = make(self._context(attribute, key), extension)
        self._rec.claim(field)
        return draft

    def _context(self, attribute: Attribute, key: Mapping[str, Any]) -> ColumnContext:
        assert isinstance(attribute.type, CodecType)  # noqa: S101 - `_way` has looked
        return ColumnContext(
            self._table.name,
            attribute.name,
            attribute.type,
            self._open_store,
            [key],
            record=lambda store, path: self._record(store, [path]),
            record_all=self._record,
            share=self._share,
        )

    def end(self) -> None:
        """Begin no objects from now on."""
        self._is_over = True

    @property
    def drafts(self) -> Mapping[str, Draft]:
        """The objects in the making, by attribute."""
        return self._drafts


def _attribute(table: Table, name: str) -> Attribute:
    if name not in table.heading.names:
        raise UnknownAttributeError(name, table.heading.names, context=str(table.name))
    return table.heading[name]


def _way(attribute: Attribute, way: str, table: Table) -> MakeDraft:
    """How a codec begins an object that is written in one way."""
    kind = attribute.type
    where = f"{table.name}: attribute {attribute.name!r} of type {kind}"
    if not isinstance(kind, CodecType) or kind.store is None:
        raise StorageError(f"{where} is kept in the row itself: assign staged.rec[{attribute.name!r}].")
    codec = codec_for(kind)
    ways = codec.stages() if isinstance(codec, Stageable) else {}
    if way in ways:
        return ways[way]
    if ways:
        offered = " or ".join(f"staged.{name}({attribute.name!r}, ...)" for name in ways)
        raise StorageError(f"{where} is not written with staged.{way}(): use {offered}.")
    raise StorageError(f"{where} is not written piece by piece: assign staged.rec[{attribute.name!r}].")
