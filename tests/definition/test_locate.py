"""Errors about the meaning of a definition show the line, like errors about its form."""

import pytest

import djflow as dj
from djflow.errors import DefinitionError
from djflow.tables.schema import Schema

schema = Schema("located")


@schema
class Parent(dj.Manual):
    definition = """
    parent : int32
    """


@pytest.mark.parametrize(
    ("definition", "line", "column"),
    [
        ("-> Parnt\n", 1, 4),
        ("-> Parent.proj(a='prent')\n", 1, 1),
        ("a : int32\n---\n-> Parent\nparent   : int32\n", 4, 1),
        ("a : int32\n---\nindex (b)\n", 3, 8),
        ("a : int32\n---\nb : <blbo>\n", 3, 1),
    ],
)
def test_the_line_and_a_caret_are_shown(definition: str, line: int, column: int) -> None:
    class Child(dj.Manual):
        pass

    Child.definition = definition
    with pytest.raises(DefinitionError) as caught:
        schema(Child, context={"Parent": Parent})
    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.text in definition
    assert caught.value.hint
