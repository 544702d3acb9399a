"""The definitions that djflow and DataJoint both declare, and the rows that go into them."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import polars as pl

TRIAL: Final = """
session : int32
trial   : int32
---
speed    : float64
angle    : float32
block    : int16
rewarded : bool
site     : varchar(16)
started  : datetime
"""

SAMPLE: Final = """
sample : int64
---
channel  : int32
voltage  : float64
accepted : bool
label    : varchar(16)
taken    : datetime
"""

TRACE: Final = """
trace : int32
---
voltage : <blob>
"""

ARRAY: Final = """
number : int32
---
trace : <npy@{store}>
"""

SOURCE: Final = """
number : int32
"""

RESULT: Final = """
-> {source}
---
twice : int64
"""

TRIALS_OF_SESSION: Final = 1000


def trials(rows: int) -> "pl.DataFrame":
    """Rows of `TRIAL`: a thousand trials of each session, in the order of the key."""
    import numpy as np
    import polars as pl

    random, number = np.random.default_rng(1), np.arange(rows)
    return pl.DataFrame(
        {
            "session": (number // TRIALS_OF_SESSION).astype(np.int32),
            "trial": (number % TRIALS_OF_SESSION).astype(np.int32),
            "speed": random.normal(size=rows),
            "angle": random.normal(size=rows).astype(np.float32),
            "block": random.integers(0, 100, rows).astype(np.int16),
            "rewarded": random.integers(0, 2, rows).astype(bool),
        }
    ).with_columns(site=_site(pl.col("block")), started=_moment(pl.int_range(pl.len())))


def some_keys(rows: int, count: int) -> "pl.DataFrame":
    """Keys of random rows among `trials(rows)`, in no order."""
    import polars as pl

    keys = trials(rows).select("session", "trial")
    return keys.sample(min(count, rows), seed=5, shuffle=True).cast(pl.Int64)


def keys_and_strangers(keys: "pl.DataFrame") -> "pl.DataFrame":
    """As many keys, every second of which has another first number than any of these, in no order."""
    import polars as pl

    first = pl.col(keys.columns[0])
    stranger = first + first.max() + 1
    return (
        keys.with_row_index("place")
        .with_columns(pl.when(pl.col("place") % 2 == 0).then(first).otherwise(stranger))
        .drop("place")
        .sample(fraction=1, seed=6, shuffle=True)
    )


def samples(rows: int) -> "pl.DataFrame":
    """Rows of `SAMPLE`, in the order of the key."""
    import numpy as np
    import polars as pl

    random = np.random.default_rng(2)
    return pl.DataFrame(
        {
            "sample": np.arange(rows),
            "channel": random.integers(0, 384, rows).astype(np.int32),
            "voltage": random.normal(size=rows),
            "accepted": random.integers(0, 2, rows).astype(bool),
        }
    ).with_columns(label=_site(pl.col("channel")), taken=_moment(pl.col("sample")))


def _site(number: "pl.Expr") -> "pl.Expr":
    import polars as pl

    return pl.concat_str(pl.lit("site-"), number.cast(pl.String))


def _moment(number: "pl.Expr") -> "pl.Expr":
    import polars as pl

    return (pl.datetime(2024, 1, 1) + number * pl.duration(milliseconds=40)).cast(pl.Datetime("us"))


def counts(rows: int, length: int) -> "np.ndarray[Any, Any]":
    """Traces that compress well: small whole numbers as float64."""
    import numpy as np

    return np.random.default_rng(3).integers(0, 20, size=(rows, length)).astype(np.float64)


def noise(rows: int, length: int) -> "np.ndarray[Any, Any]":
    """Traces that do not compress, and are stored as they are."""
    import numpy as np

    return np.random.default_rng(4).normal(size=(rows, length))


def arrays(rows: int) -> "Iterator[dict[str, Any]]":
    """Rows of `ARRAY`, 64 KB each."""
    import numpy as np

    noise = np.random.default_rng(5).normal(size=2 * 8192)
    return ({"number": number, "trace": noise[number % 8192 :][:8192]} for number in range(rows))
