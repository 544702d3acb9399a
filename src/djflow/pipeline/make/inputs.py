"""The rows that keys refer to, and whether they are the same ones when results are about to commit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from djflow.errors import InputChangedError, InputGoneError
from djflow.sql.inputs import parents_in_key, select_versions

if TYPE_CHECKING:
    from djflow.pipeline.tiers import AutoPopulated

Versions: TypeAlias = tuple[str | None, ...]
"""Of the row of each parent, the transaction that wrote it; None where there is no row."""


class SupersededError(InputChangedError):
    """A parent's row was updated, or deleted and inserted, since `make` began: it is to be called again."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The parents of one table in whose rows its keys are found."""

    table: "AutoPopulated"

    def versions(self, keys: Sequence[Mapping[str, Any]]) -> list[Versions]:
        """The versions of each key's parents, as this thread sees them now."""
        names, model = tuple(keys[0]), self.table.table_model
        if not parents_in_key(model, names):
            return [()] * len(keys)
        statement = select_versions(model, tuple(model.heading[name] for name in names))
        values = [[key[name] for key in keys] for name in names]
        return self.table.connection.session.execute(statement, values)

    def check(self, keys: Sequence[Mapping[str, Any]], before: Sequence[Versions]) -> None:
        """Raise `InputGoneError` for keys whose parents are gone, `SupersededError` for one with others."""
        now = self.versions(keys)
        name = type(self.table).__name__
        if gone := [dict(key) for key, versions in zip(keys, now, strict=True) if None in versions]:
            raise InputGoneError(name, gone)
        for key, old, new in zip(keys, before, now, strict=True):
            if old != new:
                raise SupersededError(name, key)
