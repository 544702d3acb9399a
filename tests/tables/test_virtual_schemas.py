import types
import warnings
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

import djflow as dj
from djflow.errors import InvalidArgumentError, MissingSchemaError, MissingTableError, UnknownTableError
from djflow.relation.database import Database
from djflow.tables.tiers import Part


@pytest.fixture
def lab_name(schema: dj.Schema) -> str:
    """The name of a schema with tables of all tiers, whose classes nobody has kept."""

    @schema
    class Species(dj.Lookup):
        definition = """
        # what there is
        species : varchar(20)
        """
        contents = (("mouse",), ("rat",))

    @schema
    class Session(dj.Manual):
        definition = """
        session : int32
        ---
        -> Species
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int16
            """

    @schema
    class Scan(dj.Imported):
        definition = """
        -> Session
        """

    @schema
    class Mean(dj.Computed):
        definition = """
        -> Scan
        ---
        mean : float64
        """

    schema.create()
    return schema.database


@pytest.fixture
def lab(lab_name: str, database: Database) -> Any:
    return dj.virtual_schema(lab_name, connection=database)


@pytest.fixture
def other(database: Database) -> Iterator[dj.Schema]:
    name = f"test_{uuid4().hex[:12]}"
    yield dj.Schema(name, connection=database)
    database.query(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


def test_a_virtual_schema_is_a_module_of_classes(lab: Any, lab_name: str) -> None:
    assert isinstance(lab, types.ModuleType)
    assert isinstance(lab, dj.VirtualModule)
    assert lab.__name__ == lab_name
    assert dir(lab) == ["Mean", "Scan", "Session", "Species", "schema"]
    assert repr(lab) == f"<virtual module '{lab_name}': schema '{lab_name}', 5 tables>"
    assert lab.schema.database == lab_name
    assert lab.schema.list_tables() == ["#species", "session", "_scan", "__mean", "session__trial"]


def test_classes_are_of_the_tier_that_their_tables_tell(lab: Any) -> None:
    bases = {"Species": dj.Lookup, "Session": dj.Manual, "Scan": dj.Imported, "Mean": dj.Computed}
    for name, base in bases.items():
        cls = getattr(lab, name)
        assert issubclass(cls, base)
        assert cls.__name__ == name
    assert issubclass(lab.Session.Trial, Part)
    assert lab.Session.Trial.master is lab.Session
    assert lab.Species.contents == ()
    assert lab.Species.__doc__ == "what there is"
    assert lab.Session.definition == lab.Session().describe() == "session : int32\n---\n-> Species\n"


def test_generated_classes_are_queries(lab: Any) -> None:
    lab.Session.insert([(1, "rat"), (2, "mouse")])
    lab.Session.Trial.insert([(1, 1), (1, 2)])
    assert len(lab.Session * lab.Session.Trial) == 2
    assert (lab.Session & {"species": "rat"}).keys() == [{"session": 1}]
    assert len(lab.Species & lab.Session) == 2
    (lab.Session() & {"session": 1}).delete(prompt=False)
    assert len(lab.Session.Trial()) == 0


def test_populating_needs_a_make(lab: Any) -> None:
    lab.Session.insert1((1, "rat"))
    assert lab.Scan.key_source.to_dicts() == [{"session": 1}]
    with pytest.raises(NotImplementedError, match="make"):
        lab.Scan.populate()

    class Scan(lab.Scan):  # type: ignore[misc]  # its base is known at run time only
        def make(self, key: dict[str, Any]) -> None:
            self.insert1(key)

    assert Scan.populate()["success"] == 1
    assert len(lab.Scan()) == 1


def test_new_tables_refer_to_generated_classes(lab: Any, other: dj.Schema, lab_name: str) -> None:
    @other
    class Report(dj.Computed):
        definition = """
        -> lab.Session
        ---
        -> [nullable] lab.Session.Trial.proj(first='session')
        n : int32
        """

        def make(self, key: dict[str, Any]) -> None:
            self.insert1({**key, "n": len(lab.Session.Trial & key)})

    lab.Session.insert1((1, "rat"))
    lab.Session.Trial.insert1((1, 1))
    assert Report().populate()["success"] == 1
    report = Report().table_model
    assert str(report.foreign_keys[0].parent) == f"{lab_name}.session"
    assert report.heading["session"].lineage == f"{lab_name}.session.session"
    assert (lab.Session * Report).to_dicts() == [
        {"session": 1, "species": "rat", "first": None, "trial": None, "n": 1}
    ]


def test_a_missing_name_is_looked_for_again(lab: Any, lab_name: str, database: Database) -> None:
    with pytest.raises(UnknownTableError, match="Did you mean 'Session'"):
        _ = lab.Sesion
    assert not hasattr(lab, "Later")
    kept = lab.Session
    later = dj.Schema(lab_name, connection=database)

    @later
    class Later(dj.Manual):
        definition = """
        later : int32
        """

    later.create()
    assert lab.Later.heading.names == ("later",)
    assert lab.Session is kept
    assert "Later" in dir(lab)
    with pytest.raises(AttributeError):
        _ = lab.__path__


def test_a_missing_schema_is_answered_with_the_closest_name(lab_name: str, database: Database) -> None:
    with pytest.raises(MissingSchemaError, match=f"Did you mean '{lab_name}'"):
        dj.virtual_schema(f"{lab_name}s", connection=database)


def test_a_schema_and_tables_are_created_only_where_asked(
    other: dj.Schema, database: Database, lab_name: str
) -> None:
    module = dj.VirtualModule("new", other.database, create_schema=True, connection=database)
    assert (module.__name__, module.schema.exists, dir(module)) == ("new", True, ["schema"])
    declared = """
    a : int32
    """

    @module.schema
    class Refused(dj.Manual):
        definition = declared

    with pytest.raises(MissingTableError, match="create_tables is False"):
        module.schema.create()

    permitted = dj.virtual_schema(lab_name, connection=database, create_tables=True)

    @permitted.schema
    class Accepted(dj.Manual):
        definition = declared

    Accepted().insert1((1,))
    assert len(permitted.Accepted()) == 1


def test_objects_are_added_as_given(lab_name: str, database: Database) -> None:
    class Session:
        pass

    module = dj.virtual_schema(lab_name, connection=database, add_objects={"Session": Session, "pi": 3})
    assert (module.Session, module.pi) == (Session, 3)
    assert module.schema["Session"].table_name == "session"
    assert "pi" in dir(module)


def test_classes_are_made_in_the_callers_namespace(lab_name: str, database: Database) -> None:
    space: dict[str, Any] = {"schema": dj.Schema(lab_name, connection=database), "__name__": "analysis"}
    exec("schema.make_classes()", space)  # noqa: S102 - a module's code
    assert issubclass(space["Mean"], dj.Computed)
    assert space["Mean"].__module__ == "analysis"
    assert space["Session"].Trial.master is space["Session"]
    assert "Trial" not in space
    with pytest.raises(InvalidArgumentError, match="into="):
        space["schema"].make_classes()
    into: dict[str, Any] = {}
    space["schema"].make_classes(into=into)
    assert sorted(into) == ["Mean", "Scan", "Session", "Species"]


def test_declared_classes_stay_and_get_the_parts_they_lack(lab_name: str, database: Database) -> None:
    schema = dj.Schema(lab_name, connection=database)

    @schema
    class Species(dj.Lookup):
        definition = """
        species : varchar(20)
        """

    @schema
    class Session(dj.Manual):
        definition = """
        session : int32
        ---
        -> Species
        """

    into: dict[str, Any] = {}
    schema.make_classes(into=into)
    assert into["Session"] is Session
    assert into["Species"] is Species
    assert into["Session"].Trial().table_name == "session__trial"  # type: ignore[attr-defined]

    @schema
    class Review(dj.Manual):
        definition = """
        -> Session.Trial
        """

    assert Review().primary_key == ["session", "trial"]


def test_tables_that_no_class_declares_are_reached_by_names_near_to_theirs(
    schema: dj.Schema, database: Database
) -> None:
    schema.create()
    tables = ("Odd Name", "2nd", "none", "rig", "#rig", "foo__bar", "a", "a__b__c")
    for name in tables:
        database.query(f'CREATE TABLE "{schema.database}"."{name}" (id int PRIMARY KEY, "Some Thing" text)')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module = dj.virtual_schema(schema.database, connection=database)
    assert dir(module) == ["A", "FooBar", "None_", "OddName", "Rig", "Rig_2", "T2nd", "schema"]
    assert issubclass(module.FooBar, dj.Manual)
    assert issubclass(module.Rig_2, dj.Lookup)
    assert module.A.BC().table_name == "a__b__c"
    assert getattr(module, "Odd Name") is module.OddName
    module.OddName.insert1({"id": 1, "Some Thing": "x"})
    assert module.OddName.fetch1() == {"id": 1, "Some Thing": "x"}
    assert sorted(table.table_name for table in module.schema) == sorted(tables)


def test_a_schema_without_a_name_says_how_to_get_one() -> None:
    with pytest.raises(dj.DataJointError, match="activate"):
        dj.Schema()["Session"]
