"""Which keys a computed table is to have, and which of them it lacks."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from djflow.relation.conditions import AndList
from djflow.relation.universal import U

if TYPE_CHECKING:
    from djflow.populate.tiers import AutoPopulated
    from djflow.relation.relation import Relation


def wanted(table: "AutoPopulated", restrictions: Iterable[Any] = ()) -> "Relation":
    """The keys of `key_source` that fulfil all restrictions."""
    source = table.key_source.restrict(AndList(restrictions))
    # A table that may have attributes of its own in its key has several rows for one key of the source.
    key = tuple(name for name in table.heading.primary_key if name in source.heading)
    if source.heading.primary_key == key:
        return source.proj()
    if set(source.heading.primary_key) <= set(key):
        return source.proj(*key)
    return (U(*key) & source).proj()  # the source tells more than the table's key


def missing(table: "AutoPopulated", restrictions: Iterable[Any] = ()) -> "Relation":
    """Those of them that have no row yet."""
    return wanted(table, restrictions) - table.proj()
