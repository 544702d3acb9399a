"""Pipelines drawn as text."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

import djflow as dj
from djflow.diagram.boxes import picture
from djflow.diagram.graph import Selection
from djflow.diagram.text import draw
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import ForeignKey, Table
from djflow.relation.database import Database
from djflow.tables.schema import Schema


@pytest.fixture
def later(schema: Schema, database: Database) -> Iterator[Schema]:
    other = Schema(f"{schema.database}_b", connection=database)
    yield other
    if other.exists:
        other.drop(prompt=False)


def declare(schema: Schema) -> Any:
    @schema
    class Species(dj.Lookup):
        definition = "species : varchar(20)"

    @schema
    class Subject(dj.Manual):
        definition = """
        # "quoted" and 'so'
        subject : int32
        ---
        -> Species
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int16
        ---
        -> [nullable] Subject.proj(mate='subject')
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int16
            """

    @schema
    class Method(dj.Lookup):
        definition = "method : varchar(10)"

    @schema
    class Result(dj.Computed):
        definition = """
        -> Session
        -> Method
        """

        class Item(dj.Part):
            definition = """
            -> master
            item : int16
            """

    return Subject


def test_a_pipeline_is_drawn_as_a_tree(schema: Schema) -> None:
    declare(schema)
    assert str(dj.Diagram(schema)) == snapshot("""\
Method  lookup
Species  lookup
└── Subject  manual
    └── Session  manual
        ├── Result  computed  (also from Method)
        │   └── Item  part
        └── Trial  part\
""")


def test_an_empty_schema_is_an_empty_drawing(schema: Schema) -> None:
    assert str(dj.Diagram(schema)) == ""


def test_a_drawing_is_of_the_database_not_of_the_classes_at_hand(schema: Schema, database: Database) -> None:
    declare(schema)
    schema.create()
    stranger = Schema(schema.database, connection=database)
    assert str(dj.Diagram(stranger)) == repr(dj.Diagram(schema))


def test_parents_in_other_schemas_do_not_disturb(schema: Schema, later: Schema) -> None:
    Subject = declare(schema)  # noqa: N806 - a class

    @later
    class Surgery(dj.Manual):
        definition = "-> Subject"

    assert Subject().primary_key == ["subject"]
    assert str(dj.Diagram(later)) == "Surgery  manual"


names = st.integers(0, 12).map(lambda n: TableName("lab", f"t{n}"))


@given(st.lists(st.tuples(names, names), max_size=25))
def test_every_table_is_drawn_once_after_its_parents(edges: list[tuple[TableName, TableName]]) -> None:
    down = [(a, b) for a, b in edges if int(a.table[1:]) < int(b.table[1:])]
    found = sorted({name for edge in down for name in edge})
    tables = [Table(name, "", (), tuple(ForeignKey(a, ()) for a, b in down if b == name)) for name in found]
    lines = draw(picture(Catalog(tuple(tables)), Selection(frozenset(found)))).splitlines()
    drawn = [line.lstrip("│├└─ ").partition("  ")[0] for line in lines]
    assert sorted(drawn) == sorted(name.class_path for name in found)
    for line, name in zip(lines, drawn, strict=True):
        parents = {a.class_path for a, b in down if b.class_path == name}
        others = set(line.partition("(also from ")[2].rstrip(")").split(", ")) - {""}
        assert others <= parents
        assert len(parents - others) == min(1, len(parents))
