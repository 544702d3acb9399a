"""The values of keys, by where their attributes come from."""

from collections.abc import Mapping, Sequence
from typing import Any

from djflow.model.table import Attribute, Heading
from djflow.planner.coerce import coerce
from djflow.planner.pins import OneOf


class KeyValues:
    """What the keys of one call have, as values stand in conditions."""

    def __init__(self, keys: Sequence[Mapping[str, Any]], heading: Heading) -> None:
        """`heading` is that of the table which the keys are of."""
        self._by_lineage: dict[str, set[Any]] = {}
        for name in keys[0]:
            attribute = heading[name]
            if attribute.lineage is not None:
                values = self._by_lineage.setdefault(attribute.lineage, set())
                values.update(_constant(key[name], attribute) for key in keys)

    def have(self, lineage: str) -> bool:
        """Whether an attribute of this origin is in the keys."""
        return lineage in self._by_lineage

    def hold(self, attribute: Attribute, fact: OneOf) -> bool:
        """Whether the values to which an attribute is pinned are all those of keys, of the same origin."""
        assert attribute.lineage is not None  # noqa: S101 - the keys have it
        values = self._by_lineage[attribute.lineage]
        if not fact.constants <= values:
            return False
        return all(
            _constant(value, attribute) in values
            for column in fact.columns
            for value in column.drop_null().unique().to_pylist()
        )


def _constant(value: Any, attribute: Attribute) -> Any:
    """A value, as it is fetched or as it travels in frames, as a constant of a condition."""
    return coerce(value, attribute.stored, attribute.name)[0]
