"""Reading over several connections gives what one gives; only large plain reads are shared out."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import djflow as dj
from djflow.engine import parallel
from djflow.engine.compile import compile_plan
from djflow.engine.execute import stream
from djflow.planner import analyze
from djflow.planner.scalar import FALSE


@pytest.fixture
def wide(schema: dj.Schema, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A table of some hundred pages, large enough for limits that are low."""

    @schema
    class Wide(dj.Manual):
        definition = """
        n : int32
        ---
        x : float64
        note : varchar(100)
        """

    n = np.arange(20_000, dtype="int32")
    Wide().insert(pl.DataFrame({"n": n, "x": n / 7, "note": ["y" * 90] * len(n)}))
    schema.connection.query(f"ANALYZE {Wide().full_table_name}")
    monkeypatch.setattr(parallel, "MIN_PAGES", 10)
    monkeypatch.setattr(parallel, "MIN_ROWS", 1000)
    return Wide()


@given(st.integers(1, 1000), st.integers(1, 8))
def test_page_ranges_meet_without_a_gap(pages: int, readers: int) -> None:
    ranges = parallel.plan_ranges(pages, readers)
    assert len(ranges) == readers
    assert ranges[0].start is None
    assert ranges[-1].end is None
    assert all(a.end == b.start for a, b in pairwise(ranges))


def read(relation: Any) -> tuple[int, pa.Table]:
    """How many connections share the reading, and the rows."""
    session, compiled = relation.connection.session, compile_plan(relation.logical_plan)
    readers = parallel.readers_for(session, compiled)
    return len(readers), pa.Table.from_batches(parallel.whole(session, compiled))


def test_readers_together_give_what_one_gives(wide: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    for relation in (wide, wide & "x > 3", wide.proj(y="x * 2"), wide & {"note": "y" * 90}):
        readers, rows = read(relation)
        assert readers == parallel.MAX_READERS
        compiled = replace(compile_plan(relation.logical_plan), is_small=True)
        one = pa.Table.from_batches(stream(relation.connection.session, compiled))
        assert rows.equals(one)
        assert relation.to_arrow().equals(one)


def test_small_or_selective_reads_and_other_plans_have_one_reader(wide: Any) -> None:
    for relation in (
        wide & "n < 100",
        wide & {"n": 3},
        wide & "note = 'z'",
        wide & dj.Top(5000),
        wide.aggr(wide.proj(), total="count(*)"),
    ):
        readers, rows = read(relation)
        assert readers == 0
        assert rows.num_rows == len(relation)


def test_a_transaction_reads_its_own_rows(wide: Any) -> None:
    with wide.connection.transaction:
        wide.insert1({"n": -1, "x": 0.0, "note": ""})
        readers, rows = read(wide)
        assert readers == 0
        assert rows.num_rows == 20_001


def test_a_plan_without_a_table_has_one_reader(wide: Any) -> None:
    assert parallel.scanned_table(analyze.restrict(wide.logical_plan, FALSE)) == wide.table_model
    assert parallel.scanned_table(compile_plan((wide & False).logical_plan).optimised) is None
