"""Dask frames: partitions read by other processes, all in one view of the database."""

import gc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import djflow as dj
from djflow.errors import QueryError, SnapshotGoneError
from djflow.relation.to_dask import read_part

dd = pytest.importorskip("dask.dataframe")


@pytest.fixture
def sample(schema: dj.Schema) -> Any:
    @schema
    class Sample(dj.Manual):
        definition = """
        id : int32
        ---
        group : varchar(4)
        value = null : float64
        seen : datetime
        trace = null : <blob>
        """

    Sample().insert(
        [(n, f"g{n % 3}", None if n % 5 == 0 else n / 2, "2024-01-01", np.arange(n % 2)) for n in range(100)]
    )
    return Sample()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    distributed: Any = pytest.importorskip("distributed")
    workers = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    with workers, distributed.Client(workers) as client:
        yield client


def test_a_dask_frame_has_the_rows_in_arrow_types(sample: Any) -> None:
    frame = sample.to_dask(4)
    assert frame.npartitions == 4
    assert frame.divisions == (0, 25, 50, 75, 99)
    rows = frame.compute(scheduler="synchronous")
    assert rows.index.tolist() == list(range(100))
    assert {name: str(kind) for name, kind in rows.dtypes.items()} == {
        "group": "string[pyarrow]",
        "value": "double[pyarrow]",
        "seen": "timestamp[us][pyarrow]",
        "trace": "object",
    }
    assert rows["value"].isna().sum() == 20
    assert [len(trace) for trace in rows["trace"]] == [n % 2 for n in range(100)]
    pd.testing.assert_frame_equal(rows.head(0), frame._meta)


def test_longer_keys_are_columns_without_divisions(lab: Any) -> None:
    frame = (lab.Session & "duration > 0").to_dask(2)
    assert not frame.known_divisions
    rows = frame.compute(scheduler="synchronous")
    assert rows[["subject", "session"]].to_dict("records") == (lab.Session & "duration > 0").keys()


def test_the_number_of_partitions_follows_that_of_rows(sample: Any) -> None:
    assert sample.to_dask().npartitions == 1
    assert (sample & "id < 0").to_dask(3).compute(scheduler="synchronous").shape == (0, 4)


def test_worker_processes_read_one_view_while_others_write(sample: Any, cluster: Any) -> None:
    expected = sample.to_polars().group_by("group").agg(pl.col("value").sum()).sort("group")
    frame = sample.to_dask(8)
    sample.connection.query(f"DELETE FROM {sample.full_table_name} WHERE id % 2 = 0")
    sample.insert([(n, "late", 1e9, "2025-01-01", None) for n in range(1000, 1100)])
    futures = [cluster.compute(part) for part in frame.to_delayed()[:4]]
    sample.connection.query(f"DELETE FROM {sample.full_table_name}")
    found = frame.groupby("group")["value"].sum().compute().sort_index()
    assert found.index.tolist() == expected["group"].to_list()
    assert found.tolist() == pytest.approx(expected["value"].to_list())
    assert sum(len(rows) for rows in cluster.gather(futures)) == 50
    assert len(sample) == 0


def test_a_worker_tells_that_the_snapshot_ended(sample: Any, cluster: Any) -> None:
    parts = sample.partitions(2)
    parts.close()
    with pytest.raises(SnapshotGoneError, match="Keep the partitions"):
        cluster.submit(read_part, parts[0]).result()


def test_the_snapshot_ends_with_the_frame(sample: Any) -> None:
    def held() -> int:
        # Other tests may hold a snapshot of their own; this one's connection is the youngest.
        sql = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_export_snapshot()'"
        return int(sample.connection.query(sql)[0][0])

    gc.collect()
    before = held()
    frame = sample.to_dask(3)
    doubled = frame[["value"]] * 2
    del frame
    gc.collect()
    assert held() == before + 1
    assert doubled.sum().compute(scheduler="synchronous")["value"] == pytest.approx(
        2 * sample.to_polars()["value"].sum()
    )


def test_a_transaction_is_refused(sample: Any) -> None:
    with sample.connection.transaction, pytest.raises(QueryError, match="outside of it"):
        sample.to_dask(2)
