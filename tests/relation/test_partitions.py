"""Partitions: all rows, each once, in order, in one view of the database, wherever they are read."""

import gc
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot
from polars.testing import assert_frame_equal

import djflow as dj
from djflow.engine.key_ranges import KeyRange, lower_range, lower_starts, plan_key_ranges, sorted_by_key
from djflow.errors import InvalidArgumentError, QueryError, SnapshotGoneError
from djflow.planner.lower_sql import Statement
from djflow.relation.partitions import Partition

CODES = ["", "A", "B", "a", "é", "z", "$1", "it's", 'b\\"', "中"]


@pytest.fixture
def keyed(schema: dj.Schema) -> Any:
    """A table whose key has attributes of several kinds."""

    @schema
    class Keyed(dj.Manual):
        definition = """
        code : varchar(8)
        kind : enum('z', 'B', 'a')
        day : date
        n : int16
        ---
        weight : decimal(8,3)
        """

    rows = [
        (code, kind, day, n, "1.250")
        for code in CODES
        for kind in ("z", "B", "a")
        for day in ("2024-01-01", "0001-02-03")
        for n in (-3, 0, 10)
    ]
    Keyed().insert(rows)
    return Keyed()


def sent(value: Any) -> Any:
    """As another process gets it."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own


def whole(parts: Iterable[Partition]) -> pl.DataFrame:
    return pl.concat([part.to_polars() for part in parts])


@pytest.mark.parametrize("count", [1, 2, 7, 61, 400])
def test_the_parts_of_a_relation_in_order_are_the_relation(keyed: Any, count: int) -> None:
    with keyed.partitions(count) as parts:
        assert len(parts) == count
        heights = [part.to_polars().height for part in parts]
        assert_frame_equal(whole(parts), keyed.to_polars())
    full = [height for height in heights if height]
    assert max(full) - min(full) <= 1


def test_every_form_of_a_part_has_the_same_rows(lab: Any) -> None:
    for relation in (lab.Subject(), lab.Session & "duration > 0", lab.Session * lab.Trial):
        with relation.partitions(2) as parts:
            assert pa.concat_tables([part.to_arrow() for part in parts]).equals(relation.to_arrow())
            assert [row for part in parts for row in part.to_dicts()] == relation.to_dicts()
            streamed = pa.Table.from_batches(batch for part in parts for batch in part.to_batches())
            assert streamed.equals(relation.to_arrow())
            assert sum(pa.table(part).num_rows for part in parts) == len(relation)
            assert sum(len(part.to_pandas()) for part in parts) == len(relation)


def test_what_is_computed_joined_and_summarised_can_be_parted(lab: Any) -> None:
    for relation in (
        lab.Session.aggr(lab.Trial, n="count(trial)"),
        lab.Session.proj(half="session / 2", s="subject"),
        lab.Subject.extend(lab.Subject.aggr(lab.Session, n="count(session)")),
        dj.U().aggr(lab.Session, n="count(*)") if hasattr(dj, "U") else lab.Session(),
        lab.Session & [{"subject": 1}, {"subject": 3}],
        lab.Session & dj.Top(5, order_by="duration DESC"),
        (lab.Session & dj.Top(5, "duration DESC", offset=1)).proj("duration"),
        lab.Session & "subject > 99",
    ):
        for count in (1, 3):
            with relation.partitions(count) as parts:
                assert_frame_equal(whole(parts), relation.to_polars())


def test_all_parts_are_read_in_the_view_of_when_they_were_made(lab: Any) -> None:
    before = lab.Session.to_polars()
    with lab.Session.partitions(3) as parts:
        first = parts[0].to_polars()
        lab.Session().insert([(1, n, 1.0, None) for n in range(20, 40)])
        lab.schema.connection.query(f'DELETE FROM "{lab.schema.database}"."session" WHERE subject = 3')
        assert_frame_equal(pl.concat([first, *(part.to_polars() for part in parts[1:])]), before)
    assert len(lab.Session) == 26


@given(
    kept=st.sets(st.tuples(st.sampled_from(CODES), st.integers(-5, 5)), max_size=40),
    later=st.sets(st.tuples(st.sampled_from(CODES), st.integers(-5, 5)), max_size=10),
    count=st.integers(1, 9),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_writes_between_making_and_reading_change_nothing(
    pairs: Any, kept: set[tuple[str, int]], later: set[tuple[str, int]], count: int
) -> None:
    run = pairs.connection.query
    table = pairs.full_table_name
    run(f"DELETE FROM {table}")
    pairs.insert([{"code": code, "n": n} for code, n in kept])
    before = pairs.to_polars()
    with pairs.partitions(count) as parts:
        pairs.insert([{"code": code, "n": n} for code, n in later], skip_duplicates=True)
        run(f"DELETE FROM {table} WHERE n < 0")
        assert_frame_equal(whole(parts), before)
        assert before.rows() == sorted(kept)


@pytest.fixture
def pairs(schema: dj.Schema) -> Any:
    @schema
    class Pair(dj.Manual):
        definition = """
        code : varchar(8)
        n : int16
        """

    schema.create()
    return Pair()


def test_a_part_can_be_read_in_another_process(keyed: Any, tmp_path: Path) -> None:
    parts = (keyed & "n >= 0").partitions(3)
    (tmp_path / "part").write_bytes(pickle.dumps(list(parts)[1:]))
    program = (
        "import pathlib, pickle, sys\n"
        "parts = pickle.loads((pathlib.Path(sys.argv[1]) / 'part').read_bytes())\n"
        "for n, part in enumerate(parts):\n"
        "    part.to_polars().write_ipc(f'{sys.argv[1]}/{n}.arrow')\n"
    )
    keyed.connection.query(f"DELETE FROM {keyed.full_table_name}")
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    found = [pl.read_ipc(tmp_path / f"{n}.arrow") for n in (0, 1)]
    for frame, part in zip(found, parts[1:], strict=True):
        assert_frame_equal(frame, part.to_polars())
    assert len(keyed) == 0
    parts.close()


def test_plans_ranges_and_parts_survive_pickling(lab: Any) -> None:
    relation = (lab.Session & lab.Subject & pl.DataFrame({"subject": [1, 2]})).aggr(
        lab.Trial, n="count(trial)"
    )
    with relation.partitions(2) as parts:
        again = sent(parts[1])
        assert again.plan == parts[1].plan
        assert_frame_equal(again.to_polars(), parts[1].to_polars())
        again.database.close()


def test_reading_after_the_snapshot_ended_is_a_typed_error(lab: Any) -> None:
    parts = lab.Session.partitions(2)
    parts.close()
    with pytest.raises(SnapshotGoneError, match="Keep the partitions") as caught:
        parts[1].to_polars()
    assert caught.value.name == parts[1].snapshot
    assert sent(caught.value).name == caught.value.name


def test_a_part_keeps_the_snapshot_that_it_reads(lab: Any) -> None:
    part = lab.Session.partitions(2)[0]
    gc.collect()
    assert part.to_polars().height > 0
    copy = pickle.dumps(part)
    del part
    gc.collect()
    again = pickle.loads(copy)  # noqa: S301 - our own
    with pytest.raises(SnapshotGoneError):
        again.to_arrow()
    again.database.close()


def test_no_connection_stays_in_a_transaction(lab: Any) -> None:
    with lab.Session.partitions(3) as parts:
        whole(parts)
        next(iter(parts[0].to_batches()))
    states = lab.schema.connection.query(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND state LIKE 'idle in transaction%' AND query LIKE '%SNAPSHOT%'"
    )
    assert states == [(0,)]


def test_bad_numbers_of_parts_and_transactions_are_refused(lab: Any) -> None:
    for count in (0, -1, 2.5, None):
        with pytest.raises(InvalidArgumentError, match="one or more"):
            lab.Session.partitions(count)
    with lab.schema.connection.transaction, pytest.raises(QueryError, match="outside of it"):
        lab.Session.partitions(2)


def test_the_statements_compare_rows_of_keys_in_one_order(pairs: Any) -> None:
    name = pairs.table_model.name.schema

    def shown(statement: Statement) -> str:
        return textwrap.fill(statement.sql.replace(name, "lab"), 100)

    assert shown(lower_starts(pairs.logical_plan, 4)) == snapshot("""\
SELECT part."code"::text AS "code", part."n"::text AS "n", ("_place" = 0 OR "_place" * 4 / "_all" <>
("_place" - 1) * 4 / "_all") AS "_first" FROM (SELECT part."code" AS "code", part."n" AS "n",
row_number() OVER (ORDER BY part."code" COLLATE "C", part."n") - 1 AS "_place" FROM (SELECT
t1."code" AS "code", t1."n" AS "n" FROM "lab"."pair" AS t1) AS part) AS part, (SELECT count(*) AS
"_all" FROM (SELECT t1."code" AS "code", t1."n" AS "n" FROM "lab"."pair" AS t1) AS part) AS counted
WHERE (("_place" = 0 OR "_place" * 4 / "_all" <> ("_place" - 1) * 4 / "_all") OR "_place" = "_all" -
1) ORDER BY "_place"\
""")
    between = lower_range(pairs.logical_plan, KeyRange(("it's", "3"), ("z", "-1")))
    assert [p.value for p in between.parameters] == ["it's", "3", "z", "-1"]
    assert shown(sorted_by_key(between)) == snapshot("""\
SELECT part."code" AS "code", part."n" AS "n" FROM (SELECT t1."code" AS "code", t1."n" AS "n" FROM
"lab"."pair" AS t1) AS part WHERE (part."code" COLLATE "C", part."n") >= ($1::text, $2::smallint)
AND (part."code" COLLATE "C", part."n") < ($3::text, $4::smallint) ORDER BY part."code" COLLATE "C",
part."n"\
""")


@given(st.lists(st.tuples(st.text()), min_size=1, unique=True))
def test_ranges_meet_without_a_gap(starts: list[tuple[str]]) -> None:
    ranges = plan_key_ranges(tuple(starts))
    assert len(ranges) == len(starts)
    assert ranges[0].start is None
    assert ranges[-1].end is None
    assert all(a.end == b.start for a, b in pairwise(ranges))
