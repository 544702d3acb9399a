"""The codec protocol: how values of a column become bytes or references, and back.

Codecs work on whole columns. A user's codec may define only `encode` and `decode` for one value;
the column methods of the base class then apply them row by row.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

import pyarrow as pa

from djflow.errors import DataTypeError, DefinitionError, did_you_mean
from djflow.model.names import TableName
from djflow.model.types import CORE_ARITY, CodecType, CoreType, arrow_type

if TYPE_CHECKING:
    import numpy as np

    from djflow.storage.store import Store

Values: TypeAlias = "Sequence[Any] | np.ndarray[Any, Any]"

# Imported when first named, so that a pipeline without Zarr never imports it.
_SHARED: Final = ("attach", "blob", "filepath", "hash", "npy", "object")  # with DataJoint
_OURS: Final = ("arrow", "parquet", "tensor", "zarr")  # users may have codecs of these names
_BUILTIN_MODULES: Final = {name: f"djflow.storage.codecs.{name}" for name in (*_SHARED, *_OURS)}
_ENTRY_POINT_GROUPS: Final = ("djflow.codecs", "datajoint.codecs")
_CODEC: Final = re.compile(r"<([a-z][a-z0-9_]*)(?:@([a-z0-9_]*))?>\Z", re.IGNORECASE)
_CORE: Final = re.compile(r"([a-z][a-z0-9]*)(?:\(\s*(\d+(?:\s*,\s*\d+)*)\s*\))?\Z")


@dataclass(frozen=True, slots=True)
class ColumnContext:
    """Where the values of a column belong.

    `keys` gives the primary key of each row, aligned with the values, when encoding.
    `open_store` opens a configured store by name ("" is the default store).
    `record` is told the store name and path of an object that one row will own, before it is written, so
    that a failed insert can remove it; `record_all` is told those of many objects at once. `share` is told
    the paths of contents that rows share, before the codec looks which of them the store has, and returns
    the paths to use in their places: another one where the object of a path is just being removed.
    `download_path` is the folder into which a column of attachments is decoded.
    """

    table: TableName
    attribute: str
    type: CodecType
    open_store: Callable[[str], "Store"]
    keys: Sequence[Mapping[str, Any]] = ()
    record: Callable[[str, str], None] = field(default=lambda _store, _path: None)
    download_path: Path = Path()
    record_all: Callable[[str, Sequence[str]], None] | None = None
    share: Callable[[str, Sequence[str]], Sequence[str]] = field(default=lambda _store, paths: paths)

    @property
    def store(self) -> "Store":
        """The store that the column's type names."""
        return self.open_store(self.type.store or "")

    def own(self, store: str, paths: Sequence[str]) -> None:
        """Record objects that one row each will own: call it once, before the first of them is written."""
        if self.record_all is not None:
            self.record_all(store, paths)
            return
        for path in paths:
            self.record(store, path)

    def key(self, row: int) -> Mapping[str, Any]:
        """The primary key of a row, empty where keys were not given."""
        return self.keys[row] if self.keys else {}

    def refuse(self, reason: object, *, row: int, value: object, expected: str = "") -> DataTypeError:
        """The error for one value of the column, to be raised by the caller."""
        return DataTypeError(
            str(reason),
            column=self.attribute,
            expected=expected or f"a value that {self.type} can encode",
            row=row,
            value=value,
            table=str(self.table),
        )


class Codec(ABC):
    """Encodes and decodes values of an attribute declared as `<name>`.

    Subclasses register themselves under their `name`; abstract ones pass `register=False`.

    >>> class Upper(Codec):
    ...     name = "upper_example"
    ...     def get_dtype(self, is_store): return "json"
    ...     def encode(self, value, *, key=None, store_name=None): return {"text": value.upper()}
    ...     def decode(self, stored, *, key=None): return stored["text"]
    >>> codec_for(CodecType("upper_example")).decode({"text": "A"})
    'A'
    """

    name: ClassVar[str]

    def __init_subclass__(cls, *, register: bool = True, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if register:
            _register(cls)

    @abstractmethod
    def get_dtype(self, is_store: bool) -> str:  # noqa: FBT001 - the documented signature
        """The type that stores the encoded value: a core type, or another codec to chain to.

        Raises `DefinitionError` where the mode is not supported.
        """

    @abstractmethod
    def encode(
        self, value: Any, *, key: Mapping[str, Any] | None = None, store_name: str | None = None
    ) -> Any:
        """The stored form of one value."""

    @abstractmethod
    def decode(self, stored: Any, *, key: Mapping[str, Any] | None = None) -> Any:
        """The value of one stored form."""

    def validate(self, value: Any) -> None:  # noqa: B027 - most codecs accept what encode accepts
        """Raise `TypeError` or `ValueError` for a value that `encode` would refuse."""

    def encode_column(self, values: Values, context: ColumnContext) -> pa.Array:
        """Encode a column; None stays null.

        Returns the Arrow type of the stored core type: binary for `bytes`, text for `json`.
        Raises `DataTypeError`, with the row, for a value that `validate` or `encode` refuses.
        """
        encoded = [
            None if value is None else self._encode_row(value, context, row)
            for row, value in enumerate(values)
        ]
        inner = _stored_as(context.type)
        if isinstance(inner, CodecType):
            return codec_for(inner).encode_column(encoded, replace(context, type=inner))
        if inner.name == "json":
            encoded = [None if value is None else json.dumps(value) for value in encoded]
        return pa.array(encoded, arrow_type(inner))

    def decode_column(self, column: pa.Array, context: ColumnContext) -> list[Any]:
        """Decode a column to Python values, or to lazy handles for objects in a store."""
        inner = _stored_as(context.type)
        if isinstance(inner, CodecType):
            stored = codec_for(inner).decode_column(column, replace(context, type=inner))
        else:
            stored = column.to_pylist()
        if inner == CoreType("json"):
            stored = [None if value is None else json.loads(value) for value in stored]
        # A null is told by the column, not by the value: a chained codec may decode something to None.
        return [
            self.decode(value) if present else None
            for value, present in zip(stored, column.is_valid().to_pylist(), strict=True)
        ]

    def arrow_column(self, column: pa.Array, context: ColumnContext) -> pa.Array | None:
        """Decode a column to an Arrow array, or None where its values have no Arrow form."""
        del column, context
        return None

    def _encode_row(self, value: Any, context: ColumnContext, row: int) -> Any:
        try:
            self.validate(value)
            key, store_name = self._told(context, row)
            return self.encode(value, key=key, store_name=store_name)
        except (TypeError, ValueError) as error:
            raise context.refuse(error, row=row, value=value) from error

    def _told(self, context: ColumnContext, row: int) -> tuple[Mapping[str, Any] | None, str | None]:
        """The key and the store's name that `encode` is given for a row; None is the default store."""
        return context.key(row) or None, context.type.store or None


_registry: dict[str, type[Codec]] = {}


def codec_for(type_: CodecType) -> Codec:
    """The codec of a type, found among the registered ones, djflow's own, and those of installed packages.

    Raises `DefinitionError` for a name that nobody registered.

    >>> codec_for(CodecType("blob")).name
    'blob'
    """
    name = type_.name
    if name not in _registry:
        _load(name)
    try:
        return _registry[name]()
    except KeyError:
        known = list_codecs()
        hint = did_you_mean(name, known).strip() or f"Known codecs: {', '.join(known)}."
        raise DefinitionError(f"No codec is named {name!r}.", hint=hint) from None


def get_codec(name: str) -> Codec:
    """The codec named `blob`, `<blob>` or `<blob@store>`.

    >>> get_codec("<blob@cold>").name
    'blob'
    """
    return codec_for(CodecType(name.strip("<>").partition("@")[0]))


def list_codecs() -> list[str]:
    """The names of all codecs that can be used, sorted.

    >>> set(list_codecs()) >= {"blob", "hash", "npy", "zarr"}
    True
    """
    installed = {point.name for group in _ENTRY_POINT_GROUPS for point in entry_points(group=group)}
    return sorted(_registry.keys() | _BUILTIN_MODULES.keys() | installed)


def resolve_dtype(type_: CodecType) -> CoreType:
    """The core type that holds a codec's values in the table, at the end of its chain.

    Raises `DefinitionError` for a chain that never ends or ends in an unknown type.

    >>> resolve_dtype(CodecType("blob")), resolve_dtype(CodecType("blob", "main"))
    (CoreType(name='bytes', args=()), CoreType(name='json', args=()))
    """
    return _chain(type_)[1]


def reaches_store(type_: CodecType) -> bool:
    """Whether values lie in a store: those of the codec itself, or of one to which it chains.

    Raises `DefinitionError` as `resolve_dtype` does.

    >>> reaches_store(CodecType("blob")), reaches_store(CodecType("blob", ""))
    (False, True)
    """
    return type_.store is not None or any(codec.store is not None for codec in _chain(type_)[0])


def _chain(type_: CodecType) -> tuple[list[CodecType], CoreType]:
    """A codec and those to which it chains, and the core type at the end."""
    seen = [type_]
    while isinstance(inner := _stored_as(seen[-1]), CodecType):
        if inner in seen:
            raise DefinitionError(f"Codecs chain in a circle: {' -> '.join(map(str, [*seen, inner]))}.")
        seen.append(inner)
    return seen, inner


def _stored_as(type_: CodecType) -> CoreType | CodecType:
    """The next type in a codec's chain; the store's name is handed down."""
    text = codec_for(type_).get_dtype(type_.store is not None).strip()
    if chained := _CODEC.match(text):
        return CodecType(chained[1], chained[2] if type_.store is None else type_.store)
    core = _CORE.match(text)
    arguments = tuple(int(number) for number in core[2].split(",")) if core and core[2] else ()
    if core is None or not _fits(core[1], len(arguments)):
        known = ", ".join(CORE_ARITY)
        raise DefinitionError(
            f"Codec {type_} is stored as {text!r}, which is no type.", hint=f"Types: {known}."
        )
    return CoreType(core[1], arguments)


def _fits(name: str, arguments: int) -> bool:
    least, most = CORE_ARITY.get(name, (0, -1))
    return least <= arguments <= most


def _load(name: str) -> None:
    if name in _BUILTIN_MODULES:
        import_module(_BUILTIN_MODULES[name])
        return
    for group in _ENTRY_POINT_GROUPS:
        for point in entry_points(group=group, name=name):
            _registry.setdefault(name, point.load())


def _register(cls: type[Codec]) -> None:
    if not str(getattr(cls, "name", "")).isidentifier():
        raise DefinitionError(f"Codec {cls.__qualname__} has no name that a definition can tell, as 'graph'.")
    rival, own_module = _registry.get(cls.name), _BUILTIN_MODULES.get(cls.name)
    if cls.name in _SHARED and cls.__module__ != own_module:
        raise DefinitionError(
            f"Codec name {cls.name!r} is djflow's own.", hint="Give this codec another name."
        )
    if rival is not None and own_module in (cls.__module__, rival.__module__):
        # A user's codec stands for djflow's of the same name, whichever is imported first.
        _registry[cls.name] = cls if rival.__module__ == own_module else rival
        return
    # A class that is defined again, as in a notebook's cell, replaces itself.
    if rival is not None and (rival.__module__, rival.__qualname__) != (cls.__module__, cls.__qualname__):
        raise DefinitionError(
            f"Codec {cls.name!r} is registered already, by {rival.__module__}.{rival.__qualname__}.",
            hint="Give this one another name.",
        )
    _registry[cls.name] = cls
