"""Conditions on the keys of several tables, of which not all have all attributes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from djflow.errors import InvalidArgumentError, UnknownAttributeError
from djflow.relation.conditions import Not
from djflow.relation.relation import Relation
from djflow.tables.declared import Table

if TYPE_CHECKING:
    from djflow.pipeline.tiers import AutoPopulated


def check_known(tables: Sequence["AutoPopulated"], restrictions: Sequence[Any]) -> None:
    """Raise `InvalidArgumentError` for a condition that narrows none of the tables."""
    for condition in restrictions:
        if not any(_applies(table.key_source, condition) for table in tables):
            raise InvalidArgumentError(f"No table has keys with the attributes of {condition!r}.")


def fitting(table: "AutoPopulated", restrictions: Sequence[Any]) -> tuple[Any, ...]:
    """The conditions that say something of a table's keys."""
    source = table.key_source
    return tuple(condition for condition in restrictions if _applies(source, condition))


def _applies(source: Relation, condition: Any) -> bool:
    if isinstance(condition, Not):
        return _applies(source, condition.condition)
    if isinstance(condition, str):
        try:
            source.restrict(condition)
        except UnknownAttributeError:
            return False
        return True
    names = _names(condition)
    return not names or not names.isdisjoint(source.heading.names)


def _names(condition: Any) -> set[str] | None:
    """The attributes that a condition may be about; None where it may be about any."""
    if isinstance(condition, Mapping):
        return set(condition)
    if isinstance(condition, type) and issubclass(condition, Table):
        return set(condition().heading.names)
    if isinstance(condition, Relation):
        return set(condition.heading.names)
    columns = getattr(condition, "column_names", getattr(condition, "columns", None))
    return None if columns is None else set(columns)
