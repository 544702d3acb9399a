"""Dates and times that PostgreSQL has and files have not."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from djflow.errors import ArchiveError

# What PostgreSQL can hold, 4713 BC to 294276 AD (dates 5874897 AD): beyond lies what became of `infinity`.
_DAYS: Final = (-2_440_588, 2_145_031_948)
_MICROSECONDS: Final = (-210_866_803_200_000_000, 9_223_371_331_200_000_000)


def check_moments(batch: pa.RecordBatch) -> None:
    """Raise `ArchiveError` where a date or time is infinite.

    >>> check_moments(pa.record_batch({"d": pa.array([20_000], pa.date32())}))
    """
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if pa.types.is_date32(field.type):
            numbers, (least, most) = column.view(pa.int32()), _DAYS
        elif pa.types.is_timestamp(field.type):
            numbers, (least, most) = column.view(pa.int64()), _MICROSECONDS
        else:
            continue
        bounds = pc.min_max(numbers).as_py()
        if bounds["min"] is not None and not least <= bounds["min"] <= bounds["max"] <= most:
            raise ArchiveError(
                f"{field.name!r} has an infinite date. Replace it by null or a date far away, or leave it out"
            )
