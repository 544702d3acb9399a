"""Deletes take what depends on the rows, in every table of the database, or nothing."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

import djflow as dj
from djflow.errors import IntegrityError, PartIntegrityError
from djflow.model.names import TableName
from djflow.tables.free import FreeTable

if TYPE_CHECKING:
    from djflow.relation.database import Database
    from djflow.tables.schema import Schema

Count = Callable[[str], int]


@pytest.fixture
def count(schema: "Schema") -> Count:
    """How many rows a table has, asked of the server."""

    def counted(table: str) -> int:
        sql = f'SELECT count(*) FROM "{schema.database}"."{table}"'
        return int(schema.connection.query(sql)[0][0])

    return counted


@pytest.fixture
def lab(schema: "Schema") -> dict[str, Any]:
    """Subjects with sessions, trials, notes that refer to a session or to none, and a computed table."""

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        sex : enum('M', 'F')
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int32
        ---
        day : date
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int32
            ---
            rt : float64
            """

    @schema
    class Note(dj.Manual):
        definition = """
        note : int32
        ---
        -> [nullable] Session
        """

    @schema
    class Answer(dj.Manual):
        definition = """
        -> Note
        answer : int32
        """

    @schema
    class Pair(dj.Manual):
        definition = """
        -> Subject.proj(first='subject')
        -> Subject.proj(second='subject')
        """

    @schema
    class Analysis(dj.Computed):
        definition = """
        -> Session
        ---
        -> Session.Trial
        """

    Subject().insert([(i, "M" if i % 2 else "F") for i in range(4)])
    Session().insert([(i, j, f"2026-01-0{j + 1}") for i in range(4) for j in range(3)])
    Session.Trial().insert([(i, j, k, 0.5) for i in range(4) for j in range(3) for k in range(2)])
    Note().insert([(0, 0, 0), (1, 1, 1), (2, None, None), (3, 0, 2)])
    Answer().insert([(0, 0), (0, 1), (1, 0), (2, 0)])
    Pair().insert([(0, 1), (2, 0), (2, 3)])
    Analysis().insert([(i, j, 1) for i in range(4) for j in range(3)], allow_direct_insert=True)
    return {cls.__name__: cls for cls in (Subject, Session, Note, Answer, Pair, Analysis)}


def test_a_delete_takes_everything_that_depends_on_the_rows(lab: dict[str, Any], count: Count) -> None:
    assert (lab["Subject"]() & {"subject": 0}).delete(prompt=False) == 1
    assert {name: count(name) for name in ("subject", "session", "session__trial", "__analysis")} == {
        "subject": 3,
        "session": 9,
        "session__trial": 18,
        "__analysis": 9,
    }
    assert lab["Note"]().to_arrays("note").tolist() == [1, 2]
    assert lab["Answer"]().to_dicts() == [{"note": 1, "answer": 0}, {"note": 2, "answer": 0}]
    assert lab["Pair"]().to_dicts() == [{"first": 2, "second": 3}]


def test_a_row_reached_over_any_of_several_foreign_keys_goes(lab: dict[str, Any]) -> None:
    (lab["Subject"]() & "subject in (1, 3)").delete(prompt=False)
    assert lab["Pair"]().to_dicts() == [{"first": 2, "second": 0}]


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        ("sex = 'M'", [0, 2]),
        ([{"subject": 1}, "subject = 2"], [0, 3]),
        (dj.Top(2, order_by="subject DESC"), [0, 1]),
        ({"subject": [0, 3]}, [1, 2]),
        (dj.Not("subject > 0"), [1, 2, 3]),
    ],
)
def test_any_restriction_selects_what_is_deleted(
    lab: dict[str, Any], condition: Any, left: list[int]
) -> None:
    deleted = (lab["Subject"]() & condition).delete(prompt=False)
    assert (deleted, lab["Subject"]().to_arrays("subject").tolist()) == (4 - len(left), left)
    assert set(lab["Session"]().to_arrays("subject")) == set(left)


def test_a_restriction_by_what_is_deleted_means_the_rows_as_they_were(lab: dict[str, Any]) -> None:
    subject, session = lab["Subject"](), lab["Session"]()
    many = subject.aggr(session.Trial & "session > 0", n="count(*)") & "n > 2" & "subject < 2"
    assert (subject & many).delete(prompt=False) == 2
    assert subject.to_arrays("subject").tolist() == [2, 3]
    assert (session & (session.Trial & "subject = 2")).delete(prompt=False) == 3
    assert set(session.to_arrays("subject")) == {3}


def test_a_restriction_by_a_frame_or_a_polars_expression_deletes(lab: dict[str, Any]) -> None:
    pl = pytest.importorskip("polars")
    session = lab["Session"]()
    assert (session & pl.DataFrame({"subject": [0, 0], "session": [1, 2]})).delete(prompt=False) == 2
    assert (session & (pl.col("day").dt.strftime("%d") == "03")).delete(prompt=False) == 3
    assert len(session) == 7


def test_nothing_matches_and_nothing_goes(lab: dict[str, Any], count: Count) -> None:
    assert (lab["Subject"]() & {"subject": 99}).delete(prompt=False) == 0
    assert (count("subject"), count("session__trial")) == (4, 24)


def test_tables_that_no_class_declares_are_found(
    lab: dict[str, Any], schema: "Schema", database: "Database"
) -> None:
    name = f"{schema.database}_other"
    database.query(f'CREATE SCHEMA "{name}"')
    try:
        database.query(
            f'CREATE TABLE "{name}"."stranger" (id int PRIMARY KEY, s int, n int,'
            f' FOREIGN KEY (s, n) REFERENCES "{schema.database}"."session" (subject, session))'
        )
        database.query(f'INSERT INTO "{name}"."stranger" VALUES (1, 0, 0), (2, 1, 1), (3, NULL, 1)')
        (lab["Subject"]() & {"subject": 0}).delete(prompt=False)
        assert database.query(f'SELECT id FROM "{name}"."stranger" ORDER BY id') == [(2,), (3,)]
    finally:
        database.query(f'DROP SCHEMA "{name}" CASCADE')


def test_a_part_is_not_deleted_by_itself(lab: dict[str, Any], count: Count) -> None:
    with pytest.raises(PartIntegrityError, match="delete from their master") as raised:
        (lab["Session"].Trial() & {"trial": 0}).delete(prompt=False)
    assert raised.value.master.endswith(".session")
    assert count("session__trial") == 24


def test_parts_go_alone_when_integrity_is_ignored(lab: dict[str, Any], count: Count) -> None:
    trial = lab["Session"].Trial()
    assert (trial & {"trial": 0}).delete(prompt=False, part_integrity="ignore") == 12
    assert (count("session"), count("session__trial"), count("__analysis")) == (12, 12, 12)


def test_masters_go_with_their_parts_when_integrity_cascades(lab: dict[str, Any], count: Count) -> None:
    trial = lab["Session"].Trial() & {"subject": 0, "trial": 0}
    assert trial.delete(prompt=False, part_integrity="cascade") == 6
    assert (count("subject"), count("session"), count("session__trial")) == (4, 9, 18)


def test_an_unknown_policy_is_refused(lab: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="part_integrity is 'enforce', 'ignore' or 'cascade', not 'maybe'"):
        lab["Subject"]().delete(prompt=False, part_integrity="maybe")


def test_a_quick_delete_takes_no_other_rows(lab: dict[str, Any], count: Count) -> None:
    with pytest.raises(IntegrityError):
        (lab["Subject"]() & {"subject": 0}).delete_quick()
    assert count("subject") == 4
    assert (lab["Pair"]() & {"first": 2}).delete_quick(get_count=True) == 2
    assert lab["Answer"]().delete_quick() is None
    assert (count("pair"), count("answer")) == (1, 0)


def test_a_delete_in_a_transaction_belongs_to_it(lab: dict[str, Any], schema: "Schema", count: Count) -> None:
    def fail() -> None:
        with schema.connection.transaction:
            lab["Subject"]().delete(prompt=False)
            assert len(lab["Session"]()) == 0
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert count("session__trial") == 24


def test_people_see_what_goes_and_may_decline(
    lab: dict[str, Any], count: Count, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builtins.input", lambda _question: "no")
    assert (lab["Subject"]() & {"subject": 0}).delete(prompt=True) == 0
    shown = capsys.readouterr().out
    assert "session__trial" in shown
    assert "6 rows" in shown
    assert count("subject") == 4
    monkeypatch.setattr("builtins.input", lambda _question: "yes")
    assert (lab["Subject"]() & {"subject": 0}).delete(prompt=True) == 1


def test_more_rows_than_were_shown_are_not_deleted_unasked(
    lab: dict[str, Any], count: Count, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: list[str] = []

    def answer(_question: str) -> str:
        if not answers:
            lab["Session"]().insert1((0, 7, "2026-02-02"))
        answers.append("yes")
        return "yes" if len(answers) == 1 else "no"

    monkeypatch.setattr("builtins.input", answer)
    assert (lab["Subject"]() & {"subject": 0}).delete(prompt=True) == 0
    assert len(answers) == 2
    assert "Meanwhile" in capsys.readouterr().out
    assert count("session") == 13


def test_rows_that_refer_to_rows_of_their_own_table_go_with_them(schema: "Schema") -> None:
    name = schema.database
    query = schema.connection.query
    query(f'CREATE SCHEMA "{name}"')
    query(
        f'CREATE TABLE "{name}".mouse (mouse int PRIMARY KEY, mother int REFERENCES "{name}".mouse'
        f' ON DELETE RESTRICT, father int REFERENCES "{name}".mouse ON DELETE RESTRICT)'
    )
    query(
        f'CREATE TABLE "{name}".weight'
        f' (mouse int REFERENCES "{name}".mouse, day int, PRIMARY KEY (mouse, day))'
    )
    query(
        f'INSERT INTO "{name}".mouse'
        " VALUES (1, NULL, NULL), (2, 1, NULL), (3, 2, NULL), (4, NULL, 3), (5, NULL, NULL), (6, 5, 4)"
    )
    query(f'INSERT INTO "{name}".weight SELECT m, d FROM generate_series(1, 6) m, generate_series(1, 2) d')
    mouse = schema.connection.whole_catalog()[TableName(name, "mouse")]
    table = FreeTable(schema.connection, mouse)
    assert (table & {"mouse": 2}).delete(prompt=False) == 4
    assert query(f'SELECT mouse FROM "{name}".mouse ORDER BY 1') == [(1,), (5,)]
    assert query(f'SELECT count(*) FROM "{name}".weight') == [(4,)]
