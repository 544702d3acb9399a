"""Which keys a computed table is to have, and which of them it lacks."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from djflow.errors import UnusableKeyError
from djflow.model.table import Attribute
from djflow.model.types import CoreType, NativeType
from djflow.relation.conditions import AndList
from djflow.relation.universal import U

if TYPE_CHECKING:
    from djflow.pipeline.tiers import AutoPopulated
    from djflow.relation.relation import Relation

_DOCUMENT: Final = CoreType("json")


def wanted(table: "AutoPopulated", restrictions: Iterable[Any] = ()) -> "Relation":
    """The keys of `key_source` that fulfil all restrictions. Raises `UnusableKeyError`."""
    source: Relation = table.key_source.restrict(AndList(restrictions))
    # A table that may have attributes of its own in its key has several rows for one key of the source.
    key = tuple(name for name in table.heading.primary_key if name in source.heading)
    for name in key:
        _check_usable(table, source.heading[name])
    if source.heading.primary_key == key:
        return source.proj()
    if set(source.heading.primary_key) <= set(key):
        return source.proj(*key)
    return (U(*key) & source).proj()  # the source tells more than the table's key


def _check_usable(table: "AutoPopulated", attribute: Attribute) -> None:
    kind = attribute.type
    # Python has dicts and lists for them, by which nothing can be looked up.
    if kind == _DOCUMENT or (isinstance(kind, NativeType) and kind.sql.endswith("[]")):
        raise UnusableKeyError(str(table.table_model.name), attribute.name, str(kind))


def missing(table: "AutoPopulated", restrictions: Iterable[Any] = ()) -> "Relation":
    """Those of them that have no row yet."""
    return wanted(table, restrictions) - table.proj()
