"""What somebody new passes by mistake is refused with advice, and leaves nothing behind."""

import io
from typing import Any

import pytest

import djflow as dj
from djflow.errors import AlterationError, DjflowError, InvalidArgumentError, MissingMethodError, QueryError
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
    with pytest.raises(DjflowError, match=r"nobody to answer.*prompt=False"):
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


# names


def test_names_may_have_any_character(schema: Schema, tmp_path: Any) -> None:
    odd = Schema(f'{schema.database} Ann\'s "lab" ü', connection=schema.connection)

    @odd
    class Subject(dj.Manual):
        definition = """
        subject : varchar(9)
        ---
        sex = 'U' : enum('M', 'F', 'U')
        """

    try:
        Subject().insert1({"subject": "%s'\""})
        name = Subject().full_table_name
        assert schema.connection.query(f"SELECT sex::text FROM {name}") == [("U",)]
        assert len(dj.FreeTable(schema.connection, name)) == 1
        assert "sex = 'U' : enum('M','F','U')" in odd["Subject"].describe()
        assert Subject().delete(prompt=False, archive=tmp_path / "archive") == 1
        dj.restore(tmp_path / "archive", connection=schema.connection)
        assert Subject().fetch1() == {"subject": "%s'\"", "sex": "U"}
    finally:
        odd.drop(prompt=False)


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
    call: Any
    for call in (
        lambda: dj.migrate.verify_schema_v20(name, connection=database),
        lambda: dj.migrate.backup_schema(name, "copy", connection=database),
        lambda: dj.migrate.backup_schema(own, name, connection=database),
        lambda: dj.migrate.copy_table_data(own, name, "subject", connection=database),
        lambda: dj.migrate.copy_table_data(own, own, name, connection=database),
        lambda: dj.migrate.compare_query_results(own, own, name, connection=database),
    ):
        with pytest.raises(InvalidArgumentError, match=r"The name of a (schema|table)"):
            call()


# tables and schemas


def test_a_class_that_nobody_decorated_says_so() -> None:
    class Forgotten(dj.Computed):
        definition = "subject : int32"

    forgotten: Any = Forgotten  # as users call it, on the class
    for name, arguments in [("insert1", [(1,)]), ("delete", []), ("populate", []), ("to_dicts", [])]:
        call = getattr(forgotten, name)
        with pytest.raises(DjflowError, match="Forgotten belongs to no schema"):
            call(*arguments)


def test_objects_of_a_schema_are_names_for_definitions(schema: Schema, subject: Any) -> None:
    other = Schema(schema.database, connection=schema.connection, add_objects={"Animal": subject})

    @other
    class Session(dj.Manual):
        definition = "-> Animal"

    assert Session().heading.names == ("subject",)


@pytest.mark.parametrize("name", [None, 5, "", "a.b", "x" * 64, "a\0", "\ud800", b"lab"])
def test_names_of_schemas_are_checked(schema: Schema, name: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="A schema's name has"):
        dj.virtual_schema(name, connection=schema.connection)
    if name is not None:  # a schema may get its name later
        with pytest.raises(InvalidArgumentError, match="A schema's name has"):
            Schema(name, connection=schema.connection)


def test_tables_are_found_by_names(schema: Schema, subject: Any) -> None:
    database: Any = schema.connection
    assert len(subject) == 3
    given: Any
    for given in (None, 5, [], b"Subject"):
        with pytest.raises(InvalidArgumentError, match="found by its name"):
            schema[given]
        with pytest.raises(InvalidArgumentError):
            dj.FreeTable(database, given)


def test_connections_are_databases() -> None:
    wrong: Any = "postgresql://ann:secret@lab/db"
    for call in (
        lambda: Schema("lab", connection=wrong),
        lambda: dj.virtual_schema("lab", connection=wrong),
        lambda: dj.restore("archive", connection=wrong),
        lambda: dj.FreeTable(5, "lab.subject"),  # type: ignore[arg-type]
        lambda: dj.migrate.verify_schema_v20("lab", connection=wrong),
    ):
        with pytest.raises(InvalidArgumentError, match="connection is a database") as caught:
            call()
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("modules", [5, ["a"], {"lab": 5}, {5: "lab"}, {"lab": "not a module"}])
def test_modules_are_named(schema: Schema, subject: Any, modules: Any) -> None:
    assert len(subject) == 3
    with pytest.raises(InvalidArgumentError, match=r"modules is a mapping|no name of a Python module"):
        schema.save(modules=modules)


# altering


@pytest.mark.parametrize("argument", ["renames", "fill", "context"])
@pytest.mark.parametrize("given", [5, "name", {5: "name"}])
def test_what_alter_takes_by_name_is_a_mapping(subject: Any, argument: str, given: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{argument} is a mapping"):
        subject.alter(**{argument: given})


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "5", None])
def test_waiting_for_locks_takes_some_seconds(subject: Any, seconds: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="lock_timeout is a number of seconds"):
        subject.alter(lock_timeout=seconds)


def test_restricted_tables_are_not_altered(subject: Any) -> None:
    with pytest.raises(AlterationError, match="restricted here"):
        (subject & "subject = 1").alter()


# rights and rows


def test_rows_are_protected_in_whole_tables(schema: Schema, subject: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="whole tables"):
        schema.protect_rows(subject & "subject = 1")
    columns = schema.connection.query(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0",
        (f"{schema.database}.subject",),
    )
    assert ("_owner",) not in columns


def test_roles_are_names(schema: Schema, subject: Any) -> None:
    role: Any
    for role in (None, 5, ["ann"]):
        call: Any
        for call in (
            lambda role=role: schema.grant(role, "reader"),
            lambda role=role: schema.revoke(role),
            lambda role=role: schema.give_rows(subject, old="ann", new=role),
        ):
            with pytest.raises(InvalidArgumentError, match="A role is given by its name"):
                call()
    with pytest.raises(InvalidArgumentError, match="A role is given by its name"):
        schema.protect_rows(subject, owner=5)  # type: ignore[arg-type]


# archives


@pytest.mark.parametrize("name", [5, "a.b", "", "x" * 64, {"test": 5}])
def test_archives_are_restored_under_names_of_schemas(
    schema: Schema, subject: Any, tmp_path: Any, name: Any
) -> None:
    assert len(subject) == 3
    schema.dump(tmp_path / "archive")
    given: Any = {schema.database: 5} if isinstance(name, dict) else name
    with pytest.raises(InvalidArgumentError, match=r"A schema's name has|schema is a mapping"):
        dj.restore(tmp_path / "archive", schema=given, connection=schema.connection)


def test_a_url_is_a_text() -> None:
    with pytest.raises(DjflowError, match="URL"):
        dj.Instance(url=5)  # type: ignore[arg-type]
