"""What became of each table in a run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from djflow.pipeline.events import Ended

if TYPE_CHECKING:
    import polars as pl

    from djflow.pipeline.tiers import AutoPopulated


@dataclass(slots=True)
class Line:
    """What became of the keys of one table, what they took of workers, and what was written."""

    made: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    rows: int = 0
    nbytes: int = 0


@dataclass(slots=True)
class Summary:
    """Adds up, for each table, what ended."""

    tables: Sequence["type[AutoPopulated]"]
    lines: dict["type[AutoPopulated]", Line] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = {table: Line() for table in self.tables}

    def add(self, ended: Ended) -> None:
        """Some keys of a table."""
        line = self.lines[ended.table]
        line.made += ended.made
        line.failed += len(ended.failed)
        line.skipped += ended.skipped
        line.seconds += ended.seconds
        line.rows += ended.rows
        line.nbytes += ended.nbytes

    def frame(self) -> "pl.DataFrame":
        """A row a table: keys `made`, `failed`, `skipped`; `seconds` of workers, `rows`, `bytes` written."""
        import polars as pl

        lines = self.lines.values()
        return pl.DataFrame(
            {
                "table": pl.Series(labels(self.tables), dtype=pl.String),
                "made": pl.Series([line.made for line in lines], dtype=pl.Int64),
                "failed": pl.Series([line.failed for line in lines], dtype=pl.Int64),
                "skipped": pl.Series([line.skipped for line in lines], dtype=pl.Int64),
                "seconds": pl.Series([line.seconds for line in lines], dtype=pl.Float64),
                "rows": pl.Series([line.rows for line in lines], dtype=pl.Int64),
                "bytes": pl.Series([line.nbytes for line in lines], dtype=pl.Int64),
            }
        )


def labels(tables: Sequence["type[AutoPopulated]"]) -> list[str]:
    """The names of classes; where two are alike, with those of their schemas."""
    names = [table.__name__ for table in tables]
    return [
        f"{table().table_model.name.schema}.{name}" if names.count(name) > 1 else name
        for table, name in zip(tables, names, strict=True)
    ]
