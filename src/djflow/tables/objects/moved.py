"""What became of objects that were copied or moved, as a frame."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from djflow.errors import ConfigError, StorageError
from djflow.storage.copying import has_checksum
from djflow.storage.handles.checksums import kind_of_problem
from djflow.tables.objects.movable import Movable

if TYPE_CHECKING:
    import polars as pl


class Step(StrEnum):
    """What was done with an object, or would be."""

    PLANNED = "to be moved"
    COPIED = "copied"
    THERE = "was there"
    MOVED = "moved"
    LEFT = "rows changed meanwhile"


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of an object; `step` is None where `error` tells why it stayed where it was."""

    movable: Movable
    step: Step | None
    size: int | None
    new_path: str | None = None
    error: StorageError | ConfigError | None = None

    @property
    def checked(self) -> str | None:
        """By what the copy was compared."""
        if self.step in (None, Step.PLANNED):
            return None
        return "checksum" if has_checksum(self.movable.reference) else "size"


def frame(moved: Iterable[Moved]) -> "pl.DataFrame":
    """A row for each object."""
    import polars as pl

    columns = {
        "attribute": pl.String(),
        "store": pl.String(),
        "path": pl.String(),
        "new_path": pl.String(),
        "rows": pl.Int64(),
        "bytes": pl.Int64(),
        "done": pl.String(),
        "checked": pl.String(),
        "problem": pl.String(),
        "detail": pl.String(),
    }
    return pl.DataFrame([_row(each) for each in moved], schema=columns, orient="row")


def _row(moved: Moved) -> tuple[object, ...]:
    movable, error = moved.movable, moved.error
    return (
        movable.attribute,
        movable.store,
        movable.path,
        moved.new_path,
        len(movable.rows),
        moved.size,
        moved.step and str(moved.step),
        moved.checked,
        error and kind_of_problem(error),
        error and str(error),
    )
