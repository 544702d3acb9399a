"""Where rows refer to objects: the columns of all tables of a database."""

from djflow.configuration import StoresSettings
from djflow.errors import DefinitionError
from djflow.model.table import Attribute
from djflow.model.types import CodecType
from djflow.relation.database import Database
from djflow.sql.objects import ReferenceColumn
from djflow.storage.codec import codec_for
from djflow.storage.codecs.store_codec import SchemaCodec
from djflow.tables.archive.references import reference_columns

_OWN_CODECS = "djflow.storage.codecs."


def columns_of(database: Database) -> list[ReferenceColumn]:
    """The columns that may refer to objects, in every schema: rows can be copied from one to another."""
    stores = database.settings.stores
    return [
        ReferenceColumn(table.name, column.name, store_of(column, stores), is_plain=is_plain(column))
        for table in database.whole_catalog().tables
        for column in reference_columns(table)
    ]


def names_of(stores: StoresSettings, name: str) -> list[str]:
    """All configured names of the place that a store's name means."""
    meant = stores.named(name)
    place = (meant.protocol, meant.location, meant.options)
    return [
        each.name for each in stores.by_name.values() if (each.protocol, each.location, each.options) == place
    ]


def store_of(column: Attribute, stores: StoresSettings) -> str:
    """The name of the store that a column's values mean where they name none."""
    assert isinstance(column.type, CodecType)  # noqa: S101 - only such columns refer to objects
    default = stores.filepath_default if column.type.name == "filepath" else stores.default
    return column.type.store or default or ""


def is_plain(column: Attribute) -> bool:
    """Whether a column's values have the path of their one object under `path`."""
    assert isinstance(column.type, CodecType)  # noqa: S101 - only such columns refer to objects
    try:
        codec = codec_for(column.type)
    except DefinitionError:  # another pipeline's, which is not installed here
        return False
    return isinstance(codec, SchemaCodec) or type(codec).__module__.startswith(_OWN_CODECS)
