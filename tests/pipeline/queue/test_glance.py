"""What a queue shows of itself."""

from typing import Any

import pytest

from djflow.tables.schema import Schema


@pytest.fixture(autouse=True)
def screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


def test_jobs_show_how_many_there_are_of_each_status_and_the_first_of_them(double: Any) -> None:
    assert repr(double.jobs).split("\n")[-1].startswith("(0 jobs) and")
    double.jobs.refresh()
    double.jobs.ignore({"number": 0})
    double.jobs.reserve({"number": 1})
    double.jobs.error({"number": 1}, "ValueError: <b>", "a long stack")
    *_, head, _, _, _, second, _, _, note = repr(double.jobs & "number < 3").split("\n")
    assert [cell.strip() for cell in second.strip("│").split("┆")[:4]] == [
        "1",
        "error",
        "ValueError: <b>",
        "5",
    ]
    assert "error_message" in head
    assert note.startswith("(3 rows) and 10 more attributes: created_time, ")
    note = repr(double.jobs).split("\n")[-1]
    assert note.startswith("(6 jobs: 1 error, 1 ignore, 4 pending) and 10 more attributes")
    html = double.jobs._repr_html_()
    assert "<b>Jobs of Double</b>" in html
    assert "ValueError: &lt;b&gt;" in html


def test_looking_at_jobs_creates_neither_tables_nor_a_queue(double: Any, schema: Schema) -> None:
    assert "*number" in repr(double.jobs)
    assert not schema.exists
