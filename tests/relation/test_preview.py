"""What relations, schemas and definitions show of themselves, and what they leave alone meanwhile."""

import re
from typing import Any

import numpy as np
import pytest
from inline_snapshot import snapshot

import djflow as dj
from djflow.configuration.build import changed
from djflow.relation.database import Database
from djflow.tables.schema import Schema


@pytest.fixture(autouse=True)
def screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def scan(schema: Schema) -> Any:
    @schema
    class Scan(dj.Manual):
        definition = """
        # <b>scans</b>
        scan : int32   # number & name
        ---
        note = null : varchar(4000)
        signal = null : <blob>
        trace = null : <npy@>
        raw = null : bytes
        """

    return Scan()


def tables_of(schema: Schema) -> list[str]:
    return [
        name
        for (name,) in schema.connection.session.execute(
            "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1",
            [schema.database],
        )
    ]


def test_a_preview_has_types_marks_the_key_and_decodes_nothing(scan: Any) -> None:
    scan.insert1(
        {"scan": 2, "note": "x" * 3_000, "signal": np.zeros(9), "trace": np.zeros((3, 4)), "raw": b"ab"}
    )
    scan.insert1({"scan": 1, "note": "two\nlines <script>"})
    for file in scan.connection.settings.home.glob("**/*.npy"):
        file.unlink()
    assert repr(scan) == snapshot("""\
┌───────┬──────────────────────────────────────┬──────────────┬───────────────────┬─────────────┐
│ *scan ┆ note                                 ┆ signal       ┆ trace             ┆ raw         │
│ int32 ┆ varchar(4000)                        ┆ <blob>       ┆ <npy@>            ┆ bytes       │
╞═══════╪══════════════════════════════════════╪══════════════╪═══════════════════╪═════════════╡
│     1 ┆ two\\nlines <script>                  ┆ null         ┆ null              ┆ null        │
│     2 ┆ xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… ┆ <blob 101 B> ┆ <npy 3x4 float64> ┆ <bytes 2 B> │
└───────┴──────────────────────────────────────┴──────────────┴───────────────────┴─────────────┘
(2 rows)\
""")
    html = scan._repr_html_()
    assert "two\\nlines &lt;script&gt;" in html
    assert "&lt;b&gt;scans&lt;/b&gt;" in html
    assert "number &amp; name" in html
    assert "&lt;npy 3x4 float64&gt;" in html
    assert scan._repr_mimebundle_() == {"text/plain": repr(scan), "text/html": html}


@pytest.mark.filterwarnings("ignore::djflow.errors.NativeTypeWarning")
def test_long_values_of_all_kinds_are_read_in_part_and_orders_stay(schema: Schema) -> None:
    @schema
    class Long(dj.Manual):
        definition = """
        long : int32
        ---
        document : json
        plain = null : text
        numbers : real[]
        """

    long = [1.5] * 5_000
    Long().insert([(n, {"a": "x" * 5_000}, f"{9 - n}{'y' * 5_000}", long) for n in range(4)])
    shown = (Long() & dj.Top(limit=3, order_by="plain")).preview(width=12)
    assert shown == snapshot("""\
┌───────┬──────────────┬──────────────┬──────────────┐
│ *long ┆ document     ┆ plain        ┆ numbers      │
│ int32 ┆ json         ┆ text         ┆ real[]       │
╞═══════╪══════════════╪══════════════╪══════════════╡
│     3 ┆ {"a": "xxxx… ┆ 6yyyyyyyyyy… ┆ {1.5,1.5,1.… │
│     2 ┆ {"a": "xxxx… ┆ 7yyyyyyyyyy… ┆ {1.5,1.5,1.… │
│     1 ┆ {"a": "xxxx… ┆ 8yyyyyyyyyy… ┆ {1.5,1.5,1.… │
└───────┴──────────────┴──────────────┴──────────────┘
(3 rows)\
""")
    assert len(Long()._repr_html_()) < 30_000


def test_the_settings_say_how_many_rows_how_wide_and_whether_to_tell_of_others(
    schema: Schema, database: Database, scan: Any
) -> None:
    scan.insert([{"scan": n, "note": "abcdefghijklmnopqrstuvwxyz" * 9} for n in range(20)])
    assert repr(scan).endswith("(first 12 of 20 rows)")
    assert repr(scan & "scan < 12").endswith("(12 rows)")
    assert "abcdef…" in scan.preview(limit=1, width=7)
    settings = database.settings
    quiet = Database(lambda: changed(settings, {"display": {"limit": 3, "show_tuple_count": False}}))
    assert repr(dj.FreeTable(quiet, f"{schema.database}.scan")).endswith("(first 3 rows)")
    quiet.close()


def test_many_rows_are_estimated_and_the_estimate_is_marked(schema: Schema, scan: Any) -> None:
    scan.connection.ensure([scan.table_model])
    session = schema.connection.session
    session.execute(f"INSERT INTO {scan.full_table_name} (scan) SELECT generate_series(1, 200000)")
    session.execute(f"ANALYZE {scan.full_table_name}")
    assert repr(scan).endswith("(first 12 of ~200,000 rows)")
    half = repr((scan & "scan > 100000").proj(double="scan * 2"))
    assert re.search(r"\(first 12 of ~(9\d|10\d|110),000 rows\)$", half)
    assert repr(scan & "scan < 50").endswith("(first 12 of 49 rows)")


def test_looking_creates_nothing(schema: Schema, scan: Any) -> None:
    shown = [repr(scan), scan._repr_html_(), repr(scan & "scan > 1"), str(schema._repr_mimebundle_())]
    assert all("not in the database yet" in each for each in shown[:3])
    assert "*scan" in shown[0]
    assert "not created" in shown[3]
    assert tables_of(schema) == []
    scan.insert1({"scan": 1})
    assert "(1 row)" in repr(scan)


def test_looking_leaves_a_transaction_as_it_is(schema: Schema, scan: Any) -> None:
    scan.insert1({"scan": 1})

    with schema.connection.transaction:
        scan.insert1({"scan": 2})

        @schema
        class Later(dj.Manual):
            definition = "later : int32"

        assert "not in the database yet" in repr(Later())
        assert "(2 rows)" in repr(scan)
        scan.insert1({"scan": 3})
    assert len(scan) == 3


def test_where_rows_cannot_be_read_the_heading_is_shown_and_why(scan: Any) -> None:
    nowhere = Database(
        lambda: changed(scan.connection.settings, {"database": {"host": "127.0.0.1", "port": 9}})
    )
    lost = dj.FreeTable(nowhere, scan.table_model)
    assert "*scan" in repr(lost)
    assert "no rows to show: Cannot connect" in repr(lost)
    assert "dj-error" in lost._repr_html_()


def test_a_table_without_a_schema_says_so() -> None:
    class Loose(dj.Manual):
        definition = "x : int32"

    assert "Loose belongs to no schema" in repr(Loose())
    assert "Loose belongs to no schema" in Loose()._repr_html_()


@pytest.mark.usefixtures("lab")
def test_a_schema_shows_its_tables_parents_first_with_their_rows(schema: Schema) -> None:
    found = schema._repr_mimebundle_()
    shown = re.sub(r"\d+\.\d kB", "some kB", found["text/plain"].replace(schema.database, "lab"))
    assert shown == snapshot("""\
Schema('lab')
┌───────────────┬────────┬──────┬─────────┬─────────┐
│ table         ┆ tier   ┆ rows ┆    size ┆ comment │
╞═══════════════╪════════╪══════╪═════════╪═════════╡
│ Subject       ┆ manual ┆    3 ┆ some kB ┆ animals │
│ Session       ┆ manual ┆    9 ┆ some kB ┆         │
│ Session.Trial ┆ part   ┆    4 ┆ some kB ┆         │
└───────────────┴────────┴──────┴─────────┴─────────┘
(3 tables)\
""")
    assert f"Schema {schema.database}" in found["text/html"]
    assert dj.Schema(connection=schema.connection)._repr_html_().endswith("(not activated)</code></div>")


def test_a_description_is_text_that_notebooks_colour(lab: Any) -> None:
    described = lab.Subject.describe()
    assert described.startswith("# animals\nsubject")
    assert "<span class='dj-key'>subject</span>" in described._repr_html_()


def test_native_types_that_may_be_large_are_not_read_whole(schema: Schema) -> None:
    schema.create()
    schema.connection.query(
        f"""CREATE TABLE "{schema.database}".odd (id int PRIMARY KEY, j jsonb, b bytea, t varchar(5000))"""
    )
    schema.connection.query(
        f"""INSERT INTO "{schema.database}".odd
        VALUES (1, to_jsonb(repeat('x', 3000000)), decode(repeat('ab', 3000000), 'hex'), repeat('y', 5000))"""
    )
    shown = dj.FreeTable(schema.connection, f"{schema.database}.odd").preview()
    assert "3.0 MB>" in str(shown)
    assert len(str(shown)) < 2_000
