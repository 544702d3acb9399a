"""Rows out: exact types, one order, every form."""

import datetime as dt
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from inline_snapshot import snapshot

from djflow.errors import DjflowError, QueryError, UnknownAttributeError

ROW = {
    "subject": 1,
    "name": "ann",
    "sex": "M",
    "born": dt.date(2024, 1, 1),
    "weight": Decimal("1.500"),
    "meta": {"k": [1, 2], "age": 7, "deep": {"x": "y"}},
    "seen": dt.datetime(2024, 5, 6, 7, 8, 9, 123456),
    "alive": False,
    "raw": b"\x00\xff",
}


def test_arrow_types_are_exact_whether_there_are_rows_or_not(lab: Any) -> None:
    expected = snapshot("""\
subject: int32
name: string
sex: string
born: date32[day]
weight: decimal128(8, 3)
uid: string
meta: string
seen: timestamp[us]
alive: bool
raw: binary\
""")
    for relation in (lab.Subject, lab.Subject & False, lab.Subject & {"subject": 1}):
        schema = relation.to_arrow().schema
        assert "\n".join(f"{f.name}: {f.type}" for f in schema) == expected
    assert lab.Trial.to_arrow().schema.field("trial").type == pa.int8()


def test_polars_has_the_same_types(lab: Any) -> None:
    frame = lab.Subject.to_polars()
    assert frame.schema["weight"] == pl.Decimal(8, 3)
    assert frame.schema["seen"] == pl.Datetime("us")
    assert frame["subject"].to_list() == [1, 2, 3]
    assert (lab.Subject & False).to_polars().schema == frame.schema


def test_a_row_comes_back_as_it_went_in(lab: Any) -> None:
    row = (lab.Subject & {"subject": 1}).fetch1()
    assert str(row.pop("uid")) == "12345678-1234-5678-1234-567812345678"
    assert row == ROW


def test_every_form_has_one_order(lab: Any) -> None:
    relation = lab.Session & "duration > 0"
    keys = relation.keys()
    assert [{k: row[k] for k in ("subject", "session")} for row in relation] == keys
    assert relation.to_polars().select("subject", "session").to_dicts() == keys
    subject, session = relation.to_arrays("subject", "session")
    assert [{"subject": int(a), "session": int(b)} for a, b in zip(subject, session, strict=True)] == keys
    assert keys == sorted(keys, key=lambda key: (key["subject"], key["session"]))


def test_summaries_have_the_order_of_their_keys(lab: Any) -> None:
    summary = lab.Session.aggr(lab.Trial, n="count(trial)")
    assert [{k: row[k] for k in ("subject", "session")} for row in summary.to_dicts()] == summary.keys()
    assert list(summary.to_arrays("n")) == [row["n"] for row in summary.to_dicts()]


def test_orders_limits_and_offsets(lab: Any) -> None:
    assert lab.Session.to_arrays("duration", order_by="duration DESC", limit=3).tolist() == [100.0] * 3
    assert lab.Session.keys(order_by="duration DESC", limit=1) == [{"subject": 1, "session": 2}]
    assert [r["subject"] for r in lab.Subject.to_dicts(order_by="KEY DESC", offset=1)] == [2, 1]
    assert [r["subject"] for r in lab.Subject.head(2)] == [1, 2]
    assert [r["subject"] for r in lab.Subject.tail(2)] == [2, 3]
    assert lab.Subject.keys(limit=1, offset=2) == [{"subject": 3}]


def test_fetch1_wants_one_row(lab: Any) -> None:
    assert (lab.Subject & {"subject": 2}).fetch1("name") == "ben"
    assert (lab.Subject & {"subject": 2}).fetch1("name", "subject") == ("ben", 2)
    with pytest.raises(QueryError, match="more than one"):
        lab.Subject.fetch1()
    with pytest.raises(QueryError, match="none"):
        (lab.Subject & False).fetch1()
    with pytest.raises(UnknownAttributeError, match="Did you mean 'name'"):
        (lab.Subject & {"subject": 2}).fetch1("nam")


def test_pandas_has_the_key_as_its_index(lab: Any) -> None:
    frame = lab.Subject.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert frame.index.names == ["subject"]
    assert frame.loc[1, "meta"]["age"] == 7
    assert str(frame.loc[1, "uid"]) == "12345678-1234-5678-1234-567812345678"


def test_numpy_records_have_typed_fields(lab: Any) -> None:
    records = lab.Session.to_arrays()
    assert records.dtype["duration"] == np.float32
    assert records["session"].tolist() == [0, 1, 2] * 3
    keys, durations = lab.Session.to_arrays("duration", include_key=True)
    assert keys == lab.Session.keys()
    assert len(durations) == 9


def test_other_libraries_read_an_expression_directly(lab: Any) -> None:
    expression = lab.Session & "duration > 0"
    totals = duckdb.sql("SELECT count(*), sum(duration) FROM expression")
    assert totals is not None
    assert totals.fetchall() == [(6, 450.0)]
    assert pl.DataFrame(expression).height == 6
    assert pa.table(expression).num_rows == 6
    assert pd.DataFrame.from_arrow(expression).shape == (6, 4)


def test_batches_stream_in_order(lab: Any) -> None:
    reader = lab.Session.to_batches()
    assert reader.schema.field("duration").type == pa.float32()
    assert pa.Table.from_batches(list(reader)).num_rows == 9


def test_projections_compute(lab: Any) -> None:
    made = lab.Session.proj("duration", half="session / 2", twice="session * 2", label="concat('s', session)")
    row = (made & {"subject": 1, "session": 1}).fetch1()
    assert (row["half"], row["twice"], row["label"]) == (0.5, 2, "s1")
    assert (made & "half > 0.5").to_polars()["session"].to_list() == [2, 2, 2]
    assert made.to_arrow().schema.field("half").type == pa.float64()


def test_joins_follow_lineage(lab: Any) -> None:
    joined = lab.Subject * lab.Session * lab.Trial
    assert joined.primary_key == ["subject", "session", "trial"]
    assert len(joined) == 4
    assert len(lab.Trial.proj().extend(lab.Session)) == 4
    mates = lab.Session.proj("mate") * lab.Subject.proj(mate_name="name", mate="subject")
    assert set(mates.to_arrays("mate_name")) == {"ben"}


def test_summaries_keep_groups_without_rows_unless_told(lab: Any) -> None:
    summary = lab.Session.aggr(lab.Trial, n="count(trial)", rows="count(*)", m="avg(rt)", s="sum(trial)")
    row = (summary & {"subject": 1, "session": 1}).fetch1()
    assert row == {"subject": 1, "session": 1, "n": 4, "rows": 4, "m": 1.0, "s": 6}
    empty = (summary & {"subject": 2, "session": 1}).fetch1()
    assert empty == {"subject": 2, "session": 1, "n": 0, "rows": 1, "m": None, "s": None}
    assert len(lab.Session.aggr(lab.Trial, n="count(trial)", exclude_nonmatching=True)) == 1
    assert (summary & "n > 2").keys() == [{"subject": 1, "session": 1}]


def test_a_preview_shows_the_first_rows_and_no_secrets_of_html(lab: Any) -> None:
    text = lab.Subject.preview(2)
    assert "*subject" in text
    assert "(first 2 of 3 rows)" in text
    assert "&quot;odd&quot;" in lab.Subject()._repr_html_()


def test_explain_tells_plans_rules_and_sql(lab: Any) -> None:
    text = str((lab.Session & (lab.Subject & "alive") & "duration > 60").explain(analyze=True))
    for part in (
        "Logical plan",
        "push_restriction_below_semi_join",
        "Server (ADBC)",
        "$1 = 60.0",
        "Execution Time",
    ):
        assert part in text


def test_readable_sql_has_the_values_in_it(lab: Any) -> None:
    sql = (lab.Subject & {"name": "it's"}).make_sql()
    assert "'it''s'::text" in sql


def test_the_old_fetch_says_what_to_use(lab: Any) -> None:
    with pytest.raises(DjflowError, match="to_dicts"):
        lab.Subject.fetch()


def test_reads_inside_a_transaction_see_its_writes(lab: Any) -> None:
    with lab.schema.connection.transaction:
        lab.Session.Trial.insert1({"subject": 1, "session": 1, "trial": 9})
        assert len(lab.Trial) == 5
        assert lab.Trial.to_polars().schema == (lab.Trial & "trial < 9").to_polars().schema
        assert lab.Subject.to_arrow().schema == (lab.Subject & False).to_arrow().schema


def test_a_connection_that_broke_is_opened_again(lab: Any) -> None:
    database = lab.schema.connection
    before = lab.Subject.to_polars()
    (own,) = database.query("SELECT pg_backend_pid()")[0]
    database.session.close()
    database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1", (own,))
    assert lab.Subject.to_polars().equals(before)


def test_a_lost_server_connection_recovers_on_the_next_read(lab: Any) -> None:
    database = lab.schema.connection
    assert len(lab.Subject) == 3
    before = lab.Subject.to_polars()
    killer = database.session.__class__(database.settings)
    with killer:
        killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND query LIKE $1",
            [f"%{lab.schema.database}%"],
        )
    assert len(lab.Subject) == 3
    assert lab.Subject.to_polars().equals(before)


def test_summaries_match_on_every_shared_attribute_even_if_it_is_not_kept(lab: Any) -> None:
    sessions = lab.Session.proj("mate")
    copies = lab.Session.proj("mate", twin="session")
    with_mates = sessions.aggr(copies.proj("mate", session="twin"), n="count(*)", exclude_nonmatching=True)
    assert with_mates.heading.names == ("subject", "session", "n")
    assert with_mates.to_arrays("session").tolist() == [0, 0, 0]  # a null mate matches no mate


def test_fetch1_gives_what_to_dicts_gives(lab: Any) -> None:
    for table in (lab.Subject(), lab.Session(), lab.Trial(), lab.Subject.aggr(lab.Session, n="count(*)")):
        for row in table.to_dicts():
            key = {name: row[name] for name in table.primary_key}
            found = (table & key).fetch1()
            assert found == row
            assert list(map(type, found.values())) == list(map(type, row.values()))


def test_fetch1_with_another_key_gives_the_other_row(lab: Any) -> None:
    names = [(lab.Subject & {"subject": subject}).fetch1("name") for subject in (1, 2, 1)]
    assert names == ["ann", "ben", "ann"]
