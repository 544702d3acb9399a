"""Tables about which faults elsewhere can be asked."""

from typing import Any

import pytest

import djflow as dj
from djflow.tables.schema import Schema


@pytest.fixture
def animal(schema: Schema) -> Any:
    @schema
    class Animal(dj.Manual):
        definition = r"""
        # "quoted", it's 'so', a \ and <b>
        animal : int32   # number, "as 'written'" \ <i>
        ---
        name : varchar(30)   # "its" name
        weight = null : decimal(6,2)
        alive = true : bool
        length = null : float64
        uid = null : uuid
        meta = null : json
        """

    Animal().insert([{"animal": n, "name": f"a{n}"} for n in range(6)])
    return Animal()


@pytest.fixture
def meal(schema: Schema, animal: Any) -> Any:
    @schema
    class Meal(dj.Manual):
        definition = """
        -> Animal
        meal : int16
        ---
        grams : float32
        """

    names = {"Animal": type(animal)}
    declared = schema(Meal, context=names)()
    declared.insert([(a, m, a + m) for a in range(6) for m in range(3)])
    return declared
