"""Columns of blobs against bare zlib and against the same blobs one by one.

Run: python benchmarks/bench_blob.py
"""

import zlib
from collections.abc import Callable
from time import perf_counter

import numpy as np
import pyarrow as pa

from djflow.storage.blob import decode_column, encode_column, pack, unpack

ROWS, FLOATS, REPEATS = 10_000, 1_000, 5
PREFIX = 14  # bytes before the zlib stream


def best(run: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return min(times)


def report(what: str, seconds: float, baseline: float, against: str) -> None:
    ratio = f"{seconds / baseline:6.3f} x {against} ({baseline * 1e3:.1f} ms)"
    print(f"{what:<34} {seconds * 1e3:9.1f} ms   {ratio}")


def bench_plain(values: np.ndarray) -> None:
    column = encode_column(values)
    rows = column.to_pylist()
    assert len(rows[0]) > FLOATS * values.itemsize
    assert np.array_equal(decode_column(column), values)
    report(
        "decode, uncompressed",
        best(lambda: decode_column(column)),
        best(lambda: [unpack(r) for r in rows]),
        "row by row",
    )
    report("decode, uncompressed", best(lambda: decode_column(column)), best(values.copy), "a bare copy")
    report(
        "encode, uncompressed",
        best(lambda: encode_column(values)),
        best(lambda: [pack(v) for v in values]),
        "row by row",
    )
    report(
        "encode, list of arrays",
        best(lambda: encode_column(list(values))),
        best(lambda: [pack(v) for v in values]),
        "row by row",
    )


def bench_compressed(values: np.ndarray) -> None:
    column = encode_column(values)
    rows = column.to_pylist()
    assert all(row.startswith(b"ZL123") for row in rows)
    assert np.array_equal(decode_column(column), values)
    streams = [row[PREFIX:] for row in rows]
    plain = [pack(v, compress=False) for v in values]
    report(
        "decode, compressed",
        best(lambda: decode_column(column)),
        best(lambda: [zlib.decompress(s) for s in streams]),
        "zlib",
    )
    report(
        "  row by row",
        best(lambda: [unpack(r) for r in rows]),
        best(lambda: [zlib.decompress(s) for s in streams]),
        "zlib",
    )
    report(
        "encode, compressed",
        best(lambda: encode_column(values)),
        best(lambda: [zlib.compress(p) for p in plain]),
        "zlib",
    )


def bench_mixed(values: np.ndarray) -> None:
    column = pa.array([pack(v, compress=i % 2 == 0) for i, v in enumerate(values)], pa.binary())
    rows = column.to_pylist()
    report(
        "decode, half compressed",
        best(lambda: decode_column(column)),
        best(lambda: [unpack(r) for r in rows]),
        "row by row",
    )


def main() -> None:
    random = np.random.default_rng(0)
    noise = random.normal(size=(ROWS, FLOATS))
    counts = random.integers(0, 20, size=(ROWS, FLOATS)).astype(np.float64)
    bench_plain(noise)
    bench_compressed(counts)
    bench_mixed(counts)


if __name__ == "__main__":
    main()
