"""The jobs that failed, of several tables, in one frame."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from djflow.pipeline.summary import labels

if TYPE_CHECKING:
    import polars as pl

    from djflow.pipeline.tiers import AutoPopulated

_TOLD: Final = {
    "error_message": "message",
    "error_stack": "traceback",
    "host": "host",
    "pid": "pid",
    "completed_time": "time",
}


def failures_of(tables: Sequence["AutoPopulated"]) -> "pl.DataFrame":
    """See `Flow.errors`."""
    import polars as pl

    names = labels([type(table) for table in tables])
    found = [_of(table, name) for table, name in zip(tables, names, strict=True)]
    return pl.concat([pl.DataFrame(schema=_schema()), *found])


def _schema() -> "dict[str, pl.DataType | type[pl.DataType]]":
    import polars as pl

    texts = dict.fromkeys(("table", "key", "message", "traceback", "host"), pl.String)
    return {**texts, "pid": pl.Int32, "time": pl.Datetime("us")}


def _of(table: "AutoPopulated", label: str) -> "pl.DataFrame":
    import polars as pl

    jobs = table.jobs
    found, names = jobs.errors.to_polars(), jobs.table_model.primary_key
    key = pl.struct(
        pl.col(name).bin.encode("hex") if found.schema[name] == pl.Binary else pl.col(name) for name in names
    ).struct.json_encode()
    return found.select(
        pl.lit(label).alias("table"),
        key.alias("key"),
        *(pl.col(column).alias(shown) for column, shown in _TOLD.items()),
    ).with_columns(
        pl.col("traceback").cast(pl.String)  # of no row at all it is that of what is stored
    )
