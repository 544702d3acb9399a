"""References to stored arrays as Arrow structs."""

from typing import Final

import pyarrow as pa

REFERENCE: Final = pa.struct(
    [
        ("store", pa.string()),
        ("path", pa.string()),
        ("dtype", pa.string()),
        ("shape", pa.list_(pa.int64())),
        ("size", pa.int64()),
        ("checksum", pa.string()),
    ]
)


def reference_column(column: pa.Array) -> pa.Array:
    """JSON references as a struct array of type `REFERENCE`; fields that a reference lacks are null.

    >>> reference_column(pa.array(['{"path": "a.npy", "store": "main", "shape": [3]}']))[0].as_py()
    {'store': 'main', 'path': 'a.npy', 'dtype': None, 'shape': [3], 'size': None, 'checksum': None}
    """
    import polars as pl

    fields: dict[str, pl.DataType | type[pl.DataType]] = {
        "store": pl.String,
        "path": pl.String,
        "dtype": pl.String,
        "shape": pl.List(pl.Int64),
        "size": pl.Int64,
        "checksum": pl.String,
    }
    texts = pl.Series("reference", column.cast(pa.string()), dtype=pl.String)
    return texts.str.json_decode(pl.Struct(fields)).to_arrow().cast(REFERENCE)
