"""What a column of references, or a list of handles, says of its objects, and how each is opened."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol, TypeAlias
from weakref import WeakSet

import polars as pl

from djflow.errors import DataTypeError, DjflowError, InvalidArgumentError
from djflow.relation.database import Database, databases
from djflow.storage.codecs.open_reference import open_reference
from djflow.storage.handles.npy_file import parse_dtype
from djflow.storage.handles.stored import StoredHandle
from djflow.storage.parallel import threads_for
from djflow.storage.store import Store

OpenRow: TypeAlias = Callable[[int], "StoredHandle | None"]

_givers: Final[WeakSet[Database]] = WeakSet()
_FIELDS: Final = {
    "store": pl.String(),
    "path": pl.String(),
    "dtype": pl.String(),
    "shape": pl.List(pl.Int64()),
    "size": pl.Int64(),
    "checksum": pl.String(),
}


class Objects(Protocol):
    """The objects of a column, a row each."""

    @property
    def sizes(self) -> Sequence[int]:
        """How many bytes the value of each row takes in memory, as far as is known; 0 for nulls."""
        ...

    @property
    def forms(self) -> Collection[tuple[object, ...]]:
        """The different types and shapes of arrays, as far as they are known without reading."""
        ...

    def place(self, row: int) -> tuple[str, str]:
        """Store and path of a row that is not null."""
        ...

    def opened(self, connection: Database | None) -> "Opened":
        """How to open the handle of each row."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """Opens the handle of a row, None for a null; `threads` is how many to read at a time."""

    handle: OpenRow
    threads: int

    def at_once(self, asked: int | None) -> int:
        """How many to read at a time if a user asks for so many. Raises `InvalidArgumentError` below 1."""
        if asked is not None and asked < 1:
            raise InvalidArgumentError(f"threads={asked}: at least one object is read at a time.")
        return asked or self.threads


class HandleObjects:
    """Handles that there are already.

    Raises `DataTypeError` for anything else among them.
    """

    def __init__(self, values: Sequence[StoredHandle | None]) -> None:
        for row, value in enumerate(values):
            if not isinstance(value, StoredHandle | None):
                raise DataTypeError(
                    "it is no lazy reference", column="", expected=_WANTED, row=row, value=value
                )
        self._handles = list(values)

    @cached_property
    def sizes(self) -> list[int]:
        """Those that the handles tell."""
        return [0 if handle is None else handle.nbytes for handle in self._handles]

    @cached_property
    def forms(self) -> set[tuple[object, ...]]:
        """Those of handles of arrays."""
        arrays: list[Any] = [each for each in self._handles if hasattr(each, "dtype")]
        return {(str(array.dtype), array.shape) for array in arrays}

    def place(self, row: int) -> tuple[str, str]:
        """As the handle's reference tells it."""
        handle = self._handles[row]
        told = {} if handle is None else handle.to_json()
        return str(told.get("store") or ""), str(told.get("path"))

    def opened(self, connection: Database | None) -> Opened:
        """The handles themselves, which know their stores."""
        del connection
        homes = [handle.home for handle in self._handles if handle is not None]
        return Opened(self._handles.__getitem__, threads_for(homes[:1]))


class ReferenceObjects:
    """References in a column of structs.

    Raises `DataTypeError` for a column of another type.
    """

    def __init__(self, series: pl.Series) -> None:
        fields = dict(series.dtype) if isinstance(series.dtype, pl.Struct) else {}
        if not {"store", "path"} <= fields.keys():
            reason = f"a column of {series.dtype} refers to no objects"
            raise DataTypeError(reason, column=series.name, expected=_WANTED, value=series.dtype)
        self._present = series.is_not_null()
        self._told = series.struct.unnest().select(
            (pl.col(name) if name in fields else pl.lit(None)).cast(kind).alias(name)
            for name, kind in _FIELDS.items()
        )

    @cached_property
    def sizes(self) -> list[int]:
        """Of arrays those of their elements, of all others those of their objects."""
        kinds = self._told["dtype"].unique().drop_nulls().to_list()
        itemsizes = {kind: _itemsize(kind) for kind in kinds}
        elements = pl.col("shape").list.eval(pl.element().product()).list.first()
        itemsize = pl.col("dtype").replace_strict(itemsizes, default=None, return_dtype=pl.Int64)
        return self._told.select(pl.coalesce(elements * itemsize, "size", 0)).to_series().to_list()

    @cached_property
    def forms(self) -> set[tuple[object, ...]]:
        """Those of references that tell a type."""
        told = self._told.lazy().select("dtype", "shape").drop_nulls().unique(maintain_order=True)
        return {(dtype, tuple(shape)) for dtype, shape in told.collect().iter_rows()}

    def place(self, row: int) -> tuple[str, str]:
        """As the struct tells it."""
        return self._told["store"][row] or "", self._told["path"][row]

    def opened(self, connection: Database | None) -> Opened:
        """What opens a reference in its store."""
        names = self._told.filter(self._present)["store"].fill_null("").unique().to_list()
        stores = stores_of(names, connection)
        told = {name: self._told[name].to_list() for name in _FIELDS}
        present = self._present.to_list()

        def handle(row: int) -> StoredHandle | None:
            if not present[row]:
                return None
            reference = {name: values[row] for name, values in told.items()}
            return open_reference(reference, stores[reference["store"] or ""])

        return Opened(handle, threads_for(stores.values()))


def stores_of(names: Collection[str], connection: Database | None) -> dict[str, Store]:
    """The stores of these names, of the connection or else of the one database that must be meant.

    That is the one that gave columns of references to this process; where none did, the one that knows
    stores of these names.

    Raises `DjflowError` where there is none or more than one, `ConfigError` for a name that it has not.
    """
    database = connection or (_meant(names) if names else None)
    return {name: database.open_store(name) for name in names} if database else {}


def remember(database: Database) -> None:
    """Note that columns of references in this process come from a database."""
    _givers.add(database)


def _meant(names: Collection[str]) -> Database:
    found: dict[tuple[object, ...], Database] = {}
    for each in list(_givers) or databases():
        with suppress(DjflowError):  # thread-safe mode, a mistake in a file, or a store that it does not know
            known = each.settings.stores
            found.setdefault(tuple(known.named(name or None) for name in names), each)
    if len(found) == 1:
        return next(iter(found.values()))
    told = ", ".join(repr(name) for name in sorted(names))
    count = "Several databases" if found else "No database"
    raise DjflowError(f"{count} of this process could be meant by the stores {told} of a column.").suggest(
        "Say which: .dj.load(connection=schema.connection), or connection=dj.conn()."
    )


def _itemsize(dtype: str) -> int | None:
    with suppress(ValueError, TypeError, SyntaxError):
        return parse_dtype(dtype).itemsize
    return None


_WANTED: Final = "a store column such as <npy@>, of to_polars() or to_arrow(), or lazy references"
