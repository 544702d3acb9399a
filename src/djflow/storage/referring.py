"""Which columns have values that refer to objects in stores."""

from djflow.errors import DefinitionError
from djflow.model.table import Attribute
from djflow.model.types import CodecType, CoreType
from djflow.storage.codec import reaches_store


def refers(column: Attribute, *, if_unknown: bool) -> bool:
    """Whether the values of a column refer to objects; `if_unknown` where its codec is not installed.

    >>> refers(Attribute("a", CodecType("blob", "main"), CoreType("json")), if_unknown=False)
    True
    """
    if not isinstance(column.type, CodecType) or column.stored != CoreType("json"):
        return False
    try:
        return reaches_store(column.type)
    except DefinitionError:
        return if_unknown
