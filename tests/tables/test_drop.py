"""Dropping a table takes what depends on it, and `create` brings it back."""

from typing import TYPE_CHECKING, Any

import pytest

import djflow as dj
from djflow.errors import MissingTableError, PartIntegrityError

if TYPE_CHECKING:
    from djflow.tables.schema import Schema


@pytest.fixture
def lab(schema: "Schema") -> dict[str, Any]:
    """A lookup, a master with a part, and a computed table that depends on the part."""

    @schema
    class Rig(dj.Lookup):
        definition = "rig : int32"
        contents = ((1,), (2,))

    @schema
    class Session(dj.Manual):
        definition = """
        session : int32
        ---
        -> [nullable] Rig
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int32
            """

    @schema
    class Outcome(dj.Computed):
        definition = "-> Session.Trial"

    schema.create()
    return {cls.__name__: cls for cls in (Rig, Session, Outcome)}


def test_a_table_goes_with_its_parts_and_what_depends_on_them(schema: "Schema", lab: dict[str, Any]) -> None:
    lab["Session"]().drop(prompt=False)
    assert schema.list_tables() == ["#rig"]
    recorded = schema.connection.query(f'SELECT DISTINCT table_name FROM "{schema.database}"."~lineage"')
    assert recorded == [("#rig",)]


def test_nothing_else_goes(schema: "Schema", lab: dict[str, Any]) -> None:
    lab["Outcome"]().drop(prompt=False)
    assert schema.list_tables() == ["#rig", "session", "session__trial"]


def test_a_dropped_table_is_missing_until_it_is_created_again(schema: "Schema", lab: dict[str, Any]) -> None:
    lab["Rig"]().drop(prompt=False)
    with pytest.raises(MissingTableError):
        len(lab["Rig"]())
    schema.create()
    assert len(lab["Rig"]()) == 2
    assert len(lab["Session"].Trial()) == 0


def test_tables_of_other_schemas_that_went_along_are_created_again(
    schema: "Schema", lab: dict[str, Any]
) -> None:
    other = dj.Schema(f"{schema.database}_other", connection=schema.connection)
    review: Any = other(type("Review", (dj.Manual,), {"definition": "-> Rig"}), context={"Rig": lab["Rig"]})()
    assert len(review) == 0
    lab["Rig"]().drop(prompt=False)
    schema.create()
    with pytest.raises(MissingTableError):
        len(review)
    other.create()
    assert len(review) == 0
    other.drop(prompt=False)


def test_a_table_that_is_dropped_before_its_first_use_stays_dropped(
    schema: "Schema", lab: dict[str, Any]
) -> None:
    again = dj.Schema(schema.database, connection=schema.connection)
    rig: Any = again(type("Rig", (dj.Lookup,), {"definition": lab["Rig"].definition}))
    rig().drop(prompt=False)
    assert "#rig" not in again.list_tables()


def test_a_part_is_not_dropped_by_itself_unless_asked(schema: "Schema", lab: dict[str, Any]) -> None:
    with pytest.raises(PartIntegrityError, match="drop their master"):
        lab["Session"].Trial().drop(prompt=False)
    assert len(schema.list_tables()) == 4
    lab["Session"].Trial().drop(prompt=False, part_integrity="ignore")
    assert schema.list_tables() == ["#rig", "session"]


def test_dropping_does_not_cascade_to_masters(lab: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="drop the master itself"):
        lab["Session"].Trial().drop(prompt=False, part_integrity="cascade")


def test_people_may_decline(
    schema: "Schema", lab: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builtins.input", lambda _question: "no")
    lab["Rig"]().drop(prompt=True)
    assert "#rig" in capsys.readouterr().out
    assert len(schema.list_tables()) == 4
