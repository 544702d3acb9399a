"""Whatever is wrong with rows, passwords or servers: the right error, and nothing half-written."""

import datetime as dt
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import djflow as dj
from djflow.backend.embedded import FAST_UNSAFE_SETTINGS, EmbeddedServer
from djflow.configuration import changed, load
from djflow.errors import (
    ConnectionFailedError,
    DataTypeError,
    DjflowError,
    DuplicateError,
    IntegrityError,
    InvalidRowsError,
    LostConnectionError,
    MissingAttributeError,
    QuerySyntaxError,
    UnknownAttributeError,
)
from djflow.relation.database import Database
from djflow.tables.schema import Schema

PASSWORD = "hunter2%@:/#"


@pytest.fixture
def lab(schema: Schema) -> Any:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int16
        ---
        name = "" : varchar(5)
        code = "ab" : char(2)
        sex = 'U' : enum('M', 'F', 'U')
        weight = null : decimal(6,2)
        born = null : date
        seen = null : datetime
        age = null : int8
        dose = null : float32
        uid = null : uuid
        meta = null : json
        raw = null : bytes
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int8
        """

    schema.create()
    return Subject(), Session()


# values


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("subject", 40_000, "not a whole number from -32768 to 32767"),
        ("subject", 2.5, "whole number"),
        ("subject", "seven", "whole number"),
        ("age", float("nan"), "whole number"),
        ("age", 128, "-128 to 127"),
        ("age", 2**70, ""),
        ("name", "longer", "longer than 5 characters"),
        ("name", "a\0b", "NUL"),
        ("name", b"ab", "bytes is not text"),
        ("name", {"a": 1}, ""),
        ("sex", "X", "not one of the labels"),
        ("sex", "f", "not one of the labels"),
        ("weight", "10000.00", ""),
        ("weight", "heavy", "number"),
        ("weight", float("nan"), ""),
        ("born", "yesterday", "ISO"),
        ("born", "2023-02-29", ""),
        ("born", dt.datetime(2024, 1, 1, 12), "time of day"),
        ("seen", "12:30", "ISO"),
        ("dose", 1e300, "too large"),
        ("dose", "much", "number"),
        ("uid", "1234", "UUID"),
        ("uid", 5, "UUID"),
        ("meta", {"x": float("nan")}, "JSON"),
        ("meta", {"x": "\0"}, "NUL"),
        ("meta", object(), "JSON"),
        ("raw", "text", "bytes"),
    ],
)
def test_a_wrong_value_is_named_with_row_and_column_and_nothing_goes_in(
    lab: Any, column: str, value: Any, reason: str
) -> None:
    subject, _ = lab
    rows = [{"subject": 1, column: None if column != "subject" else 1}, {"subject": 2} | {column: value}]
    with pytest.raises(DataTypeError) as caught:
        subject.insert(rows)
    error = caught.value
    assert (error.row, error.column) == (1, column)
    assert error.value is value or error.value == value or value != value  # noqa: PLR0124 - NaN
    assert f"row 1, column {column!r}" in str(error)
    assert reason in str(error)
    assert error.expected in str(error)
    assert not subject
    assert not subject.connection.in_transaction


def test_a_wrong_value_in_a_frame_is_found_too(lab: Any) -> None:
    subject, _ = lab
    frame = pl.DataFrame({"subject": range(1000), "age": [1] * 999 + [200]})
    with pytest.raises(DataTypeError, match=r"row 999, column 'age'.*got 200") as caught:
        subject.insert(frame)
    assert caught.value.value == 200
    rows = ({"subject": n, "name": "x" if n < 15_000 else "too long"} for n in range(15_001))
    with pytest.raises(DataTypeError, match=r"row 15000, column 'name'"):
        subject.insert(rows)
    assert not subject


def test_nan_is_no_integer_in_any_source(lab: Any) -> None:
    subject, _ = lab
    records = np.array([(1, 1.0), (2, np.nan)], dtype=[("subject", "i4"), ("age", "f8")])
    for source in (records, pl.DataFrame({"subject": [1, 2], "age": [1.0, float("nan")]})):
        with pytest.raises(DataTypeError, match=r"row 1, column 'age'"):
            subject.insert(source)
    assert not subject


# rows


def test_rows_of_a_wrong_form_are_refused_with_their_number(lab: Any) -> None:
    subject, _ = lab
    for rows, error, reason in (
        ([{"subject": 1}, 7], InvalidRowsError, "Row 1 is of type int"),
        ([{"subject": 1}, "ab"], InvalidRowsError, "Row 1 is of type str"),
        ([(1, "a")], InvalidRowsError, "Row 0 has 2 values for 12 attributes"),
        ({"subject": 1}, InvalidRowsError, "insert1"),
        ("subject", InvalidRowsError, r"\.csv or \.parquet"),
        (7, InvalidRowsError, "Cannot insert from int"),
        ([{"subject": 1, "colour": 2}], UnknownAttributeError, "'colour'"),
        ([{"subject": 1, "Name": 2}], UnknownAttributeError, "'Name'"),
        ([{"name": "x"}], MissingAttributeError, "'subject'"),
        ([{"subject": 1}, {"name": "x"}], DjflowError, "'subject'"),
        ([{}], DjflowError, "subject"),
        ([{"subject": 1}, {"subject": None}], MissingAttributeError, "'subject', which is missing in row 1"),
        ("absent.csv", InvalidRowsError, "there is no such file"),
    ):
        with pytest.raises(error, match=reason):
            subject.insert(rows)
    assert not subject


def test_a_missing_parent_is_named_and_nothing_goes_in(lab: Any) -> None:
    subject, session = lab
    subject.insert1({"subject": 1})
    with pytest.raises(IntegrityError, match=r"\(subject\)=\(2\)"):
        session.insert([(1, 1), (2, 1)])
    assert not session


def test_a_key_that_exists_is_named_and_nothing_goes_in(lab: Any) -> None:
    _, session = lab
    lab[0].insert1({"subject": 1})
    session.insert1((1, 1))
    with pytest.raises(DuplicateError, match=r"\(subject, session\)=\(1, 1\)") as caught:
        session.insert([(1, 2), (1, 1)])
    assert caught.value.key == "(subject, session)=(1, 1)"
    assert len(session) == 1


@pytest.mark.parametrize(
    ("condition", "error"),
    [
        ("subjct = 1", UnknownAttributeError),
        ({"subject": "seven"}, DjflowError),
        ({"subject": 10**30}, None),
        ("subject = ", QuerySyntaxError),
        ("subject = 1; DROP TABLE subject", QuerySyntaxError),
        ("name = 'a' OR (", QuerySyntaxError),
        (3.5, DjflowError),
    ],
)
def test_a_wrong_condition_never_reaches_the_server(
    lab: Any, condition: Any, error: type[Exception] | None
) -> None:
    subject, _ = lab
    if error is None:
        assert not subject & condition
        return
    with pytest.raises(error):
        _ = subject & condition


# servers


@pytest.fixture
def own_server() -> Iterator[EmbeddedServer]:
    """A server that a test may stop and reconfigure."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedServer(Path(folder) / "home", settings=FAST_UNSAFE_SETTINGS)
        server.acquire()
        yield server
        server.release()
        server.stop()


def settings_for(server: EmbeddedServer, **login: str) -> Any:
    folder = server.status().socket_folder
    assert folder is not None
    settings = load({"DJ_IGNORE_CONFIG_FILE": "true", "DJFLOW_HOME": str(server.home)}, server.home)
    given = {"host": str(folder), "user": "djflow", "name": "djflow"} | login
    return changed(settings, {"database": given})


def subject_of(schema: Schema) -> Any:
    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"

    return Subject()


def test_a_server_that_goes_away_is_told_and_found_again(own_server: EmbeddedServer) -> None:
    settings = settings_for(own_server)
    database = Database(lambda: settings)
    subject = subject_of(Schema("lab", connection=database))
    subject.insert1((1,))
    assert subject.to_polars().height == 1
    own_server.stop()
    for action in (lambda: len(subject), lambda: subject.insert1((2,)), subject.to_polars, subject.to_arrow):
        with pytest.raises(ConnectionFailedError, match=r"Cannot connect to PostgreSQL at djflow@.*socket"):
            action()
    assert "Cannot connect" in repr(subject)
    own_server.acquire()
    assert subject.to_polars().height == 1
    subject.insert1((2,))
    assert len(subject) == 2
    database.close()


def test_a_server_that_goes_away_inside_a_transaction_takes_all_of_it(own_server: EmbeddedServer) -> None:
    settings = settings_for(own_server)
    database = Database(lambda: settings)
    subject = subject_of(Schema("lab", connection=database))
    subject.insert1((1,))
    with pytest.raises(LostConnectionError, match="rolled back"), database.transaction:  # noqa: PT012 - the block is the transaction
        subject.insert1((2,))
        own_server.stop()
        subject.insert1((3,))
    own_server.acquire()
    assert subject.to_arrays("subject").tolist() == [1]
    database.close()


def test_the_embedded_server_comes_back_by_itself(own_server: EmbeddedServer, tmp_path: Path) -> None:
    settings = load({"DJ_IGNORE_CONFIG_FILE": "true", "DJFLOW_HOME": str(own_server.home)}, tmp_path)
    database = Database(lambda: settings)
    subject = subject_of(Schema("lab", connection=database))
    subject.insert1((1,))
    assert subject.to_polars().height == 1
    for action in (lambda: len(subject), lambda: subject.insert1((2,)), subject.to_polars):
        own_server.stop()
        action()
    assert subject.to_polars().height == 2
    database.close()


def test_a_wrong_password_is_told_without_showing_it(own_server: EmbeddedServer) -> None:
    import psycopg

    url = own_server.acquire()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            psycopg.sql.SQL("CREATE ROLE ann LOGIN PASSWORD {}").format(psycopg.sql.Literal(PASSWORD))
        )
        connection.execute("GRANT CREATE ON DATABASE djflow TO ann")
        rules = Path(connection.execute("SHOW hba_file").fetchall()[0][0])
        rules.write_text(f"local all ann scram-sha-256\n{rules.read_text()}")
        connection.execute("SELECT pg_reload_conf()")
        while not connection.execute("SELECT 1 FROM pg_hba_file_rules WHERE user_name = '{ann}'").fetchall():
            pass
    right = settings_for(own_server, user="ann", password=PASSWORD)
    database = Database(lambda: right)
    subject = subject_of(Schema("lab", connection=database))
    subject.insert1((1,))
    assert subject.to_polars().height == 1
    database.close()
    wrong = settings_for(own_server, user="ann", password=PASSWORD + "x")
    stranger = Database(lambda: wrong)
    theirs = subject_of(Schema("lab", connection=stranger))
    for action in (lambda: len(theirs), theirs.to_polars, lambda: theirs.insert1((2,))):
        with pytest.raises(ConnectionFailedError, match="password authentication failed") as caught:
            action()
        assert "ann@" in str(caught.value)
        assert_hidden(caught.value)
    assert "hunter2" not in repr(theirs) + repr(stranger.session) + repr(wrong)


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [
        ("127.0.0.1", "1", "nothing listens there"),
        ("absent.invalid", "5432", "name is not known"),
        (f"{os.sep}absent", "5432", "its socket does not exist"),
    ],
)
def test_a_server_that_cannot_be_reached_is_named(tmp_path: Path, host: str, port: str, reason: str) -> None:
    environment = {"DJ_IGNORE_CONFIG_FILE": "true", "DJ_USER": "ann", "DJ_PASS": PASSWORD}
    settings = load({**environment, "DJ_HOST": host, "DJ_PORT": port}, tmp_path)
    subject = subject_of(Schema("lab", connection=Database(lambda: settings)))
    for action in (lambda: len(subject), subject.to_polars, lambda: subject.insert1((1,))):
        with pytest.raises(ConnectionFailedError, match=reason) as caught:
            action()
        assert f"ann@{host}:{port}" in str(caught.value)
        assert_hidden(caught.value)


def assert_hidden(error: BaseException | None) -> None:
    """The password stands nowhere in the chain of errors."""
    while error is not None:
        assert "hunter2" not in "".join([str(error), repr(error), *getattr(error, "__notes__", [])])
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
