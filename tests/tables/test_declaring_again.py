"""Classes that are declared again, as cells of a notebook are: corrected, with attributes in between."""

from collections.abc import Mapping
from typing import Any

import pytest

import djflow as dj
from djflow.configuration import changed
from djflow.errors import DefinitionError, QueryError
from djflow.relation.database import Database
from djflow.tables.schema import Schema


def subject(schema: Schema, part: str = "k : int32", definition: str = "subject : int32") -> Any:
    namespace = {"definition": definition}
    if part:
        namespace["Detail"] = type("Detail", (dj.Part,), {"definition": f"-> master\n{part}"})  # type: ignore[assignment]
    return schema(type("Subject", (dj.Manual,), namespace))


# mistakes and their corrections


def test_a_mistake_leaves_the_class_that_was_there(schema: Schema) -> None:
    good = subject(schema)
    schema.create()
    with pytest.raises(DefinitionError, match="int3x"):
        subject(schema, part="k : int3x")
    assert list(schema.registry) == [good, good.Detail]
    good().drop(prompt=False)
    schema.create()
    good().insert1((1,))
    assert len(good()) == 1

    @schema
    class Session(dj.Manual):
        definition = "-> Subject"

    Session().insert1((1,))


def test_a_class_that_is_decorated_again_with_a_mistake_stays_what_it_was(schema: Schema) -> None:
    good = subject(schema)
    good.Detail.definition = "-> master\nx : intzz"
    with pytest.raises(DefinitionError, match="intzz"):
        schema(good)
    good().insert1((1,))
    good.Detail().insert1((1, 2))
    assert len(good.Detail()) == 1


def test_a_correction_takes_the_place_of_what_the_server_refused(schema: Schema) -> None:
    wrong = subject(schema, part="---\nx = null : date\nindex((nofunc(x)))")
    with pytest.raises(QueryError, match="nofunc"):
        wrong().insert1((1,))
    right = subject(schema, part="")
    right().insert1((1,))
    assert schema.list_tables() == ["subject"]


def test_a_part_that_a_correction_leaves_out_is_not_created(schema: Schema) -> None:
    subject(schema)
    subject(schema, part="")
    schema.create()
    assert schema.list_tables() == ["subject"]


# parts


def test_another_name_for_a_part_is_not_another_part(schema: Schema) -> None:
    owner = subject(schema)
    schema.create()
    owner().insert1((1,))
    owner.Detail().insert1((1, 2))

    @schema
    class Mean(dj.Computed):
        definition = "-> Subject"
        Source = owner.Detail

    schema.create()
    assert owner.Detail.master is owner
    assert len(owner.Detail()) == 1
    assert schema.list_tables() == ["subject", "__mean", "subject__detail"]
    assert list(schema.registry) == [owner, owner.Detail, Mean]


# the order of attributes


def test_rows_follow_the_definition_beside_them(schema: Schema) -> None:
    def method(definition: str, contents: list[tuple[Any, ...]]) -> Any:
        return schema(type("Method", (dj.Lookup,), {"definition": definition, "contents": contents}))

    method("m : int32\n---\na = '' : varchar(9)\nb = '' : varchar(9)", [(1, "a", "b")])
    schema.create()
    changed_ = method(
        "m : int32\n---\na = '' : varchar(9)\nnew = '' : varchar(9)\nb = '' : varchar(9)",
        [(2, "a", "new", "b")],
    )
    changed_().alter(prompt=False)
    assert changed_().heading.names == ("m", "a", "new", "b")
    changed_().insert([(3, "a", "new", "b")])
    for row in ((changed_() & {"m": 2}).fetch1(), (changed_() & {"m": 3}).fetch1()):
        assert [row["a"], row["new"], row["b"]] == ["a", "new", "b"]
    again = method(changed_.definition, [(4, "a", "new", "b")])  # a program that starts afterwards
    assert again().heading.names == ("m", "a", "new", "b")
    assert (again() & {"m": 4}).fetch1("b") == "b"
    assert len(again()) == 4


def test_dependents_follow_their_definitions_when_a_key_is_renamed(schema: Schema) -> None:
    @schema
    class Animal(dj.Manual):
        definition = "animal : int32\n---\nname : varchar(9)"

    @schema
    class Visit(dj.Manual):
        definition = "-> Animal\nvisit : int32\n---\nweight : int32"

    schema.create()
    Visit.definition = "-> Animal\nroom : int32\nvisit : int32\n---\nnote : varchar(9)\nweight : int32"
    visit = Visit()
    visit.alter(prompt=False, fill={"room": 1, "note": "x"})
    Animal().insert1((1, "a"))
    visit.insert1((1, 2, 3, "n", 4))
    assert visit.fetch1() == {"animal": 1, "room": 2, "visit": 3, "note": "n", "weight": 4}
    assert list(visit.to_polars().columns) == ["animal", "room", "visit", "note", "weight"]


# other databases


def test_foreign_keys_stay_within_a_database(schema: Schema, database: Database) -> None:
    parent = subject(schema)

    def child_in(settings: Mapping[str, Any]) -> Any:
        other = Database(lambda: changed(database.settings, {"database": settings}))
        child = type("Session", (dj.Manual,), {"definition": "-> Subject"})
        return Schema(f"{schema.database}_b", connection=other)(child, context={"Subject": parent})

    with pytest.raises(DefinitionError, match="another database"):
        child_in({"name": "elsewhere"})
    assert child_in({}).__djflow_table__.primary_key == ("subject",)
