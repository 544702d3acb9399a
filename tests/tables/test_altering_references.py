"""Foreign keys of a table to itself, which no definition can state, survive what is altered around them."""

from pathlib import Path
from typing import Any

import pytest

import djflow as dj
from djflow.errors import AlterationError, IntegrityError
from djflow.tables.alteration.plan import AlterationPlan
from djflow.tables.schema import Schema

_KEYS = """
SELECT replace(pg_get_constraintdef(oid), quote_ident($1) || '.', '') FROM pg_catalog.pg_constraint
WHERE contype = 'f' AND conrelid = (quote_ident($1) || '.' || $2)::regclass AND conrelid = confrelid
"""


def planned(table: Any, **options: Any) -> AlterationPlan:
    plan = table.alter(plan=True, **options)
    assert isinstance(plan, AlterationPlan)
    return plan


def own_keys(schema: Schema, table: str) -> list[str]:
    return [row[0] for row in schema.connection.query(_KEYS, (schema.database, table))]


def refer(schema: Schema, table: str, clause: str) -> None:
    place = f'"{schema.database}".{table}'
    schema.connection.query(f"ALTER TABLE {place} ADD FOREIGN KEY {clause.replace('$', place)}")


@pytest.fixture
def node(schema: Schema) -> Any:
    """A tree: each node may have a parent, which goes with a null."""

    @schema
    class Node(dj.Manual):
        definition = """
        node : int32
        ---
        parent = null : int32   # the node above
        """

    schema.create()
    refer(schema, "node", "(parent) REFERENCES $ (node) ON DELETE SET NULL")
    Node().insert([(1, None), (2, 1)])
    return Node


@pytest.fixture
def step(schema: Schema) -> Any:
    """Steps of a subject, each perhaps after another one of the same subject."""

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        code : varchar(8)
        """

    @schema
    class Step(dj.Manual):
        definition = """
        -> Subject
        step : int16
        ---
        after = null : int16
        """

    schema.create()
    refer(schema, "step", "(subject, after) REFERENCES $ (subject, step)")
    Subject().insert1((1, "a"))
    Step().insert([(1, 1, None), (1, 2, 1)])
    step: Any = Step
    step.above = Subject
    return step


def test_a_table_that_refers_to_itself_is_as_declared(node: Any) -> None:
    plan = planned(node)
    assert not plan
    assert plan.statements == ()


def test_a_reference_to_itself_stays_where_other_attributes_change(node: Any, schema: Schema) -> None:
    node.definition += "weight = null : float64\n"
    plan = planned(node)
    assert [str(each.change) for each in plan.changes] == ["add weight = null : float64"]
    assert any("(parent)" in note and "stays" in note for note in plan.notes)
    node.alter()
    assert own_keys(schema, "node") == ["FOREIGN KEY (parent) REFERENCES node(node) ON DELETE SET NULL"]


def test_a_reference_to_itself_follows_new_names_and_types(node: Any, schema: Schema) -> None:
    node.definition = """
    place : int64
    ---
    above = null : int64   # the place above
    """
    node.alter(renames={"node": "place", "parent": "above"})
    assert own_keys(schema, "node") == ["FOREIGN KEY (above) REFERENCES node(place) ON DELETE SET NULL"]
    assert node.heading["above"].comment == "the place above"
    with pytest.raises(IntegrityError):
        node().insert1((3, 9))
    assert node().to_dicts() == [{"place": 1, "above": None}, {"place": 2, "above": 1}]


def test_a_reference_to_itself_goes_with_its_attribute(node: Any, schema: Schema) -> None:
    node.definition = "node : int32"
    assert "drop foreign key (parent)" in str(planned(node))
    node.alter(allow_loss=True)
    assert own_keys(schema, "node") == []


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ("node : varchar(9)\n---\nparent = null : int32", "'parent' would be int32"),
        ("node : int32\nkind : varchar(1)\n---\nparent = null : int32", "primary key"),
        ("parent : int32\n---\nnode : int32", "primary key"),
    ],
)
def test_what_a_reference_to_itself_stands_against_is_refused(
    node: Any, schema: Schema, definition: str, words: str
) -> None:
    node.definition = definition
    with pytest.raises(AlterationError, match="DROP CONSTRAINT") as caught:
        node.alter(plan=True)
    assert words in str(caught.value)
    assert len(own_keys(schema, "node")) == 1


def test_a_reference_to_itself_takes_part_in_what_its_table_follows(step: Any, schema: Schema) -> None:
    step.above.definition = """
    animal : varchar(6)
    ---
    code : varchar(8)
    """
    step.above.alter(renames={"subject": "animal"})
    assert own_keys(schema, "step") == ["FOREIGN KEY (animal, after) REFERENCES step(animal, step)"]
    assert step().to_dicts() == [
        {"animal": "1", "step": 1, "after": None},
        {"animal": "1", "step": 2, "after": 1},
    ]
    with pytest.raises(IntegrityError):
        step().insert1(("1", 3, 9))


def test_attributes_that_refer_to_their_own_table_are_retyped_with_the_key(schema: Schema) -> None:
    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"

    @schema
    class Twin(dj.Manual):
        definition = """
        -> Subject
        ---
        other = null : int32
        """

    schema.create()
    refer(schema, "twin", "(other) REFERENCES $ (subject)")
    Subject().insert([(1,), (2,)])
    Twin().insert([(1, None), (2, 1)])
    subject, twin = Subject(), Twin()
    Subject.definition = "subject : int64"
    subject.alter()
    assert str(twin.heading["other"].type) == "int64"
    assert own_keys(schema, "twin") == ["FOREIGN KEY (other) REFERENCES twin(subject)"]


def test_an_added_key_attribute_needs_a_decision_on_references_to_itself(step: Any, schema: Schema) -> None:
    step.above.definition = """
    subject : int32
    code : varchar(8)
    """
    with pytest.raises(AlterationError, match="DROP CONSTRAINT"):
        step.above.alter(plan=True)
    assert len(own_keys(schema, "step")) == 1


def test_a_saved_module_mentions_a_reference_to_itself_once(schema: Schema, tmp_path: Path) -> None:
    @schema
    class Node(dj.Manual):
        definition = """
        node : int32
        ---
        parent = null : int32
        """

    schema.create()
    refer(schema, "node", "(parent) REFERENCES $ (node)")
    assert schema.save().count("(parent)") == 1
    assert schema.dump(tmp_path / "archive").not_kept == {}


def test_the_index_of_a_reference_to_itself_is_neither_made_nor_dropped(node: Any, schema: Schema) -> None:
    def names() -> list[str]:
        query = "SELECT indexname::text FROM pg_indexes WHERE schemaname = $1 ORDER BY 1"
        return [row[0] for row in schema.connection.query(query, (schema.database,)) if "node" in row[0]]

    before = names()
    node.definition += "weight = null : float64\n"
    node.alter()
    assert names() == before
    node.definition += "index(parent)\n"
    assert [str(each.change) for each in planned(node).changes] == ["add index(parent)"]
    node.alter()
    assert not planned(node)
