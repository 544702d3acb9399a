"""Definitions, schemas and lineage survive what others do not."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

import djflow as dj
from djflow.model.types import CoreType
from djflow.relation.database import Database
from djflow.tables.schema import Schema


def test_descriptions_with_labels_and_text_defaults_declare_again(schema: Schema, database: Database) -> None:
    @schema
    class Rig(dj.Manual):
        definition = """
        rig : int32
        ---
        side = 'left' : enum('left', 'right')
        label = "it's" : varchar(20)
        """

    schema.create()
    text = Rig().describe()
    twin = Schema(f"{schema.database}_twin", connection=database)
    again: Any = twin(type("Rig", (dj.Manual,), {"definition": text}))
    try:
        again().insert1({"rig": 1})
        assert again().fetch1() == {"rig": 1, "side": "left", "label": "it's"}
        assert again().describe() == text
    finally:
        twin.drop(prompt=False)


def test_upper_case_schema_names_work(database: Database, schema_name: str) -> None:
    schema = Schema(schema_name.upper(), connection=database)
    thing: Any = schema(type("Thing", (dj.Manual,), {"definition": "thing : enum('A', 'b')"}))()
    try:
        thing.insert1(("A",))
        assert thing.fetch1("thing") == "A"
        assert thing.full_table_name == f'"{schema_name.upper()}"."thing"'
    finally:
        schema.drop(prompt=False)


def test_quotes_in_comments_harm_nothing(animal: Any, schema: Schema) -> None:
    assert str(dj.Diagram(schema)) == "Animal  manual"
    assert animal.heading["animal"].comment == "number, \"as 'written'\" \\ <i>"
    assert animal.describe().splitlines()[0] == "# \"quoted\", it's 'so', a \\ and <b>"
    assert "<i>" not in animal._repr_html_()
    drawn = dj.Diagram(schema).make_mermaid()
    assert drawn.count("Animal") >= 1
    assert "<b>" not in drawn
    assert "quoted" not in drawn


def test_quotes_in_comments_are_saved_and_altered(animal: Any, schema: Schema, database: Database) -> None:
    text = schema.save()
    type(animal).definition = animal.describe()
    assert not animal.alter(plan=True)
    type(animal).definition = animal.describe().replace('# "quoted"', '# it\'s "re-quoted" \\')
    animal.alter(prompt=False)
    assert animal.describe().splitlines()[0].startswith("# it's \"re-quoted\" \\, it's 'so'")
    schema.drop(prompt=False)
    names: dict[str, Any] = {"dj": dj, "database": database}
    module = text.replace("import djflow as dj\n", "").replace(
        f'("{schema.database}")', f'("{schema.database}", connection=database)'
    )
    exec(module, names)  # noqa: S102 - our own text
    names["schema"].create()
    assert schema.save() == text


def test_a_type_is_altered(animal: Any) -> None:
    animal.update1({"animal": 1, "weight": "1.25"})
    definition = type(animal).definition
    for old, new in (
        ("decimal(6,2)", "decimal(9,4)"),
        ("varchar(30)", "varchar(60)"),
        ("length = null : float64", "length = null : float32"),
    ):
        definition = definition.replace(old, new)
    type(animal).definition = definition
    animal.alter(prompt=False)
    assert animal.heading["weight"].type == CoreType("decimal", (9, 4))
    assert animal.to_arrow().schema.field("length").type == pa.float32()
    animal.update1({"animal": 2, "weight": "12345.6789", "name": "x" * 60})
    assert animal.to_arrays("weight").tolist()[1:3] == [Decimal("1.2500"), Decimal("12345.6789")]


def test_a_table_with_labels_and_text_defaults_is_altered(schema: Schema) -> None:
    definition = """
    rig : int32
    ---
    side = 'left' : enum('left', 'right')
    label = "it's" : varchar(20)
    """
    rig: Any = schema(type("Rig", (dj.Manual,), {"definition": definition}))()
    rig.insert([{"rig": 1}, {"rig": 2, "side": "right", "label": "other"}])
    # As the database describes it, with a line more, and then with a label more.
    type(rig).definition = rig.describe() + "\nroom = 'a b' : varchar(20)"
    rig.alter(prompt=False)
    type(rig).definition = rig.describe().replace("'right'", "'right','middle'")
    rig.alter(prompt=False)
    rig.insert1({"rig": 3, "side": "middle"})
    assert rig.to_dicts() == [
        {"rig": 1, "side": "left", "label": "it's", "room": "a b"},
        {"rig": 2, "side": "right", "label": "other", "room": "a b"},
        {"rig": 3, "side": "middle", "label": "it's", "room": "a b"},
    ]
    assert not rig.alter(plan=True)


def test_rebuilding_the_lineage_keeps_it(animal: Any, meal: Any, schema: Schema) -> None:
    before = schema.lineage
    assert before[f"{schema.database}.meal.animal"] == f"{schema.database}.animal.animal"
    schema.rebuild_lineage()
    assert schema.lineage == before
    assert len(animal * meal) == 18


def test_schemas_with_upper_case_names_are_altered_saved_and_restored(
    database: Database, schema_name: str, tmp_path: Path
) -> None:
    schema = Schema(f"Lab {schema_name.upper()}", connection=database)

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        side = 'L' : enum('L', 'r')
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int16
            """

    try:
        Subject().insert([(1, "L"), (2, "r")])
        Subject.Trial().insert([(1, 1), (2, 1)])
        Subject.definition = Subject.definition.replace("enum('L', 'r')", "enum('L', 'r', 'B')")
        Subject().alter(prompt=False)
        Subject().update1({"subject": 2, "side": "B"})
        lab = dj.virtual_schema(schema.database, connection=database)
        assert (lab.Subject * lab.Subject.Trial & {"side": "B"}).keys() == [{"subject": 2, "trial": 1}]
        assert dj.Diagram.cascade(lab.Subject & {"subject": 1}).counts()["Subject"] == 1
        assert dj.FreeTable(database, Subject().full_table_name).to_dicts() == Subject().to_dicts()
        assert f'dj.Schema("{schema.database}")' in schema.save()
        schema.dump(tmp_path / "kept")
        assert (Subject() & {"subject": 1}).delete(prompt=False) == 1
        assert len(Subject.Trial()) == 1
        schema.restore(tmp_path / "kept", on_conflict="match")
        assert len(Subject.Trial()) == 2
        schema.rebuild_lineage()
        Subject().drop(prompt=False)
        assert schema.list_tables() == []
    finally:
        schema.drop(prompt=False)
