"""Where rows refer to objects: the columns of all tables of a database."""

from os.path import realpath
from pathlib import Path
from typing import Final

from djflow.configuration import StoreSettings, StoresSettings
from djflow.configuration.frozen import FrozenMapping
from djflow.configuration.secret import Secret
from djflow.errors import DefinitionError
from djflow.model.table import Attribute
from djflow.model.types import CodecType, CoreType, NativeType
from djflow.relation.database import Database
from djflow.sql.objects import ReferenceColumn
from djflow.storage.codec import codec_for
from djflow.storage.codecs.store_codec import SchemaCodec
from djflow.storage.referring import refers

_OWN_CODECS: Final = "djflow.storage.codecs."
# How a store is reached, which says nothing of where it is.
_WAYS: Final = frozenset({"secure", "region", "anonymous", "project"})


def columns_of(database: Database, schema: str) -> list[ReferenceColumn]:
    """The columns that may refer to objects of a schema, in every schema: rows can be copied.

    Somebody may have made copies by hand, without the comments that tell codecs. So JSON of other kinds is
    looked at, too, in the schema itself and where there are such columns.
    """
    stores, tables = database.settings.stores, database.whole_catalog().tables
    schemas = {table.name.schema for table in tables if any(map(_refers, table.columns))} | {schema}
    return [
        ReferenceColumn(table.name, column.name, store_of(column, stores), is_plain=is_plain(column))
        for table in tables
        if table.name.schema in schemas
        for column in table.columns
        if _refers(column) or _is_json(column)
    ]


def _refers(column: Attribute) -> bool:
    return refers(column, if_unknown=True)


def _is_json(column: Attribute) -> bool:
    kind = column.stored
    return kind == CoreType("json") or (isinstance(kind, NativeType) and kind.sql in ("json", "jsonb"))


def names_of(stores: StoresSettings, name: str) -> list[str]:
    """All configured names of the place that a store's name means."""
    place = place_of(stores.named(name))
    return [each.name for each in stores.by_name.values() if place_of(each) == place]


def names_elsewhere(stores: StoresSettings, name: str) -> list[str]:
    """The names of all stores that are configured to be in other places."""
    return sorted(set(stores.by_name) - set(names_of(stores, name)))


def place_of(store: StoreSettings) -> tuple[object, ...]:
    """Where a store's objects lie, however and by whom it is reached.

    >>> place_of(StoreSettings("main", "s3", "/lab/")) == place_of(StoreSettings("other", "s3", "lab"))
    True
    """
    options = {name: value for name, value in store.options.items() if not isinstance(value, Secret)}
    server = str(options.pop("endpoint", "")).lower().rpartition("://")[2].rstrip("/")
    endpoint = "" if server.endswith(".amazonaws.com") else server  # the default one, whichever it is
    told = {name: value for name, value in options.items() if name not in _WAYS}
    is_folder = store.protocol == "file"
    location = realpath(Path(store.location).expanduser()) if is_folder else store.location.strip("/")
    return store.protocol, location, endpoint, FrozenMapping(told)


def store_of(column: Attribute, stores: StoresSettings) -> str:
    """The name of the store that a column's values mean where they name none."""
    if not isinstance(column.type, CodecType):
        return ""
    default = stores.filepath_default if column.type.name == "filepath" else stores.default
    return column.type.store or default or ""


def is_plain(column: Attribute) -> bool:
    """Whether a column's values have the path of their one object under `path`."""
    if not _refers(column) or not isinstance(column.type, CodecType):
        return True
    try:
        codec = codec_for(column.type)
    except DefinitionError:  # another pipeline's, which is not installed here
        return False
    return isinstance(codec, SchemaCodec) or type(codec).__module__.startswith(_OWN_CODECS)
