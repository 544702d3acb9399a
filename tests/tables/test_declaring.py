"""Classes become tables: when, in which order, and what stops them."""

import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import djflow as dj
from djflow.configuration import changed
from djflow.errors import (
    AccessError,
    DataTypeError,
    DefinitionError,
    DjflowError,
    DuplicateError,
    IntegrityError,
    MissingTableError,
)
from djflow.relation.database import Database
from djflow.tables.schema import Schema


def same_database(database: Database) -> Database:
    """What another process would open: nothing is shared but the settings."""
    settings = database.settings
    return Database(lambda: settings)


@pytest.fixture
def other(database: Database) -> Iterator[Database]:
    opened = same_database(database)
    yield opened
    opened.close()


def unreachable(tmp_path: Path) -> Database:
    from djflow.configuration import load

    settings = load({"DATABASE_URL": "postgresql://127.0.0.1:1/none", "DJ_IGNORE_CONFIG_FILE": "1"}, tmp_path)
    return Database(lambda: settings)


# without a server


def test_declaring_needs_no_server(tmp_path: Path) -> None:
    schema = Schema("lab", connection=unreachable(tmp_path))

    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int16
        """

    assert Session().heading.names == ("subject", "session")
    assert 'FROM "lab"."session"' in (Session() & Subject() & "session > 1").make_sql()
    assert repr(schema) == "Schema('lab')"


def test_tables_are_created_parents_first_when_one_is_used(schema: Schema) -> None:
    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int16
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int16
            """

    assert not schema.exists
    assert len(Session()) == 0
    assert schema.exists
    assert schema.list_tables() == ["subject", "session", "session__trial"]
    assert Session.Trial.master is Session


def test_a_table_that_exists_is_found_by_whoever_declares_it_again(schema: Schema, other: Database) -> None:
    def declare(schema: Schema) -> Any:
        @schema
        class Subject(dj.Manual):
            definition = """
            subject : int32
            ---
            name = 'nobody' : varchar(20)   # as written in the book
            """

        return Subject

    declare(schema)().insert1((1, "ann"))
    again = declare(Schema(schema.database, connection=other))()
    assert again.fetch1() == {"subject": 1, "name": "ann"}
    assert declare(schema)().fetch1("name") == "ann"


def test_where_a_definition_differs_the_database_is_right(schema: Schema, other: Database) -> None:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        name : varchar(20)
        """

    schema.create()
    elsewhere = Schema(schema.database, connection=other)
    theirs: Any = elsewhere(
        type("Subject", (dj.Manual,), {"definition": "subject : int32\n---\nweight : float64"})
    )
    theirs().insert1({"subject": 1, "name": "ann"})
    assert theirs().heading.names == ("subject", "name")


def test_an_empty_schema_can_be_made(schema: Schema) -> None:
    schema.create()
    assert schema.exists
    assert schema.list_tables() == []


# references


def test_parents_are_named_in_many_ways(schema: Schema, schema_name: str) -> None:
    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"

        class Ear(dj.Part):
            definition = """
            -> master
            side : enum('left', 'right')
            """

    @schema
    class ByClass(dj.Manual):
        definition = "-> Subject"

    @schema
    class ByPart(dj.Manual):
        definition = "-> Subject.Ear"

    module = type(sys)("somewhere")
    vars(module)["Subject"] = Subject

    @schema
    class ByModule(dj.Manual):
        definition = "-> module.Subject"

    @schema
    class Measured(dj.Manual):
        definition = "-> Subject"

        class Tone(dj.Part):
            definition = """
            -> master
            tone : int8
            """

        class Reply(dj.Part):
            definition = """
            -> master
            -> Measured.Tone
            ---
            -> [nullable] Subject.proj(rival='subject')
            """

    assert ByPart().primary_key == ["subject", "side"]
    assert ByModule().primary_key == ByClass().primary_key == ["subject"]
    assert Measured.Reply().primary_key == ["subject", "tone"]
    assert Measured.Reply().heading["rival"].lineage == f"{schema_name}.subject.subject"
    assert len(schema.list_tables()) == 8


def test_a_context_says_what_names_mean(schema: Schema, database: Database) -> None:
    animal = schema(type("Subject", (dj.Manual,), {"definition": "subject : int32"}))
    child: Any = schema(
        type("Session", (dj.Manual,), {"definition": "-> Animal"}), context={"Animal": animal}
    )
    assert child().primary_key == ["subject"]
    second = Schema(schema.database, {"Beast": animal}, connection=database)
    assert second(type("Diet", (dj.Manual,), {"definition": "-> Beast"}))().primary_key == ["subject"]


def test_an_unknown_parent_is_named_with_the_closest_class(schema: Schema) -> None:
    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"

    with pytest.raises(DefinitionError, match=r"'Subjct'.*Did you mean 'Subject'") as caught:

        @schema
        class Session(dj.Manual):
            definition = """
            -> Subjct
            session : int16
            """

    assert caught.value.hint == "Declare or import the parent class above this one."
    assert schema.list_tables() == ["subject"]


def test_keys_reach_across_schemas(schema: Schema, database: Database) -> None:
    later = Schema(f"{schema.database}_b", connection=database)

    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"

    @later
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int16
        """

    try:
        with pytest.raises(IntegrityError):
            Session().insert1((1, 1))
        Subject().insert1((1,))
        Session().insert1((1, 1))
        assert (Subject() * Session()).to_dicts() == [{"subject": 1, "session": 1}]
        assert later.list_tables() == ["session"]
        assert f"-> {schema.database}.Subject" in Session().describe()
        with pytest.raises(DjflowError, match=f"depend on '{schema.database}'.*{later.database}.session"):
            schema.drop(prompt=False)
        assert len(Subject()) == 1
    finally:
        later.drop(prompt=False)


def test_a_schema_can_get_its_name_later(database: Database, schema_name: str) -> None:
    pipeline = Schema(connection=database)

    @pipeline
    class Subject(dj.Lookup):
        definition = "subject : int32"
        contents = ((1,), (2,))

    @pipeline
    class Session(dj.Manual):
        definition = "-> Subject"

    assert not pipeline.is_activated()
    with pytest.raises(DjflowError, match="activate"):
        _ = pipeline.database
    with pytest.raises(DjflowError, match="belongs to no schema"):
        len(Subject())
    pipeline.activate(schema_name)
    assert len(Subject()) == 2
    assert pipeline.list_tables() == ["#subject", "session"]
    with pytest.raises(DjflowError, match="already activated"):
        pipeline.activate("another")


# parts and contents


def test_contents_may_be_a_list_a_generator_or_a_property(schema: Schema) -> None:
    @schema
    class Listed(dj.Lookup):
        definition = """
        name : varchar(10)
        ---
        n = 5 : int16
        """
        contents = ({"name": "a"}, {"name": "b", "n": 6})

    @schema
    class Generated(dj.Lookup):
        definition = "n : int16"
        contents = ((n,) for n in range(3))

    @schema
    class Computed(dj.Lookup):
        definition = "n : int16"

        @property
        def contents(self) -> Iterator[tuple[int]]:  # type: ignore[override]
            yield from ((n * n,) for n in range(3))

    assert Listed().to_dicts() == [{"name": "a", "n": 5}, {"name": "b", "n": 6}]
    assert [row["n"] for row in Generated()] == [0, 1, 2]
    assert [row["n"] for row in Computed()] == [0, 1, 4]


def test_contents_never_overwrite_what_was_edited(schema: Schema, other: Database) -> None:
    def declare(schema: Schema, size: int) -> Any:
        @schema
        class Box(dj.Lookup):
            definition = """
            box : int16
            ---
            size : int16
            """
            contents = ((1, size), (2, size))

        return Box()

    assert declare(schema, 5).to_arrays("size").tolist() == [5, 5]
    assert declare(Schema(schema.database, connection=other), 6).to_arrays("size").tolist() == [5, 5]


def test_contents_that_do_not_fit_are_told_at_every_use(schema: Schema) -> None:
    @schema
    class Box(dj.Lookup):
        definition = "box : int16"
        contents = ((1,), (100_000,))

    for _ in range(2):
        with pytest.raises(DataTypeError, match="row 1, column 'box'"):
            len(Box())


def test_a_part_may_be_a_lookup(schema: Schema) -> None:
    @schema
    class Stimulus(dj.Lookup):
        definition = "stimulus : varchar(10)"
        contents = (("tone",), ("light",))

        class Level(dj.Part, dj.Lookup):
            definition = """
            -> master
            level : int16
            """
            contents = (("tone", 1), ("tone", 2))

    assert schema.list_tables() == ["#stimulus", "#stimulus__level"]
    assert len(Stimulus.Level()) == 2


def test_parts_are_declared_by_their_master_only(schema: Schema) -> None:
    with pytest.raises(DjflowError, match="declared with its master"):

        @schema
        class Trial(dj.Part):
            definition = "-> master"


@pytest.mark.parametrize("thing", [int, 5, "Subject", dj.Table])
def test_only_tiers_are_decorated(schema: Schema, thing: Any) -> None:
    with pytest.raises(DjflowError, match=r"Derive it from Manual"):
        schema(thing)


def test_a_class_without_a_schema_says_what_is_missing() -> None:
    class Subject(dj.Manual):
        definition = "subject : int32"

    with pytest.raises(DjflowError, match="Decorate it"):
        Subject().to_dicts()
    with pytest.raises(DjflowError, match="Decorate it"):
        Subject().insert1((1,))


# singletons


def test_a_table_without_a_key_holds_one_row(schema: Schema) -> None:
    @schema
    class Rig(dj.Lookup):
        definition = """
        ---
        rate : int32
        """

    Rig().insert1((1000,))
    with pytest.raises(DuplicateError):
        Rig().insert1((2000,))
    Rig().insert1((3000,), skip_duplicates=True)
    assert Rig().fetch1() == {"rate": 1000}
    Rig().insert1((3000,), replace=True)
    assert Rig().fetch1("rate") == 3000
    assert Rig().primary_key == []


# rights


def test_without_create_tables_only_existing_ones_are_used(schema: Schema, other: Database) -> None:
    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"

    schema.create()
    careful = Schema(schema.database, connection=other, create_tables=False)
    here: Any = careful(type("Subject", (dj.Manual,), {"definition": "subject : int32"}))
    here().insert1((1,))
    assert len(here()) == 1
    absent: Any = careful(type("Absent", (dj.Manual,), {"definition": "absent : int32"}))
    with pytest.raises(MissingTableError, match=r"absent.*create_tables is False"):
        len(absent())
    assert schema.list_tables() == ["subject"]


def test_without_create_schema_a_missing_schema_is_an_error(database: Database, schema_name: str) -> None:
    careful = Schema(schema_name, connection=database, create_schema=False)
    with pytest.raises(MissingTableError, match="create_schema is False"):
        careful.create()
    assert not careful.exists


def test_a_role_that_may_only_read_uses_the_tables(
    schema: Schema, connection: Any, database: Database, server_url: str
) -> None:
    from psycopg.conninfo import conninfo_to_dict

    @schema
    class Subject(dj.Lookup):
        definition = """
        subject : int32
        ---
        sex : enum('M', 'F')
        """
        contents = ((1, "M"), (2, "F"))

    schema.create()
    role = schema.database
    connection.execute(f'CREATE ROLE "{role}" LOGIN')
    connection.execute(f'GRANT USAGE ON SCHEMA "{role}" TO "{role}"')
    connection.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA "{role}" TO "{role}"')
    there = conninfo_to_dict(server_url)
    login = {
        "host": there["host"],
        "port": int(there["port"] or 0),
        "user": role,
        "name": there["dbname"],
    }
    settings = changed(database.settings, {"database": login})
    reader = Database(lambda: settings)
    try:
        readable = Schema(role, connection=reader)
        same = {"definition": Subject.definition, "contents": Subject.contents}
        theirs: Any = readable(type("Subject", (dj.Lookup,), same))
        assert theirs().primary_key == ["subject"]
        assert len(theirs()) == 2
        assert theirs().to_polars()["sex"].to_list() == ["M", "F"]
        with pytest.raises(AccessError, match="GRANT"):
            theirs().insert1((3, "M"))
        new: Any = readable(type("Session", (dj.Manual,), {"definition": "session : int32"}))
        with pytest.raises(AccessError):
            len(new())
    finally:
        reader.close()
        connection.execute(f'DROP OWNED BY "{role}"')
        connection.execute(f'DROP ROLE "{role}"')


# dropping


def test_a_dropped_schema_comes_back_empty(schema: Schema) -> None:
    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"

    Subject().insert1((1,))
    schema.drop(prompt=False)
    assert not schema.exists
    schema.drop(prompt=False)
    assert len(Subject()) == 0
    Subject().insert1((1,))
    assert schema.list_tables() == ["subject"]


# transactions


def test_tables_made_in_a_transaction_that_fails_are_made_again(schema: Schema) -> None:
    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"

    with pytest.raises(ZeroDivisionError), schema.connection.transaction:  # noqa: PT012 - the block is the transaction
        Subject().insert1((1,))
        _ = 1 / 0
    assert not schema.exists
    assert len(Subject()) == 0


def test_threads_that_use_a_new_table_at_once_all_find_it(schema: Schema) -> None:
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"

    barrier = Barrier(8)

    def insert(number: int) -> None:
        barrier.wait()
        Subject().insert1((number,))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(insert, range(8)))
    assert len(Subject()) == 8


_DECLARE = """
import sys
import djflow as dj
schema = dj.Schema(sys.argv[1])
@schema
class Subject(dj.Lookup):
    definition = '''
    subject : int32
    ---
    sex : enum('M', 'F')
    '''
    contents = [(n, 'M') for n in range(50)]
@schema
class Session(dj.Manual):
    definition = '''
    -> Subject
    session : int16
    '''
    class Trial(dj.Part):
        definition = '''
        -> master
        trial : int16
        '''
sys.stdin.readline()
Session.insert([(n, int(sys.argv[2])) for n in range(50)])
print(len(Session.Trial()), schema.list_tables())
"""


def test_four_processes_declare_the_same_tables_at_once(
    schema: Schema, process_environment: dict[str, str]
) -> None:
    command = [sys.executable, "-c", _DECLARE, schema.database]
    processes = [
        subprocess.Popen(
            [*command, str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=process_environment,
        )
        for n in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    assert said == [("0 ['#subject', 'session', 'session__trial']\n", "")] * 4
    rows = schema.connection.query(f'SELECT count(*) FROM "{schema.database}"."session"')
    assert rows == [(200,)]


# names


@pytest.mark.parametrize("suffix", ["_UPPER", "-dash", " space", 'quo"te', "ünï"])
def test_a_schema_may_have_any_name(database: Database, schema_name: str, suffix: str) -> None:
    odd = Schema(schema_name + suffix, connection=database)

    @odd
    class Subject(dj.Lookup):
        definition = """
        subject : int32
        ---
        sex : enum('M', 'F')
        seen = CURRENT_TIMESTAMP : datetime
        index (sex)
        """
        contents = ({"subject": 1, "sex": "M"},)

    try:
        assert (Subject() & {"sex": "M"}).to_arrays("subject").tolist() == [1]
        assert odd.list_tables() == ["#subject"]
        assert odd.exists
    finally:
        odd.drop(prompt=False)


@pytest.mark.parametrize("name", ["", "a.b", "x" * 64, "nul\0"])
def test_a_name_that_cannot_be_is_refused(database: Database, name: str) -> None:
    with pytest.raises(DjflowError, match=r"1 to 63 bytes"):
        Schema(name, connection=database)


# descriptions


def test_what_describe_says_declares_the_same_table(schema: Schema, database: Database) -> None:
    @schema
    class Subject(dj.Manual):
        definition = """
        # animals, "quoted" and 'so'
        subject : int32   # cage's number
        ---
        name = 'no "body"' : varchar(30)
        sex = 'U' : enum('M', 'F', 'U')
        weight = null : decimal(8,3)
        seen = CURRENT_TIMESTAMP : datetime
        alive = true : bool
        ratio = 2.5 : float32
        image = null : <blob@>
        index (name, sex)
        unique index (weight)
        """

    @schema
    class Pair(dj.Manual):
        definition = """
        -> Subject
        ---
        -> [nullable, unique] Subject.proj(mate='subject')
        """

    schema.create()
    twin = Schema(f"{schema.database}_twin", connection=database)
    declared: dict[str, Any] = {}
    try:
        for cls in (Subject, Pair):
            text = cls().describe()
            made: Any = type(cls.__name__, (dj.Manual,), {"definition": text})
            declared[cls.__name__] = again = twin(made, context=declared)
            assert again().describe() == text
            assert again().heading.names == cls().heading.names
            assert [str(a.type) for a in again().heading] == [str(a.type) for a in cls().heading]
    finally:
        twin.drop(prompt=False)


def test_headings_tell_types_nulls_defaults_and_comments(schema: Schema) -> None:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32   # cage
        ---
        weight = null : decimal(8,3)   # grams
        """

    for _ in ("declared", "created"):
        weight = Subject().heading["weight"]
        assert (str(weight.type), weight.nullable, weight.in_key, weight.comment) == (
            "decimal(8,3)",
            True,
            False,
            "grams",
        )
        schema.create()


# mistakes


@pytest.mark.parametrize(
    ("definition", "line", "at"),
    [
        ("subject : int33", "subject : int33", "int33"),
        ("subject : int32\n---\nname varchar(20)", "name varchar(20)", "name"),
        ("Subject : int32", "Subject : int32", "Subject"),
        ("subject : int32\n---\n-> ", "->", ""),
    ],
)
def test_a_mistake_is_shown_with_line_and_caret_and_leaves_nothing(
    schema: Schema, definition: str, line: str, at: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        schema(type("Subject", (dj.Manual,), {"definition": definition}))
    shown = str(caught.value).splitlines()
    place = next(i for i, text in enumerate(shown) if line in text)
    assert shown[place + 1].strip() == "^"
    assert not at or shown[place + 1].index("^") == shown[place].index(at)
    assert any("In the definition of Subject" in note for note in caught.value.__notes__)
    schema.create()
    assert schema.list_tables() == []


def test_a_mistake_in_a_part_leaves_the_master_undeclared(schema: Schema) -> None:
    with pytest.raises(DefinitionError, match="master"):

        @schema
        class Session(dj.Manual):
            definition = "session : int32"

            class Trial(dj.Part):
                definition = "trial : int16"

    schema.create()
    assert schema.list_tables() == []
    with pytest.raises(DefinitionError, match="'Session'"):
        schema(type("Child", (dj.Manual,), {"definition": "-> Session"}))


def test_a_failed_declaration_leaves_the_class_out_of_later_ones(schema: Schema) -> None:
    with pytest.raises(DefinitionError, match="no definition"):
        schema(type("Subject", (dj.Manual,), {}))
    with pytest.raises(DefinitionError, match="CamelCase"):
        schema(type("my_subject", (dj.Manual,), {"definition": "subject : int32"}))
    good: Any = schema(type("Subject", (dj.Manual,), {"definition": "subject : int32"}))
    assert len(good()) == 0


def test_computed_tables_inherit_their_keys(schema: Schema) -> None:
    with pytest.raises(DefinitionError, match="comes from its parents"):

        @schema
        class Result(dj.Computed):
            definition = "result : int32"


def test_a_cleaned_docstring_is_a_definition_too(schema: Schema) -> None:
    text = """
        subject : int32
        ---
        name : varchar(20)
    """
    for clean in (dedent, inspect.cleandoc, str.strip):
        found: Any = schema(type("Subject", (dj.Manual,), {"definition": clean(text)}))
        assert found().heading.names == ("subject", "name")
