import contextlib
import pickle
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from inline_snapshot import snapshot

from djflow.backend.sqlstate import translate
from djflow.errors import (
    AccessError,
    ConnectionFailedError,
    DataTypeError,
    DeadlockError,
    DiskFullError,
    DjflowError,
    DuplicateError,
    IntegrityError,
    LostConnectionError,
    MissingAttributeError,
    MissingTableError,
    QueryError,
    SerializationError,
)

TABLES = """
CREATE SCHEMA {0};
SET search_path TO {0};
CREATE TABLE parent (a int, b varchar(3), PRIMARY KEY (a, b));
CREATE TABLE child (
  a int, b varchar(3), c text NOT NULL, FOREIGN KEY (a, b) REFERENCES parent ON DELETE RESTRICT
);
CREATE TABLE root (a int PRIMARY KEY, mother int REFERENCES root);
INSERT INTO root VALUES (1, 1), (2, 1);
INSERT INTO parent VALUES (1, 'x');
INSERT INTO child VALUES (1, 'x', 'c');
"""
BY_SQLSTATE = {
    "23505": DuplicateError,
    "23503": IntegrityError,
    "23001": IntegrityError,
    "23502": IntegrityError,  # without a column
    "23514": IntegrityError,
    "23P01": IntegrityError,
    "42501": AccessError,
    "25006": AccessError,
    "42P01": MissingTableError,
    "3F000": MissingTableError,
    "42703": QueryError,
    "42601": QueryError,
    "22012": QueryError,
    "57014": QueryError,
    "40001": SerializationError,
    "40P01": DeadlockError,
    "55P03": QueryError,
    "53100": DiskFullError,
    "57P01": LostConnectionError,
    "57P02": LostConnectionError,
    "08006": LostConnectionError,
    "57P03": ConnectionFailedError,
    "53300": ConnectionFailedError,
    "3D000": ConnectionFailedError,
    "28P01": ConnectionFailedError,
    "28000": ConnectionFailedError,
}
STATEMENTS = {
    "duplicate": "INSERT INTO parent VALUES (1, 'x')",
    "no parent": "INSERT INTO child VALUES (2, 'y', 'c')",
    "child left": "DELETE FROM parent",
    "still referred to": "DELETE FROM root WHERE a = 1",
    "no such mother": "INSERT INTO root VALUES (3, 4)",
    "null": "INSERT INTO child (a) VALUES (1)",
    "no column": "SELECT nope FROM parent",
    "no table": "SELECT * FROM nope",
    "no schema": "CREATE TABLE nope.t (a int)",
    "too long": "INSERT INTO parent VALUES (1, 'long')",
    "syntax": "SELEC 1",
}


@pytest.fixture
def tables(connection: "psycopg.Connection[Any]", schema_name: str) -> "psycopg.Connection[Any]":
    connection.execute(TABLES.format(schema_name).encode())
    return connection


@pytest.fixture
def adbc(server_url: str, tables: "psycopg.Connection[Any]", schema_name: str) -> Iterator[Any]:
    from adbc_driver_postgresql import dbapi

    assert not tables.closed
    with dbapi.connect(server_url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET search_path TO {schema_name}")
        cursor.fetchall()
        yield cursor


def _copy_binary(cursor: "psycopg.Cursor[Any]", row: tuple[int, str]) -> None:
    with cursor.copy("COPY parent FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int4", "text"])
        copy.write_row(row)


def failure(connection: "psycopg.Connection[Any]", sql: str) -> DjflowError:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(sql.encode())
    return translate(caught.value)


def explained(error: DjflowError, schema: str) -> list[str]:
    text = str(error).replace(schema, "lab")
    return [type(error).__name__, *re.split(r"(?<=[.:;]) ", text)]


def test_each_failure_says_what_and_what_to_do(tables: "psycopg.Connection[Any]", schema_name: str) -> None:
    errors = {name: failure(tables, sql) for name, sql in STATEMENTS.items()}
    assert {name: explained(error, schema_name) for name, error in errors.items()} == snapshot(
        {
            "duplicate": [
                "DuplicateError",
                "lab.parent has a row already with (a, b)=(1, x).",
                "Pass skip_duplicates=True to keep the existing row, or replace=True to overwrite it.",
            ],
            "no parent": [
                "IntegrityError",
                "lab.child refers to a row of parent that does not exist:",
                "(a, b)=(2, y).",
                "Insert it into parent first.",
            ],
            "child left": [
                "IntegrityError",
                "A row with (a, b)=(1, x) cannot go or change its key:",
                "child still refers to it.",
                "Delete the rows of child first;",
                "delete() does so for all descendants.",
            ],
            "still referred to": [
                "IntegrityError",
                "A row with (a)=(1) cannot go or change its key:",
                "root still refers to it.",
                "Delete the rows of root first;",
                "delete() does so for all descendants.",
            ],
            "no such mother": [
                "IntegrityError",
                "lab.root refers to a row of root that does not exist:",
                "(mother)=(4).",
                "Insert it into root first.",
            ],
            "null": [
                "MissingAttributeError",
                "lab.child requires attribute 'c', which is missing.",
                "Give it a value, or a default in the definition.",
            ],
            "no column": [
                "QueryError",
                'column "nope" does not exist.',
                "The table may have changed since its definition was read:",
                "compare with describe().",
            ],
            "no table": [
                "MissingTableError",
                'relation "nope" does not exist.',
                "Declare it first, or check the schema's name and your right to see it.",
            ],
            "no schema": [
                "MissingTableError",
                'schema "nope" does not exist.',
                "Declare it first, or check the schema's name and your right to see it.",
            ],
            "too long": ["QueryError", "value too long for type character varying(3)"],
            "syntax": ["QueryError", 'syntax error at or near "SELEC"'],
        }
    )


@pytest.mark.parametrize("name", STATEMENTS)
def test_both_drivers_give_the_same_error(name: str, tables: "psycopg.Connection[Any]", adbc: Any) -> None:
    import adbc_driver_manager

    ours = failure(tables, STATEMENTS[name])
    with pytest.raises(adbc_driver_manager.Error) as caught:
        adbc.execute(STATEMENTS[name])
    theirs = translate(caught.value)
    assert (type(theirs), str(theirs), vars(theirs)) == (type(ours), str(ours), vars(ours))


def test_a_duplicate_names_table_constraint_and_key(
    tables: "psycopg.Connection[Any]", schema_name: str
) -> None:
    error = failure(tables, STATEMENTS["duplicate"])
    assert isinstance(error, DuplicateError)
    assert (error.table, error.constraint, error.key) == (
        f"{schema_name}.parent",
        "parent_pkey",
        "(a, b)=(1, x)",
    )


def test_a_missing_value_names_its_attribute(tables: "psycopg.Connection[Any]") -> None:
    error = failure(tables, STATEMENTS["null"])
    assert isinstance(error, MissingAttributeError)
    assert error.name == "c"


def test_a_row_that_copy_refuses_is_named_by_row_and_column(tables: "psycopg.Connection[Any]") -> None:
    cursor = tables.cursor()
    with pytest.raises(psycopg.Error) as caught, cursor.copy("COPY parent FROM STDIN") as copy:
        copy.write("7\tab\n8\tlong\n")
    error = translate(caught.value, table="lab.parent")
    assert isinstance(error, DataTypeError)
    assert (error.table, error.column, error.row, error.value) == ("lab.parent", "b", 1, "long")


def test_a_binary_row_that_copy_refuses_is_named_too(tables: "psycopg.Connection[Any]") -> None:
    cursor = tables.cursor()
    with pytest.raises(psycopg.Error) as caught:
        _copy_binary(cursor, (7, "long"))
    error = translate(caught.value)
    assert isinstance(error, DataTypeError)
    assert (error.column, error.row) == ("b", 0)


@pytest.mark.parametrize("sqlstate", BY_SQLSTATE)
def test_the_sqlstate_alone_decides_the_class(sqlstate: str, connection: "psycopg.Connection[Any]") -> None:
    error = failure(
        connection, f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}', MESSAGE = 'said'; END $$"
    )
    assert type(error) is BY_SQLSTATE[sqlstate]
    assert getattr(error, "sqlstate", sqlstate) == sqlstate
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled one line above
    assert (str(again), vars(again)) == (str(error), vars(error))


def test_a_lost_connection_is_known_at_once_and_later(
    server_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    with contextlib.closing(psycopg.connect(server_url, autocommit=True)) as victim:
        connection.execute("SELECT pg_terminate_backend(%s)", [victim.info.backend_pid])
        for _ in range(2):
            assert isinstance(failure(victim, "SELECT 1"), LostConnectionError)


def test_a_mistake_on_the_client_is_no_lost_connection(connection: "psycopg.Connection[Any]") -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute("SELECT %s", [])
    assert type(translate(caught.value)) is QueryError


def test_a_stream_that_fails_half_way_says_why(adbc: Any) -> None:
    adbc.execute("SELECT 100 / (50000 - i) FROM generate_series(1, 100000) i")
    reader = adbc.fetch_record_batch()
    with pytest.raises(OSError, match="division") as caught:
        reader.read_all()
    error = translate(caught.value)
    assert type(error) is QueryError
    assert str(error) == "division by zero"


def test_a_stream_that_breaks_is_a_lost_connection(adbc: Any, connection: "psycopg.Connection[Any]") -> None:
    adbc.execute("SELECT pg_backend_pid()")
    [(pid,)] = adbc.fetchall()
    adbc.execute("SELECT i, repeat('x', 1000) FROM generate_series(1, 1000000) i")
    reader = adbc.fetch_record_batch()
    connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with pytest.raises(OSError, match=r"\S") as caught:
        reader.read_all()
    assert isinstance(translate(caught.value), LostConnectionError)


def test_a_role_without_rights_is_told_whom_to_ask(
    tables: "psycopg.Connection[Any]", schema_name: str
) -> None:
    role = f"{schema_name}_reader"
    tables.execute(
        f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA {schema_name} TO {role}; SET ROLE {role}".encode()
    )
    error = failure(tables, "SELECT * FROM parent")
    tables.execute(f"RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}".encode())
    assert type(error) is AccessError
    assert str(error) == "permission denied for table parent. Ask the owner to GRANT the right to your role."


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://someone:hunter2@127.0.0.1:1/lab",
        "postgresql://someone:hunter2",
        "postgresql://someone:hun@ter2@nowhere.invalid/lab",
        "postgresql://someone:hun ter2@127.0.0.1:1/lab",
        "postgresql://someone:hun%zzter2@127.0.0.1/lab",
        "someone:hunter2@127.0.0.1/lab",
        "password=hunter2 hunter2=1",
        "host=/nonexistent/folder password=hunter2",
    ],
)
@pytest.mark.parametrize("server", ["", "someone@127.0.0.1/lab"])
def test_a_failed_connection_never_shows_the_password(url: str, server: str) -> None:
    import adbc_driver_manager
    from adbc_driver_postgresql import dbapi

    with pytest.raises(psycopg.Error) as caught:
        psycopg.connect(url, connect_timeout=2)
    with pytest.raises(adbc_driver_manager.Error) as caught_too:
        dbapi.connect(url)
    for error in (translate(caught.value, server=server), translate(caught_too.value, server=server)):
        assert isinstance(error, ConnectionFailedError)
        assert server in str(error)
        assert "hun" not in repr(error)
        assert "ter2" not in repr(error)


def test_a_database_that_does_not_exist_is_named(server_url: str) -> None:
    from psycopg.conninfo import make_conninfo

    with pytest.raises(psycopg.Error) as caught:
        psycopg.connect(make_conninfo(server_url, dbname="nowhere"))
    assert str(translate(caught.value, server="the embedded server")) == snapshot(
        'Cannot connect to PostgreSQL at the embedded server: database "nowhere" does not exist.'
    )
