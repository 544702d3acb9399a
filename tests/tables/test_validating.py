"""Validation tells everything that is wrong, at once, and writes nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from inline_snapshot import snapshot

import djflow as dj
from djflow.configuration import load
from djflow.errors import InvalidRowsError, MissingTableError
from djflow.relation.database import Database
from djflow.tables.free import FreeTable
from djflow.tables.schema import Schema
from djflow.tables.validation import ValidationResult


@pytest.fixture
def unreachable(tmp_path: Path) -> Database:
    """A database on a server that does not exist."""
    settings = load(
        {"DATABASE_URL": "postgresql://x@127.0.0.1:1/x", "DJ_IGNORE_CONFIG_FILE": "true"}, tmp_path
    )
    return Database(lambda: settings)


@pytest.fixture
def subject(unreachable: Database) -> Any:
    @Schema("lab", connection=unreachable)
    class Subject(dj.Manual):
        definition = """
        subject : int8
        ---
        name : varchar(5)
        born = null : date
        side = 'left' : enum('left', 'right')
        trace = null : <blob>
        image = null : <npy@>
        """

    return Subject()


GOOD = [{"subject": 1, "name": "ann"}, {"subject": 2, "name": "ben", "born": "2024-01-01", "side": None}]


def told(result: ValidationResult) -> list[tuple[int | None, str | None]]:
    return [(row, field) for row, field, _ in result.errors]


def test_rows_without_a_problem_are_valid(subject: Any) -> None:
    result = subject.validate(GOOD)
    assert result
    assert result.is_valid
    assert (result.errors, result.rows_checked) == ([], 2)
    assert result.summary() == "2 rows checked, no problems."
    assert repr(result) == "ValidationResult(2 rows checked, no problems)"
    assert "no problems" in result._repr_html_()
    assert type(subject).validate(iter(GOOD)).rows_checked == 2
    assert subject.validate([]).rows_checked == 0


def test_all_problems_of_all_rows_are_told(subject: Any) -> None:
    rows = [
        *GOOD,
        {"subject": 300, "name": "too long", "born": "2024-02-30", "side": "up"},
        {"subject": 1, "name": None, "trace": print, "image": [1]},
        {"nme": "x", "subject": None},
        (1, 2),
        5,
    ]
    result = subject.validate(rows)
    assert not result
    assert result.rows_checked == 7
    assert result.summary() == snapshot("""\
Row 2, field 'subject': Not a whole number from -128 to 127; expected int8; got 300
Row 2, field 'name': Longer than 5 characters; expected varchar(5); got 'too long'
Row 2, field 'born': Not a date or time in ISO form, such as 2024-01-31 or 2024-01-31 12:30:05.25; expected date; got '2024-02-30'
Row 2, field 'side': Not one of the labels; expected enum('left','right'); got 'up'
Row 3, field 'name': A required value is missing; expected varchar(5)
Row 3, field 'trace': A blob cannot hold a builtins.builtin_function_or_method; convert it to numbers, text, arrays or containers of these, or write a codec for it; expected <blob>; got <built-in function print>
Row 3, field 'image': Cannot be encoded (<npy@> stores a numpy.ndarray, not list; pass numpy.asarray(value)); expected <npy@>; got [1]
Row 3, field 'subject': Repeats the primary key of row 0; got 1
Row 4, field 'nme': The table has no such attribute. Did you mean 'name'?; got 'x'
Row 4, field 'subject': A required value is missing; expected int8
Row 4, field 'name': A required value is missing; expected varchar(5)
Row 5: Has 2 values for 6 attributes (subject, name, born, side, trace, image). Give them all, or give a dict.
Row 6: Is of type int. Give each row as a dict, or as a sequence of the values of subject, name, born, side, trace, image.\
""")  # noqa: E501
    assert result.errors[0] == (2, "subject", "Not a whole number from -128 to 127; expected int8; got 300")
    assert result.frame.schema == {
        "row": pl.Int64,
        "column": pl.String,
        "value": pl.String,
        "problem": pl.String,
        "expected": pl.String,
    }
    assert repr(result).startswith("ValidationResult(7 rows checked, 13 problems)\nRow 2")
    assert "&lt;npy@&gt;" in result._repr_html_()


def test_columns_of_a_frame_are_wrong_once(subject: Any) -> None:
    frame = pl.DataFrame({"subject": range(100_000), "colour": "red"}).with_columns(
        subject=pl.col("subject") % 100
    )
    result = subject.validate(frame.head(100))
    assert told(result) == [(None, "colour"), (None, "name")]
    assert told(subject.validate(frame.head(100), ignore_extra_fields=True)) == [(None, "name")]
    repeated = subject.validate(frame).frame.filter(pl.col("problem").str.starts_with("repeats"))
    assert repeated["row"].to_list() == list(range(100, 100_000))


def test_problems_beyond_the_first_chunk_keep_their_row(subject: Any, tmp_path: Path) -> None:
    rows = 150_000
    frame = pl.DataFrame({"subject": 1, "name": ["x"] * (rows - 1) + ["too long"]})
    frame.write_csv(tmp_path / "rows.csv")
    for source in (frame, frame.lazy(), frame.to_pandas(), frame.to_arrow(), frame.iter_rows(named=True)):
        found = subject.validate(source).frame.filter(column="name")
        assert found["row"].to_list() == [rows - 1]
    assert subject.validate(tmp_path / "rows.csv").frame.filter(column="name")["value"].to_list() == [
        "'too long'"
    ]


def test_many_problems_are_summed_up(subject: Any) -> None:
    result = subject.validate(pl.DataFrame({"subject": range(1000, 2000), "name": "x"}))
    assert result.frame.height == 1000
    assert result.summary().endswith("... and 900 more problems: see `frame`.")
    assert "... and 980 more problems" in result._repr_html_()


def test_what_holds_no_rows_is_refused(subject: Any, tmp_path: Path) -> None:
    for source in (GOOD[0], 5, tmp_path / "none.csv"):
        with pytest.raises(InvalidRowsError):
            subject.validate(source)


def test_a_row_may_be_all_defaults_but_not_nothing(unreachable: Database) -> None:
    @Schema("lab", connection=unreachable)
    class Setting(dj.Manual):
        definition = """
        ---
        gain = 1 : int32
        """

    assert Setting().validate([{"gain": 2}])
    assert told(Setting().validate([{}])) == [(0, None)]
    assert told(Setting().validate([{"gain": None}])) == [(0, None)]
    assert told(Setting().validate([{"gain": 1}, {"gain": 2}])) == [(1, None)]


def test_keys_are_compared_as_the_server_does(unreachable: Database) -> None:
    @Schema("lab", connection=unreachable)
    class Point(dj.Manual):
        definition = """
        x : float64
        code : char(3)
        at : datetime(0)
        price : decimal(50,1)
        """

    rows = [
        (0.0, "a", "2024-01-01 00:00:00.4", 1),
        (-0.0, "a ", "2024-01-01", "1.04"),
        (0.0, "a", "2024-01-01 00:00:00.5", 1),
        (float("nan"), "a", "1999-12-31 23:59:59.5", 1),
        (float("nan"), "a", "1999-12-31 23:59:59", 1),
        (float("nan"), "a", "1999-12-31 23:59:58.5", 1),
    ]
    result = Point().validate(rows)
    assert [(row, message.split(";")[0]) for row, _, message in result.errors] == [
        (1, "Repeats the primary key of row 0"),
        (4, "Repeats the primary key of row 3"),
    ]


# with a server


@pytest.fixture
def session(schema: Schema) -> Any:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int16
        ---
        before_subject = null : int32
        before = null : int16
        name = null : varchar(9)
        room = null : int32
        trace = null : <blob>
        unique index (room, name)
        unique index ((lower(name)))
        """

    Subject().insert([(1,), (2,)])
    Session().insert([{"subject": 1, "session": 1, "name": "Ann", "room": 5}])
    name = Session().full_table_name
    schema.connection.query(f"ALTER TABLE {name} ADD FOREIGN KEY (before_subject, before) REFERENCES {name}")
    found = schema.connection.catalog([schema.database])
    return FreeTable(schema.connection, found[Session().table_model.name])


def test_the_server_tells_of_parents_keys_and_unique_values(session: Any) -> None:
    rows = [
        {"subject": 1, "session": 1, "name": "ann"},
        {"subject": 9, "session": 1, "trace": np.arange(3)},
        {"subject": 2, "session": 1, "name": "ANN"},
        {"subject": 2, "session": 2, "name": "ben", "room": 1},
        {"subject": 2, "session": 3, "name": "ben", "room": 1},
        {"subject": 2, "session": 4, "before_subject": 2, "before": 3},
        {"subject": 2, "session": 5, "before_subject": 2, "before": 9},
        {"subject": "two", "session": 6},
    ]
    assert told(session.validate(rows)) == [(7, "subject")]
    result = session.validate(rows, database=True)
    schema = session.table_model.name.schema
    assert [(row, field, _problem(message, schema)) for row, field, message in result.errors] == [
        (0, "subject, session", "The table has a row with this key already"),
        (0, "(lower(name::text))", "Must be unique, and another row has the same"),
        (1, "subject", "Refers to a row of lab.subject that does not exist"),
        (2, "(lower(name::text))", "Must be unique, and another row has the same"),
        (3, "(lower(name::text))", "Must be unique, and another row has the same"),
        (3, "room, name", "Must be unique, and another row has the same"),
        (4, "(lower(name::text))", "Must be unique, and another row has the same"),
        (4, "room, name", "Must be unique, and another row has the same"),
        (6, "before_subject, before", "Refers to a row of lab.session that does not exist"),
        (7, "subject", "Not a whole number from -2147483648 to 2147483647"),
    ]
    assert len(session) == 1
    assert session.validate(rows[3:4], database=True)


def _problem(message: str, schema: str) -> str:
    return message.partition(";")[0].replace(schema, "lab")


def test_many_rows_are_asked_about_in_one_go(session: Any) -> None:
    frame = pl.DataFrame({"subject": 1, "session": range(30_000), "room": range(30_000), "name": "x"})
    frame = frame.with_columns(name=pl.format("n{}", "session"))
    assert told(session.validate(frame, database=True)) == [(1, "subject, session")]
    with session.connection.transaction:
        session.insert1({"subject": 2, "session": 1, "room": 7, "name": "n7"})
        assert len(session.validate(frame, database=True).errors) == 3


def test_a_table_that_does_not_exist_cannot_be_asked(schema: Schema, session: Any) -> None:
    model = session.table_model
    free = FreeTable(schema.connection, model)
    assert free.validate([(1, 2, None, None, None, None, None)])
    schema.connection.query(f"DROP TABLE {session.full_table_name}")
    with pytest.raises(MissingTableError):
        free.validate([(1, 2, None, None, None, None, None)], database=True)
