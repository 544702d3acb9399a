"""How grids, definitions and SQL look as text and as HTML, without a database."""

import re
from html.parser import HTMLParser
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from djflow.definition import parse, render
from djflow.display.definitions import Definition, in_ansi, in_html, pieces
from djflow.display.grid import Cell, Grid, Header, StandIn, Value, cells
from djflow.display.letters import cut, one_line, width
from djflow.display.markup import as_html
from djflow.display.objects import of_reference
from djflow.display.sheet import STYLE, page
from djflow.display.sql_text import coloured_sql
from djflow.display.text import as_text, widths
from djflow.display.values import size_text, value_text
from djflow.ingest.inspect import Problems
from djflow.model.names import TableName
from djflow.model.table import Attribute
from djflow.model.types import CoreType
from djflow.sql.alteration.changes import AddColumn, TableChange
from djflow.tables.alteration.plan import AlterationPlan, Finding, TouchedTable
from djflow.tables.validation import ValidationResult
from djflow.tables.validation.result import as_frame

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror="alert(1)">',
    "' onmouseover='alert(1)",
    "</td></table></style></div>",
    "<!-- ",
    "&lt;b&gt;",
    "\x1b[31mred\x1b]0;title\x07",
    "two\nlines\ttab\r",
    "\u202egnp.exe",
    "javascript:alert(1)",
)
ANN = "ann, who came in spring and stayed until the leaves fell"
GRID = Grid(
    [
        Header("subject", "int32", in_key=True, is_number=True),
        Header("name", "varchar(30)"),
        Header("frames", "<zarr@main>"),
        Header("score", "float64", is_number=True),
    ],
    [
        [Value("1"), Value(ANN, is_cut=True), StandIn("<zarr 3x512x512 float32>"), Value("0.5")],
        [Value("20"), Value("猫", is_cut=True), None, None],
    ],
    note="(first 2 of ~10,000 rows)",
    more=["notes"],
)


class Sound(HTMLParser):
    """Fails on tags that do not match, and on whatever could run, load or send something."""

    TAGS = frozenset(
        "b br code details div li pre small span style summary table tbody td th thead tr ul".split()  # noqa: SIM905
    )

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.TAGS
        assert {name for name, _ in attrs} <= {"class", "title"}
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["style"]:
            assert data == STYLE
        else:
            self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def text_of(html: str) -> str:
    sound = Sound()
    sound.feed(html)
    sound.close()
    assert not sound.open
    return sound.text


def test_a_grid_marks_keys_types_nulls_and_what_stands_for_objects() -> None:
    assert as_text(GRID, screen=120, most=widths(14)) == snapshot("""\
┌──────────┬──────────────────────────────────────────────────────────┬──────────────────────────┬─────────┐
│ *subject ┆ name                                                     ┆ frames                   ┆   score │
│    int32 ┆ varchar(30)                                              ┆ <zarr@main>              ┆ float64 │
╞══════════╪══════════════════════════════════════════════════════════╪══════════════════════════╪═════════╡
│        1 ┆ ann, who came in spring and stayed until the leaves fell ┆ <zarr 3x512x512 float32> ┆     0.5 │
│       20 ┆ 猫                                                       ┆ null                     ┆    null │
└──────────┴──────────────────────────────────────────────────────────┴──────────────────────────┴─────────┘
(first 2 of ~10,000 rows) and 1 more attribute: notes\
""")


def test_where_not_all_fits_texts_are_cut_first_and_then_columns_left_out_by_name() -> None:
    assert as_text(GRID, screen=72, most=widths(14)) == snapshot("""\
┌──────────┬──────────────────────┬──────────────────────────┬─────────┐
│ *subject ┆ name                 ┆ frames                   ┆   score │
│    int32 ┆ varchar(30)          ┆ <zarr@main>              ┆ float64 │
╞══════════╪══════════════════════╪══════════════════════════╪═════════╡
│        1 ┆ ann, who came in sp… ┆ <zarr 3x512x512 float32> ┆     0.5 │
│       20 ┆ 猫                   ┆ null                     ┆    null │
└──────────┴──────────────────────┴──────────────────────────┴─────────┘
(first 2 of ~10,000 rows) and 1 more attribute: notes\
""")
    assert as_text(GRID, screen=40, most=widths(14)) == snapshot("""\
┌──────────┬────────────────┬───┐
│ *subject ┆ name           ┆ … │
│    int32 ┆ varchar(30)    ┆ … │
╞══════════╪════════════════╪═══╡
│        1 ┆ ann, who came… ┆ … │
│       20 ┆ 猫             ┆ … │
└──────────┴────────────────┴───┘
(first 2 of ~10,000 rows) and 3 more attributes: frames, score, notes\
""")


def test_of_a_screen_too_narrow_for_anything_the_first_column_is_shown() -> None:
    assert "*subject" in as_text(GRID, screen=3, most=(1,))


@given(
    st.lists(st.tuples(st.text(), st.text(), st.none() | st.text()), min_size=1, max_size=5),
    st.integers(20, 120),
    st.integers(1, 70),
)
def test_every_line_of_a_grid_is_as_wide_as_the_others(
    columns: list[tuple[str, str, str | None]], screen: int, narrow: int
) -> None:
    grid = Grid([Header(name, kind) for name, kind, _ in columns], [cells(*(each[2] for each in columns))])
    *lines, last = as_text(grid, screen=screen, most=widths(narrow)).split("\n")
    box = lines if "more attribute" in last else [*lines, last]
    assert len({width(line) for line in box}) == 1
    assert width(box[0]) <= screen or box[0].count("┬") <= 1


@given(st.text(), st.integers(1, 30))
def test_a_cut_text_is_no_wider_than_allowed_and_begins_as_the_whole(text: str, most: int) -> None:
    shown = cut(text, most)
    assert width(shown) <= most
    assert shown == text or text.startswith(shown[:-1])


@given(st.text())
def test_what_is_put_on_one_line_does_nothing_to_a_screen(text: str) -> None:
    assert one_line(text).isprintable()


def test_hostile_texts_are_text_wherever_they_stand() -> None:
    for text, other in product(HOSTILE, HOSTILE[:2]):
        row: list[Cell] = [Value(text, is_cut=True), StandIn(other), *cells(text)]
        headers = [Header(other, text, in_key=True, hint=text), Header(text, hint=other), Header("x", other)]
        grid = Grid(headers, [row], title=text, about=other, note=other, more=[text])
        found = text_of(page(as_html(grid, is_error=True)))
        assert one_line(text) in found
        assert one_line(other) in found
        shown = as_text(grid, screen=500, most=(100,))
        assert "\x1b" not in shown
        assert len(shown.split("\n")) == 7


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_text_in_plans_and_findings(text: str) -> None:
    name = TableName("lab", text)
    added = TableChange(name, AddColumn(Attribute(text, CoreType("int8"), CoreType("int8"), nullable=True)))
    finding = Finding(added, 2, "have a value", advice=text, example=text)
    plan = AlterationPlan(
        (added,), (TouchedTable(name, 3),), (finding,), (finding,), (text,), (f"SELECT '{text}'",)
    )
    for each in (plan, AlterationPlan(notes=(text,))):
        assert text.replace("\r", "\n") in text_of(each._repr_html_()).replace("\r", "\n")
    frame = as_frame([Problems(text, text, [0], [text], text)])
    assert one_line(text) in text_of(ValidationResult(1, frame)._repr_html_())


def test_nothing_is_loaded_from_elsewhere() -> None:
    found = page(as_html(GRID))
    assert not re.search(r"https?:|//|url\(|@import|<script|javascript", found)
    assert len(STYLE) < 6_000


def test_long_values_are_whole_as_hints_up_to_a_point() -> None:
    found = as_html(Grid([Header("x")], [cells("a" * 5_000)]))
    assert f"title='{'a' * 1_000}'" in found
    assert text_of(found) == f"x{'a' * 79}…"


# definitions

DEFINITION = """\
# recordings <of> a session
-> Session
-> [unique] Rig.proj(rig_a='rig')
recording        : int16         # of the day, it's <b>
---
kind = 'it''s <b>' : enum('it''s <b>', 'b')
movie = null     : <zarr@main>
gain = -1.5      : decimal(8,3)
index (gain)
"""


def test_a_definition_in_colours_is_the_same_text() -> None:
    assert text_of(in_html(DEFINITION)) == DEFINITION
    assert re.sub(r"\x1b\[[\d;]*m", "", in_ansi(DEFINITION)) == DEFINITION
    assert text_of(Definition(DEFINITION)._repr_html_()) == DEFINITION


@given(st.text(alphabet="ab:#='<>-> \n()@1"))
def test_whatever_is_coloured_keeps_each_letter(text: str) -> None:
    assert "".join(piece for piece, _ in pieces(text)) == text


def test_names_types_texts_and_comments_have_colours_of_their_own() -> None:
    kinds = [(text, kind) for text, kind in pieces(DEFINITION) if kind]
    assert kinds == snapshot(
        [
            ("# recordings <of> a session", "dj-comment"),
            ("->", "dj-arrow"),
            ("Session", "dj-name"),
            ("->", "dj-arrow"),
            ("unique", "dj-name"),
            ("Rig", "dj-name"),
            ("proj", "dj-name"),
            ("rig_a", "dj-name"),
            ("'rig'", "dj-text"),
            ("recording", "dj-key"),
            ("int16", "dj-type"),
            ("# of the day, it's <b>", "dj-comment"),
            ("---", "dj-rule"),
            ("'it''s <b>'", "dj-text"),
            ("enum", "dj-type"),
            ("'it''s <b>'", "dj-text"),
            ("'b'", "dj-text"),
            ("<", "dj-type"),
            ("zarr", "dj-type"),
            ("@", "dj-type"),
            ("main", "dj-type"),
            (">", "dj-type"),
            ("decimal", "dj-type"),
            ("8", "dj-type"),
            ("3", "dj-type"),
        ]
    )


def test_a_definition_is_text_that_can_be_parsed_and_shows_itself_in_full() -> None:
    definition = Definition(DEFINITION)
    assert render(parse(definition)) == render(parse(DEFINITION))
    assert repr(definition) == DEFINITION.rstrip("\n")
    assert f"{definition}" == str(definition) == DEFINITION


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert repr(Definition("x : int8")) == "\x1b[1;4mx\x1b[0m : \x1b[35mint8\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert repr(Definition("x : int8")) == "x : int8"


def test_sql_in_colours_is_the_same_text() -> None:
    sql = "SELECT t1.\"a<b\" FROM t AS t1 WHERE t1.x > $1 AND y = '<script>'"
    assert text_of(coloured_sql(sql)) == sql


# values


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"zarr": {"node_type": "group"}, "path": "a", "size": 3}', "<x group>"),
        ('{"shape": [], "dtype": "int8", "path": "a"}', "<x scalar int8>"),
        ('{"shape": [1, 2], "dtype": [["a", "<i4"]], "path": "a"}', "<x 1x2 structured>"),
        ('{"shape": [3, 2], "columns": [["a", "int64"], ["b", "string"]]}', "<x 3 rows, 2 columns>"),
        (
            '{"is_dir": true, "item_count": 3, "size": 3000, "ext": null, "path": "p"}',
            "<x folder 3 files 3.0 kB>",
        ),
        ('{"is_dir": false, "size": 12, "path": "raw/a.bin", "store": "s"}', "<x raw/a.bin 12 B>"),
        ('{"hash": "abc", "path": "p", "size": 5000000000}', "<x 5.0 GB>"),
        ('{"shape": "odd", "size": "odd", "is_dir": 3}', "<x>"),
        ("[1, 2", "<x>"),
        ("null", "<x>"),
    ],
)
def test_what_a_row_tells_of_an_object_stands_for_it(text: str, shown: str) -> None:
    assert of_reference("x", text) == shown


@given(st.floats())
def test_floats_are_told_to_six_digits_at_least(value: float) -> None:
    assert float(value_text(value)) == pytest.approx(value, rel=1e-5, abs=1e-6, nan_ok=True)


def test_texts_that_were_cut_or_escaped_can_be_read_whole() -> None:
    assert "title=" in as_html(Grid([Header("x")], [[Value("猫" * 50)]]))
    assert "title=" not in as_html(Grid([Header("x")], [[Value("short")]]))


def test_letters_of_all_scripts_are_left_alone() -> None:
    for text in ("日本\u3000語", "\u0645\u06cc\u200c\u062e\u0648"):
        assert one_line(text) == text
    assert width("\u0645\u06cc\u200c\u062e\u0648") == 4


def test_a_comment_cannot_reach_the_terminal() -> None:
    assert "\x1b" not in repr(Definition("x : int32  # \x1b[31m\x07\n"))


def test_sizes_keep_to_three_digits() -> None:
    assert (size_text(999_949), size_text(999_999)) == ("999.9 kB", "1.0 MB")


def test_json_that_is_too_deep_stands_for_itself() -> None:
    assert of_reference("graph", "[" * 100_000 + "]" * 100_000) == "<graph>"
