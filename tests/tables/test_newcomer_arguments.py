"""What somebody new passes by mistake is refused with advice, and leaves nothing behind."""

import io
from typing import Any

import pytest

import djflow as dj
from djflow.errors import DjflowError, InvalidArgumentError, MissingMethodError, QueryError
from djflow.tables.schema import Schema


@pytest.fixture
def subject(schema: Schema) -> Any:
    """A table with three rows."""

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        name = '' : varchar(20)
        """

    Subject().insert({"subject": n} for n in (1, 2, 3))
    return Subject


# delete and drop


def test_a_restricted_table_is_not_dropped(schema: Schema, subject: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"restricted here: delete\(\) removes"):
        (subject & "subject = 1").drop(prompt=False)
    with pytest.raises(InvalidArgumentError, match="restricted here"):
        (schema["Subject"] & {"subject": 1}).drop(prompt=False)
    assert len(subject) == 3


@pytest.mark.parametrize("action", ["delete", "drop"])
def test_a_question_that_nobody_can_answer_changes_nothing(
    subject: Any, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(DjflowError, match="nobody to answer.*prompt=False"):
        getattr(subject(), action)(prompt=True)
    assert len(subject) == 3


def test_queries_without_a_table_tell_how_to_write_in_it(subject: Any) -> None:
    for name in ("delete", "delete_quick", "update1", "insert", "insert1"):
        with pytest.raises(MissingMethodError, match=r"\(Table & query\).delete\(\)"):
            getattr(subject.proj("name"), name)


# conditions and rows


def test_dicts_name_attributes(subject: Any) -> None:
    with pytest.raises(QueryError, match="by their names, and 1 is no name"):
        subject & {1: 2}


@pytest.mark.parametrize("size", [0, -1, 1.5, "a"])
def test_chunks_have_a_number_of_rows(subject: Any, size: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="chunk_size is a number of rows"):
        subject.insert([{"subject": 4}], chunk_size=size)
    assert len(subject) == 3


# migration


@pytest.mark.parametrize("given", [None, "lab", 5])
def test_migrations_of_a_schema_take_a_schema(given: Any) -> None:
    for helper in (dj.migrate.rebuild_lineage, dj.migrate.check_migration_status):
        with pytest.raises(InvalidArgumentError, match="must be a Schema"):
            helper(given)


@pytest.mark.parametrize("name", [None, 5, "", "x" * 64, "a\0b"])
def test_migrations_by_name_take_names(schema: Schema, subject: Any, name: Any) -> None:
    assert len(subject) == 3
    own, database = schema.database, schema.connection
    for call in (
        lambda: dj.migrate.verify_schema_v20(name, connection=database),
        lambda: dj.migrate.backup_schema(name, "copy", connection=database),
        lambda: dj.migrate.backup_schema(own, name, connection=database),
        lambda: dj.migrate.copy_table_data(own, name, "subject", connection=database),
        lambda: dj.migrate.copy_table_data(own, own, name, connection=database),
        lambda: dj.migrate.compare_query_results(own, own, name, connection=database),
    ):
        with pytest.raises(InvalidArgumentError, match="The name of a (schema|table)"):
            call()
