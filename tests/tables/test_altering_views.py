"""What else in the database uses a column is told before anything is altered."""

from typing import Any

import pytest

import djflow as dj
from djflow.errors import AlterationError
from djflow.tables.schema import Schema


@pytest.fixture
def subject(schema: Schema) -> Any:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        name : varchar(10)
        weight = null : float64
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int16
        """

    Subject().insert1((1, "a", 2.0))
    Session().insert1((1, 1))
    return Subject


def run(schema: Schema, statement: str) -> None:
    schema.connection.query(statement.replace("$", f'"{schema.database}"'))


def refused(table: Any, **options: Any) -> list[str]:
    with pytest.raises(AlterationError) as caught:
        table.alter(allow_loss=True, **options)
    return [str(problem) for problem in caught.value.problems]


def test_a_view_keeps_its_columns_from_going_and_from_new_types(subject: Any, schema: Schema) -> None:
    run(schema, "CREATE VIEW $.heavy AS SELECT subject, weight FROM $.subject WHERE weight > 1")
    name, place = schema.database, subject().table_model.name
    advice = "Drop it first, and make it again afterwards."
    subject.definition = "subject : int32\n---\nname : varchar(20)\nweight = null : float32"
    assert refused(subject) == [
        f"{place}: type of weight: float64 -> float32: the view {name}.heavy uses 'weight'. {advice}"
    ]
    subject.definition = "subject : int32\n---\nname : varchar(20)"
    [problem] = refused(subject)
    assert problem.endswith(f"the view {name}.heavy uses 'weight'. {advice}")
    run(schema, "DROP VIEW $.heavy")
    subject.alter(allow_loss=True)
    assert subject.heading.names == ("subject", "name")


def test_a_view_follows_new_names(subject: Any, schema: Schema) -> None:
    run(schema, "CREATE VIEW $.heavy AS SELECT subject, weight FROM $.subject")
    subject.definition = "subject : int32\n---\nname : varchar(10)\nmass = null : float64"
    subject.alter(renames={"weight": "mass"})
    assert schema.connection.query(f'SELECT weight FROM "{schema.database}".heavy') == [(2.0,)]


def test_views_on_tables_that_follow_are_told_too(subject: Any, schema: Schema) -> None:
    run(schema, "CREATE MATERIALIZED VIEW $.days AS SELECT * FROM $.session")
    subject.definition = "subject : int64\n---\nname : varchar(10)\nweight = null : float64"
    [problem] = refused(subject)
    assert f"the materialized view {schema.database}.days uses 'subject'" in problem
    assert problem.startswith(f"{schema.database}.session: type of subject")


def test_triggers_and_generated_columns_are_told_like_views(subject: Any, schema: Schema) -> None:
    run(schema, "ALTER TABLE $.subject ADD COLUMN double float8 GENERATED ALWAYS AS (weight * 2) STORED")
    run(schema, "CREATE FUNCTION $.noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    run(
        schema,
        "CREATE TRIGGER watch BEFORE UPDATE OF name ON $.subject FOR EACH ROW EXECUTE FUNCTION $.noop()",
    )
    subject.definition = (
        "subject : int32\n---\nname : varchar(20)\nweight = null : float32\ndouble = null : float64"
    )
    problems = refused(subject)
    assert any("trigger watch" in problem and "uses 'name'" in problem for problem in problems)
    assert any("column double" in problem and "uses 'weight'" in problem for problem in problems)
