"""What counts as a local frame, and how its columns are read: only those that a query needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pyarrow as pa

from djflow.errors import InvalidRowsError
from djflow.ingest.plain import plain_array
from djflow.model.table import Heading

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Values: TypeAlias = "pa.Array | list[Any]"
Choice: TypeAlias = Callable[[Sequence[str]], list[str]]
"""Given the names of a source, those to read."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a frame: Arrow arrays, or lists of Python values that have no type yet."""

    values: Mapping[str, Values]
    rows: int


Reader: TypeAlias = Callable[[Any, Heading, Choice], Columns]


def reader_for(source: Any) -> Reader | None:
    """The function that reads a source, or None if it is not a frame.

    >>> table = pa.table({"a": [1], "b": [2]})
    >>> reader_for(table)(table, Heading(()), lambda names: names[1:]).values["b"].to_pylist()
    [2]
    >>> reader_for("a > 1") is None
    True
    """
    if hasattr(source, "logical_plan"):
        return None
    named = _BY_CLASS.get(_family(source))
    if named is not None:
        return named
    if isinstance(source, Path):
        return _read_file
    if getattr(getattr(source, "dtype", None), "names", None) and getattr(source, "ndim", 0) == 1:
        return _read_records
    if _is_list_of_dicts(source):
        return _read_dicts
    return next((reader for method, reader in _BY_METHOD.items() if hasattr(source, method)), None)


def _is_list_of_dicts(source: Any) -> bool:
    # The test runs once a type, not once a row: there may be many thousand.
    return (
        isinstance(source, list | tuple)
        and bool(source)
        and all(issubclass(kind, Mapping) for kind in set(map(type, source)))
    )


def _family(source: Any) -> tuple[str, str]:
    """Package and class of a frame, told without importing the package."""
    for cls in type(source).__mro__:
        package = cls.__module__.partition(".")[0]
        if package in ("polars", "pandas", "pyarrow"):
            return package, cls.__name__
    return "", ""


def _read_polars(frame: "pl.DataFrame", _heading: Heading, choose: Choice) -> Columns:
    return Columns({name: _polars_values(frame[name]) for name in choose(frame.columns)}, frame.height)


def _polars_values(series: "pl.Series") -> Values:
    # Arrow has no Python objects: exporting them would give their addresses.
    return series.to_list() if series.dtype.is_object() else plain_array(series.to_arrow())


def _read_lazy(frame: "pl.LazyFrame", heading: Heading, choose: Choice) -> Columns:
    import polars as pl

    names = choose(frame.collect_schema().names())
    if not names:
        return Columns({}, int(frame.select(pl.len()).collect(engine="streaming").item()))
    return _read_polars(frame.select(names).collect(engine="streaming"), heading, choose)


def _read_file(path: Path, heading: Heading, choose: Choice) -> Columns:
    import polars as pl

    scans = {".parquet": _scan_parquet, ".csv": _scan_csv}
    scan = scans.get(path.suffix.lower())
    if scan is None:
        raise InvalidRowsError(
            f"Cannot read {str(path)!r} as a frame: the file must end in .csv or .parquet."
        )
    if not path.is_file():
        raise InvalidRowsError(f"Cannot read {str(path)!r} as a frame: there is no such file.")
    try:
        return _read_lazy(scan(path, heading), heading, choose)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InvalidRowsError(f"Cannot read {str(path)!r} as a frame: {error}") from error


def _scan_parquet(path: Path, _heading: Heading) -> "pl.LazyFrame":
    import polars as pl

    return pl.scan_parquet(path, glob=False)


def _scan_csv(path: Path, heading: Heading) -> "pl.LazyFrame":
    import polars as pl

    # Where an attribute has the type, its text is read as it stands: 007 is not the number 7.
    names = pl.scan_csv(path, glob=False, infer_schema=False).collect_schema().names()
    texts = {name: pl.String() for name in names if name in heading}
    return pl.scan_csv(
        path, glob=False, schema_overrides=texts, infer_schema_length=None, try_parse_dates=True
    )


def _read_pandas(frame: "pd.DataFrame", _heading: Heading, choose: Choice) -> Columns:
    """Named levels of the index are columns too; pandas marks what is missing by NaN."""
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    frame = frame.rename(columns=str)
    return Columns({name: _pandas_values(frame[name]) for name in choose(list(frame.columns))}, len(frame))


def _pandas_values(series: "pd.Series[Any]") -> Values:
    try:
        return plain_array(pa.array(series, from_pandas=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        missing = series.isna()
        return [None if gone else value for value, gone in zip(series, missing, strict=True)]


def _read_records(records: Any, _heading: Heading, choose: Choice) -> Columns:
    return Columns({name: plain_array(records[name]) for name in choose(records.dtype.names)}, len(records))


def _read_dicts(rows: Sequence[Mapping[str, Any]], _heading: Heading, choose: Choice) -> Columns:
    names = dict.fromkeys(str(name) for keys in {tuple(row) for row in rows} for name in keys)
    return Columns({name: [row.get(name) for row in rows] for name in choose(sorted(names))}, len(rows))


def _read_table(table: pa.Table, _heading: Heading, choose: Choice) -> Columns:
    names = choose(table.column_names)
    for name in names:
        if table.column_names.count(name) > 1:
            raise InvalidRowsError(f"The frame has two columns of the name {name!r}; rename one.")
    return Columns({name: plain_array(table.column(name)) for name in names}, table.num_rows)


def _read_dataset(dataset: Any, heading: Heading, choose: Choice) -> Columns:
    return _read_table(dataset.to_table(columns=choose(dataset.schema.names)), heading, choose)


def _read_batch(batch: Any, heading: Heading, choose: Choice) -> Columns:
    return _read_table(pa.Table.from_batches([pa.record_batch(batch)]), heading, choose)


def _read_stream(source: Any, heading: Heading, choose: Choice) -> Columns:
    try:
        reader = pa.RecordBatchReader.from_stream(source)
    except (pa.ArrowInvalid, ValueError) as error:
        if getattr(source, "ndim", 1) == 1 and hasattr(source, "dtype"):
            raise InvalidRowsError(
                f"A {type(source).__name__} is one column, and which attribute it means is not known. "
                "Give a frame, or a dict: {'x': values}."
            ) from error
        raise InvalidRowsError(f"The {type(source).__name__} is not a stream of rows: {error}") from error
    names = choose(reader.schema.names)
    schema = pa.schema([reader.schema.field(name) for name in names])
    batches = (batch.select(names) for batch in reader)  # what is not needed is let go batch by batch
    return _read_table(pa.Table.from_batches(batches, schema), heading, choose)


_BY_CLASS: Final[dict[tuple[str, str], Reader]] = {
    ("polars", "DataFrame"): _read_polars,
    ("polars", "LazyFrame"): _read_lazy,
    ("pandas", "DataFrame"): _read_pandas,
    ("pyarrow", "Table"): _read_table,
    ("pyarrow", "RecordBatch"): _read_batch,
}
_BY_METHOD: Final[dict[str, Reader]] = {
    "__arrow_c_stream__": _read_stream,
    "__arrow_c_array__": _read_batch,
    "to_table": _read_dataset,
}
