"""Enum types go when the last column that an alteration takes from them is gone, and no sooner."""

from typing import Any

import pytest

import djflow as dj
from djflow.tables.schema import Schema

_TYPES = """
SELECT t.typname::text, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid WHERE n.nspname = $1 GROUP BY 1
"""


def labels(schema: Schema) -> list[str]:
    """The labels of each enum type of a schema."""
    return sorted("".join(row[1]) for row in schema.connection.query(_TYPES, (schema.database,)))


@pytest.fixture
def animal(schema: Schema) -> Any:
    @schema
    class Animal(dj.Manual):
        definition = """
        animal : int32
        ---
        sex = 'M' : enum('M', 'F')
        """

    Animal().insert([(1, "M"), (2, "F")])
    return Animal


def with_labels(table: Any, written: str) -> None:
    table.definition = f"animal : int32\n---\nsex = 'M' : enum({written})"
    table.alter(allow_loss=True)


def test_changes_of_labels_leave_no_types_behind(animal: Any, schema: Schema) -> None:
    with_labels(animal, "'M', 'F', 'U'")
    with_labels(animal, "'M', 'F', 'U', 'X'")
    with_labels(animal, "'F', 'M'")
    assert labels(schema) == ["FM"]
    animal.definition = "animal : int32"
    animal.alter(allow_loss=True)
    assert labels(schema) == []


def test_a_type_that_something_else_uses_stays(animal: Any, schema: Schema) -> None:
    @schema
    class Person(dj.Manual):
        definition = """
        person : int32
        ---
        sex : enum('M', 'F')
        """

    schema.create()
    with_labels(animal, "'M', 'F', 'U'")
    assert labels(schema) == ["MF", "MFU"]
    [(name,)] = schema.connection.query(
        "SELECT atttypid::regtype::text FROM pg_attribute WHERE attrelid = $1::regclass AND attname = 'sex'",
        (f'"{schema.database}".animal',),
    )
    schema.connection.query(f'CREATE TABLE "{schema.database}".notes AS SELECT ARRAY[]::{name}[] AS seen')
    with_labels(animal, "'M', 'F', 'U', 'X'")
    assert labels(schema) == ["MF", "MFU", "MFUX"]


def test_types_that_others_named_stay(animal: Any, schema: Schema) -> None:
    name = schema.database
    schema.connection.query(f"CREATE TYPE \"{name}\".gender AS ENUM ('M', 'F')")
    schema.connection.query(
        f'ALTER TABLE "{name}".animal ALTER sex DROP DEFAULT,'
        f' ALTER sex TYPE "{name}".gender USING sex::text::"{name}".gender'
    )
    with_labels(animal, "'M', 'F', 'U'")
    assert "MF" in labels(schema)
    mine = "SELECT count(*) FROM pg_type WHERE typname = 'gender' AND typnamespace = $1::regnamespace"
    assert schema.connection.query(mine, (f'"{name}"',)) == [(1,)]


def test_a_rollback_brings_a_type_back(animal: Any, schema: Schema) -> None:
    def fail() -> None:
        with schema.connection.transaction:
            with_labels(animal, "'M', 'F', 'U'")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert labels(schema) == ["MF"]
    assert animal().to_dicts(order_by="animal") == [{"animal": 1, "sex": "M"}, {"animal": 2, "sex": "F"}]
