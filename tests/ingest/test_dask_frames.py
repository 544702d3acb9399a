"""Dask frames and delayed pieces go into tables a few partitions at a time, whole or not at all."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import djflow as dj
from djflow.errors import (
    DataTypeError,
    DuplicateError,
    InvalidRowsError,
    MissingAttributeError,
    UnknownAttributeError,
)
from djflow.ingest.dask.computing import _shut_down, results
from djflow.ingest.prepare import prepare, prepare_runs
from djflow.model.names import TableName
from djflow.model.table import Attribute, Null, Table
from djflow.model.types import CoreType

dask: Any = pytest.importorskip("dask")
dd: Any = pytest.importorskip("dask.dataframe")
distributed: Any = pytest.importorskip("distributed")

INT32, TEXT, FLOAT = CoreType("int32"), CoreType("varchar", (20,)), CoreType("float64")
WEIGHT = Table(
    TableName("lab", "weight"),
    "",
    (
        Attribute("rat", INT32, INT32, in_key=True),
        Attribute("name", TEXT, TEXT),
        Attribute("weight", FLOAT, FLOAT, nullable=True, default=Null()),
    ),
)


def weights(rows: int = 10) -> pd.DataFrame:
    frame = pd.DataFrame({"rat": range(rows), "name": [f"r{n}" for n in range(rows)], "weight": 1.5})
    return frame.convert_dtypes(dtype_backend="pyarrow")


def rows_of(source: Any) -> list[dict[str, Any]]:
    return [row for batch in prepare(source, WEIGHT) for row in batch.to_pylist()]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    workers = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    # Other tests compute without it: its workers cannot import this module.
    with workers, distributed.Client(workers, set_as_default=False) as client:
        yield client


# pieces


def test_results_come_in_order_and_no_more_than_a_few_are_ahead() -> None:
    begun: list[int] = []

    def piece(n: int) -> int:
        begun.append(n)
        return n

    computed = results([dask.delayed(piece)(n) for n in range(100)])
    most = 0
    for position, result in enumerate(computed):
        assert result == position
        most = max(most, len(begun) - position)
    from dask.system import CPU_COUNT

    assert most <= 2 * CPU_COUNT + 1
    assert sorted(begun) == list(range(100))


def test_what_several_pieces_need_is_computed_once() -> None:
    calls: list[int] = []

    def common() -> int:
        calls.append(1)
        return 40

    base = dask.delayed(common, pure=True)()
    assert list(results([base + n for n in range(30)])) == list(range(40, 70))
    assert calls == [1]


def test_the_setting_of_dask_says_where_pieces_are_computed() -> None:
    here = threading.current_thread().name
    piece = dask.delayed(lambda: threading.current_thread().name)
    with dask.config.set(scheduler="synchronous"):
        assert list(results([piece()])) == [here]
    with dask.config.set(scheduler="threads"):
        [there] = results([piece()])
    assert there.startswith("djflow-dask")


def test_the_threads_end_when_nobody_asks_any_more() -> None:
    computed = results([dask.delayed(abs)(-n) for n in range(100)])
    next(computed)
    del computed
    assert [t.name for t in threading.enumerate() if t.name.startswith("djflow-dask")] == []


# frames


@pytest.mark.parametrize("partitions", [1, 3, 10])
def test_a_dask_frame_has_the_rows_of_its_partitions(partitions: int) -> None:
    whole = weights()
    assert rows_of(dd.from_pandas(whole, npartitions=partitions)) == rows_of(whole)


def test_a_named_index_is_a_column() -> None:
    frame = dd.from_pandas(weights().set_index("rat"), npartitions=3)
    assert frame.known_divisions
    assert rows_of(frame) == rows_of(weights())


def test_rows_are_numbered_through_all_partitions() -> None:
    frame = dd.from_pandas(weights(), npartitions=5)
    spoilt = frame.assign(rat=frame["rat"].where(frame["rat"] != 7, 2**40))
    with pytest.raises(DataTypeError, match="row 7, column 'rat'"):
        rows_of(spoilt)


def test_an_empty_dask_frame_gives_no_rows() -> None:
    assert rows_of(dd.from_pandas(weights(0), npartitions=1)) == []


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"heavy": 1}, UnknownAttributeError, "heavy"),
        ({"rat": pd.Timestamp("2024-01-01")}, DataTypeError, "column 'rat': so the Dask frame's meta says"),
        ({"name": 1.5}, DataTypeError, "column 'name'"),
    ],
)
def test_names_and_types_are_refused_before_anything_is_computed(
    change: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        rows_of(never_computed(weights(1).assign(**change)))


def test_a_missing_column_is_told_before_anything_is_computed() -> None:
    with pytest.raises(MissingAttributeError, match="name"):
        rows_of(never_computed(weights(1)[["rat"]]))


def never_computed(meta: pd.DataFrame) -> Any:
    def fail(_number: int) -> pd.DataFrame:
        raise AssertionError("It was computed.")

    return dd.from_map(fail, range(3), meta=meta.head(0))


def test_columns_that_pandas_has_as_floats_because_all_is_missing_are_nulls() -> None:
    frame = dd.from_pandas(weights(4).assign(weight=np.nan), npartitions=2)
    assert [row["weight"] for row in rows_of(frame)] == [None] * 4


def test_runs_of_rows_are_cut_across_partitions() -> None:
    frame = dd.from_pandas(weights(), npartitions=4)
    runs = prepare_runs(frame, WEIGHT, 4)
    assert [sum(batch.num_rows for batch in run) for run in runs] == [4, 4, 2]


def test_a_shuffled_frame_keeps_all_rows() -> None:
    frame = dd.from_pandas(weights(50), npartitions=5).shuffle("name")
    assert sorted(rows_of(frame), key=lambda row: row["rat"]) == rows_of(weights(50))


@pytest.mark.parametrize("kind", ["Series", "Array", "Bag"])
def test_what_dask_has_besides_frames_is_refused_by_name(kind: str) -> None:
    import dask.array
    import dask.bag

    frame = dd.from_pandas(weights(), npartitions=2)
    others: dict[str, Any] = {
        "Series": frame["rat"],
        "Array": dask.array.zeros(3),
        "Bag": dask.bag.from_sequence([{"rat": 1}]),  # type: ignore[no-untyped-call]
    }
    with pytest.raises(InvalidRowsError, match=f"Dask's {kind}. Make a frame of it"):
        rows_of(others[kind])


# several frames


def test_frames_one_after_another_are_rows_of_one_source() -> None:
    first, second = weights().head(6), weights().tail(4)
    batches = pa.Table.from_pandas(weights(), preserve_index=False).to_batches(max_chunksize=3)
    every: list[Any] = [
        [first, second],
        [pl.from_pandas(first), pl.from_pandas(second).lazy()],
        batches,
        iter(batches),
        [pa.Table.from_batches([batch]) for batch in batches],
        [dask.delayed(weights)().head(6), dask.delayed(pl.from_pandas)(second)],
        dask.delayed(weights)(),
    ]
    for source in every:
        assert rows_of(source) == rows_of(weights())


def test_rows_are_numbered_through_all_frames() -> None:
    spoilt = weights().tail(3).assign(rat=["8", "nine", "10"])
    with pytest.raises(DataTypeError, match="row 8, column 'rat'"):
        rows_of([weights().head(7), spoilt])


def test_rows_among_frames_are_refused() -> None:
    with pytest.raises(InvalidRowsError, match="here is a list"):
        rows_of([weights(), [1, "a", 1.5]])


# tables


@pytest.fixture
def tables(schema: dj.Schema) -> tuple[Any, Any]:
    definition = """
    id : int32
    ---
    label : varchar(8)
    tag : uuid
    value = null : float64
    price : decimal(6,2)
    facts : json
    seen : datetime
    trace : <blob>
    wave : <npy@>
    movie : <zarr@>
    """
    source = schema(type("Source", (dj.Manual,), {"definition": definition}))
    copy = schema(type("Copy", (dj.Manual,), {"definition": definition}))
    values = [None, float("nan"), 2.5]
    source().insert(
        {
            "id": n,
            "label": f"l{n}",
            "tag": f"0000000000000000000000000000000{n:x}",
            "value": values[n % 3],
            "price": "1.25",
            "facts": {"n": [n]},
            "seen": "2024-01-01 10:00:00.123",
            "trace": {"n": n},
            "wave": np.arange(n + 1.0),
            "movie": np.arange(n + 2),
        }
        for n in range(12)
    )
    return source(), copy()


def assert_same(source: Any, copy: Any) -> None:
    objects = ["trace", "wave", "movie"]
    plain = source.proj(*[name for name in source.heading.names if name not in objects])
    assert copy.proj(*plain.heading.names).to_polars().equals(plain.to_polars())
    assert copy.to_arrays("trace").tolist() == source.to_arrays("trace").tolist()
    for name in ("wave", "movie"):
        for mine, theirs in zip(copy.to_arrays(name), source.to_arrays(name), strict=True):
            np.testing.assert_array_equal(mine[:], theirs[:])


def test_what_to_dask_gives_goes_into_another_table(tables: tuple[Any, Any]) -> None:
    source, copy = tables
    copy.insert(source.to_dask(4))
    assert_same(source, copy)


def test_what_to_dask_gives_goes_by_way_of_a_cluster_into_another_table(
    tables: tuple[Any, Any], cluster: Any
) -> None:
    source, copy = tables
    with cluster.as_current():
        copy.insert(source.to_dask(4))
    assert_same(source, copy)


def test_longer_keys_are_columns_of_both(schema: dj.Schema) -> None:
    definition = "a : int16\nb : varchar(4)\n---\nx : float32"
    source = schema(type("Pair", (dj.Manual,), {"definition": definition}))()
    copy = schema(type("PairCopy", (dj.Manual,), {"definition": definition}))()
    source.insert([(n, str(n % 3), n / 4) for n in range(20)])
    copy.insert(source.to_dask(3))
    assert copy.to_polars().equals(source.to_polars())


@pytest.fixture
def numbers(schema: dj.Schema) -> Any:
    return schema(type("Number", (dj.Manual,), {"definition": "id : int32\n---\nn : float64"}))()


def test_a_partition_that_fails_tells_its_own_error_and_nothing_is_inserted(
    numbers: Any, cluster: Any
) -> None:
    def spoil(part: pd.DataFrame) -> pd.DataFrame:
        if (part["id"] == 7).any():
            raise ZeroDivisionError("no spectrum of nothing")
        return part

    frame = dd.from_pandas(pd.DataFrame({"id": range(10), "n": 0.5}), npartitions=5)
    spoilt = frame.map_partitions(spoil, meta=frame._meta)
    with pytest.raises(ZeroDivisionError, match="no spectrum"):
        numbers.insert(spoilt)
    with cluster.as_current(), pytest.raises(ZeroDivisionError, match="no spectrum"):
        numbers.insert(spoilt)
    assert len(numbers) == 0


def test_a_key_that_exists_undoes_all_partitions(numbers: Any, cluster: Any) -> None:
    numbers.insert([(8, 0.0)])
    frame = dd.from_pandas(pd.DataFrame({"id": range(10), "n": 0.5}), npartitions=5)
    with cluster.as_current():
        with pytest.raises(DuplicateError):
            numbers.insert(frame)
        assert len(numbers) == 1
        numbers.insert(frame, skip_duplicates=True)
    assert numbers.to_dicts()[8:] == [{"id": 8, "n": 0.0}, {"id": 9, "n": 0.5}]


def test_a_cluster_keeps_nothing_of_what_was_inserted_or_given_up(numbers: Any, cluster: Any) -> None:
    def part(number: int) -> pd.DataFrame:
        if number == 12:
            raise ZeroDivisionError
        return pd.DataFrame({"id": [number], "n": [0.5]})

    meta = pd.DataFrame({"id": [0], "n": [0.5]}).head(0)
    with cluster.as_current():
        numbers.insert(dd.from_map(part, range(9), meta=meta))
        with pytest.raises(ZeroDivisionError):
            numbers.insert(dd.from_map(part, range(10, 30), meta=meta))
    deadline = time.monotonic() + 20
    while any(cluster.has_what().values()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(numbers) == 9


def test_a_dask_frame_can_be_validated_without_being_inserted(numbers: Any) -> None:
    good = dd.from_pandas(pd.DataFrame({"id": range(10), "n": 0.5}), npartitions=2)
    assert numbers.validate(good)
    assert not numbers.validate(good.assign(id="no number"))
    assert not numbers.validate(good.assign(more=1))
    assert numbers.validate(good.assign(more=1), ignore_extra_fields=True)
    assert len(numbers) == 0


def test_a_make_may_insert_a_dask_frame(schema: dj.Schema) -> None:
    @schema
    class Start(dj.Lookup):
        definition = "start : int32"
        contents = ((0,), (10,))

    @schema
    class Count(dj.Computed):
        definition = "-> Start"

        class Step(dj.Part):
            definition = "-> master\nstep : int32"

        def make(self, key: dict[str, Any]) -> None:
            self.insert1(key)
            start = key["start"]
            steps = pd.DataFrame({"start": start, "step": range(start, start + 5)})
            self.Step().insert(dd.from_pandas(steps, npartitions=2))

    Count().populate()
    assert Count.Step().to_arrays("step").tolist() == [*range(5), *range(10, 15)]


def test_partitions_that_depend_on_each_other_come_from_a_cluster_whole(numbers: Any, cluster: Any) -> None:
    frame = dd.from_pandas(pd.DataFrame({"key": range(60), "n": np.arange(60.0)[::-1]}), npartitions=6)
    sums = frame.assign(id=frame["key"] // 2).shuffle("id").groupby("id")["n"].sum().to_frame()
    with cluster.as_current():
        numbers.insert(sums)
        numbers.insert(frame.assign(id=frame["key"] + 100)[["id", "n"]].set_index("n"))
    assert len(numbers & "id < 100") == 30
    assert numbers.to_dicts()[0] == {"id": 0, "n": 59.0 + 58.0}
    assert len(numbers & "id >= 100") == 60


def test_a_task_of_a_cluster_inserts_a_frame_without_waiting_for_others(numbers: Any, cluster: Any) -> None:
    def insert_into(database: Any, name: str, start: int) -> None:
        frame = dd.from_pandas(pd.DataFrame({"id": range(start, start + 6), "n": 0.5}), npartitions=3)
        dj.FreeTable(database, name).insert(frame + frame.mean() * 0)

    assert len(numbers) == 0  # which creates the table
    name = numbers.full_table_name
    tasks = [cluster.submit(insert_into, numbers.connection, name, start) for start in (0, 10)]
    cluster.gather(tasks)
    assert len(numbers) == 12


# spectra of all recordings


BANDS = {"slow": (0.0, 20.0), "fast": (20.0, 100.0)}


SPECTRA = {"recording": "int32[pyarrow]", "band": "string[pyarrow]", "power": "float64[pyarrow]"}


@pytest.mark.parametrize("codec", ["<zarr@>", "<npy@>", "<blob>"])
def test_the_spectra_of_all_recordings_are_computed_on_a_cluster(
    schema: dj.Schema, cluster: Any, codec: str
) -> None:
    @schema
    class Recording(dj.Manual):
        definition = f"recording : int32\n---\nrate : float32\ntrace : {codec}"

    @schema
    class Power(dj.Manual):
        definition = """
        -> Recording
        band : varchar(8)
        ---
        power : float64
        """

    times = np.arange(200) / 200
    Recording().insert((n, 200.0, np.sin(2 * np.pi * (5 + 5 * n) * times)) for n in range(10))

    def spectra(recordings: pd.DataFrame) -> pd.DataFrame:
        """The power of each recording in bands, a row a recording and band."""
        rows = []
        for recording, rate, trace in recordings[["rate", "trace"]].itertuples():
            power = np.abs(np.fft.rfft(trace[:])) ** 2
            frequencies = np.fft.rfftfreq(len(trace[:]), 1 / rate)
            rows += [
                (recording, band, float(power[(low <= frequencies) & (frequencies < high)].sum()))
                for band, (low, high) in BANDS.items()
            ]
        return pd.DataFrame(rows, columns=["recording", "band", "power"]).astype(SPECTRA)

    meta = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in SPECTRA.items()})
    with cluster.as_current():
        recordings: Any = Recording().to_dask(5)
        Power().insert(recordings.map_partitions(spectra, meta=meta))
    assert len(Power()) == 20
    loudest = dj.U("recording").aggr(Power() & "power > 1", band="max(band)").to_dicts()
    assert loudest == [{"recording": n, "band": "slow" if 5 + 5 * n < 20 else "fast"} for n in range(10)]


def test_a_pool_can_be_ended_by_a_thread_of_its_own_that_collects_garbage() -> None:
    pool = ThreadPoolExecutor(1, thread_name_prefix="djflow-dask")
    assert pool.submit(_shut_down, pool).result(10) is None
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.submit(print)
