import pickle
from typing import Any

import pytest

import djflow as dj
from djflow.errors import (
    DjflowError,
    InvalidArgumentError,
    MissingSchemaError,
    MissingTableError,
    ThreadSafetyError,
    UnknownTableError,
)
from djflow.relation.database import Database
from djflow.tables.free import FreeTable, free_table


@pytest.fixture
def pipeline(schema: dj.Schema) -> dj.Schema:
    """A schema with tables of all tiers, whose classes nobody has kept."""

    @schema
    class Species(dj.Lookup):
        definition = """
        species : varchar(20)
        """
        contents = (("mouse",), ("rat",))

    @schema
    class QCSession(dj.Manual):
        definition = """
        # one sitting
        session : int32   # number
        ---
        -> Species
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int16
            """

    @schema
    class Mean(dj.Computed):
        definition = """
        -> QCSession
        ---
        mean : float64
        """

    schema.create()
    return dj.Schema(schema.database, connection=schema.connection)


@pytest.mark.parametrize(
    ("written", "table"),
    [
        ("{}.q_c_session", "q_c_session"),
        ('"{}"."q_c_session"', "q_c_session"),
        ("`{}`.`q_c_session`", "q_c_session"),
        ("{}.QCSession", "q_c_session"),
        ("{}.QCSession.Trial", "q_c_session__trial"),
        ("{}.q_c_session__trial", "q_c_session__trial"),
        ("{}.Species", "#species"),
        ("{}.species", "#species"),
        ('"{}"."#species"', "#species"),
        (" {}.Mean ", "__mean"),
    ],
)
def test_a_table_is_found_by_any_of_its_names(
    pipeline: dj.Schema, database: Database, written: str, table: str
) -> None:
    found = free_table(database, written.format(pipeline.database))
    assert found.full_table_name == f'"{pipeline.database}"."{table}"'
    assert FreeTable(database, written.format(pipeline.database)).table_name == table


def test_a_missing_table_is_answered_with_the_closest_name(pipeline: dj.Schema, database: Database) -> None:
    with pytest.raises(UnknownTableError, match="Did you mean 'Species'") as caught:
        free_table(database, f"{pipeline.database}.Specis")
    assert (caught.value.table, caught.value.schema) == ("Specis", pipeline.database)
    assert "QCSession.Trial" in caught.value.candidates
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert (again.table, str(again)) == ("Specis", str(caught.value))
    with pytest.raises(MissingSchemaError, match=f"Did you mean '{pipeline.database}'"):
        free_table(database, f"{pipeline.database}x.Species")


@pytest.mark.parametrize("name", ["species", "", ".", "a.", ".a", '"a".b"c', "`a"])
def test_what_is_no_full_name_is_refused(database: Database, name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="no full name"):
        FreeTable(database, name)


def test_a_class_name_that_fits_several_tables_is_refused(pipeline: dj.Schema, database: Database) -> None:
    database.query(f'CREATE TABLE "{pipeline.database}"._species (a int PRIMARY KEY)')
    with pytest.raises(MissingTableError, match="any of '#species', '_species'"):
        pipeline.get_table("Species")
    assert pipeline["#species"].table_name == "#species"
    assert "Species" in pipeline


def test_a_free_table_offers_what_a_declared_one_does(pipeline: dj.Schema) -> None:
    session, trial = pipeline["QCSession"], pipeline["QCSession.Trial"]
    session.insert([(1, "rat"), (2, "mouse"), (3, "rat")])
    trial.insert({"session": 1, "trial": n} for n in range(3))
    rats = session & {"species": "rat"}
    assert isinstance(rats, FreeTable)
    assert [row["session"] for row in rats.to_dicts()] == [1, 3]
    assert len(session * trial) == 3
    assert len(session & trial) == 1
    assert session.aggr(trial, n="count(trial)").to_arrays("n").tolist() == [3, 0, 0]
    assert session.heading.names == ("session", "species")
    assert session.describe() == "# one sitting\nsession : int32  # number\n---\n-> Species\n"
    assert "rat" in repr(session)
    assert "<table" in session._repr_html_()
    rats.delete(prompt=False)
    assert session.to_dicts() == [{"session": 2, "species": "mouse"}]
    assert len(trial) == 0


def test_tables_that_make_fills_refuse_rows_by_hand(pipeline: dj.Schema) -> None:
    pipeline["QCSession"].insert1((1, "rat"))
    mean = pipeline["Mean"]
    with pytest.raises(DjflowError, match="filled by make"):
        mean.insert1((1, 0.5))
    assert len(mean) == 0
    mean.insert1((1, 0.5), allow_direct_insert=True)
    assert mean.fetch1() == {"session": 1, "mean": 0.5}


def test_the_default_database_needs_no_connection_but_in_thread_safe_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DJ_THREAD_SAFE", "true")
    with pytest.raises(ThreadSafetyError):
        FreeTable("lab.session")
    with pytest.raises(InvalidArgumentError, match="FreeTable\\(connection"):
        FreeTable("lab.session", "lab.session")


def names(database: Database, schema: str) -> list[tuple[Any, ...]]:
    """Relations in the schemas that looking may touch: other tests make theirs meanwhile."""
    return database.query(
        "SELECT relnamespace::regnamespace::text, relname, oid::text FROM pg_class "
        f"WHERE relnamespace::regnamespace::text IN ('{schema}', 'public', 'no_such_schema') ORDER BY oid"
    )


def test_a_schema_lists_its_tables_parents_first(pipeline: dj.Schema) -> None:
    listed = [table.table_name for table in pipeline]
    assert listed == ["#species", "q_c_session", "__mean", "q_c_session__trial"]
    assert all(isinstance(table, FreeTable) for table in pipeline)
    assert "QCSession" in pipeline
    assert "q_c_session" in pipeline
    assert "Sessions" not in pipeline
    assert 3 not in pipeline


def test_tables_that_refer_to_each_other_are_listed_all_the_same(
    schema: dj.Schema, database: Database
) -> None:
    schema.create()
    name = schema.database
    database.query(f"CREATE TABLE {name}.a (id int PRIMARY KEY, b int)")
    database.query(f"CREATE TABLE {name}.b (id int PRIMARY KEY, a int REFERENCES {name}.a)")
    database.query(f"ALTER TABLE {name}.a ADD FOREIGN KEY (b) REFERENCES {name}.b")
    database.query(f"CREATE TABLE {name}.aa (id int PRIMARY KEY, b int REFERENCES {name}.b)")
    assert [table.table_name for table in schema] == ["a", "b", "aa"]


def test_looking_creates_nothing_and_needs_no_rights(pipeline: dj.Schema, database: Database) -> None:
    role = f"reader_{pipeline.database}"
    database.query(f"CREATE ROLE {role}")
    before = names(database, pipeline.database)
    try:
        with database.transaction:
            database.query(f"SET LOCAL ROLE {role}")
            assert len(list(pipeline)) == 4
            assert pipeline["Mean"].heading.primary_key == ("session",)
            assert dj.virtual_schema(pipeline.database, connection=database).Mean.tier == "computed"
            assert "class Mean(dj.Computed)" in pipeline.save()
            with pytest.raises(MissingSchemaError):
                dj.Schema("no_such_schema", connection=database).get_table("A")
            assert "A" not in dj.Schema("no_such_schema", connection=database)
            database.query("RESET ROLE")
        assert names(database, pipeline.database) == before
    finally:
        database.query(f"DROP ROLE {role}")


def test_rows_move_between_schemas_without_classes(pipeline: dj.Schema, database: Database) -> None:
    pipeline["QCSession"].insert([(1, "rat"), (2, "mouse")])
    copy = f"{pipeline.database}_copy"
    text = pipeline.save().replace(f'("{pipeline.database}")', f'("{copy}", connection=database)')
    space: dict[str, Any] = {"database": database}
    exec(text, space)  # noqa: S102 - our own text
    new = space["schema"]
    new.create()
    try:
        for table in pipeline:
            new.get_table(table.table_name).insert(table, allow_direct_insert=True)
        assert new["QCSession"].to_dicts() == pipeline["QCSession"].to_dicts()
    finally:
        new.drop(prompt=False)
