"""New types that make different values alike are told before anything is altered."""

from typing import Any

import pytest

import djflow as dj
from djflow.errors import AlterationError
from djflow.tables.schema import Schema


@pytest.fixture
def code(schema: Schema) -> Any:
    @schema
    class Code(dj.Manual):
        definition = """
        code : varchar(5)
        kind : int16
        ---
        label = null : varchar(5)
        number : varchar(5)
        unique index(label)
        """

    Code().insert([("ab", 1, "xa", "10"), ("ac", 1, "xb", "11"), ("ad", 2, None, "12"), ("b", 1, None, "13")])
    return Code


def refused(table: Any) -> list[str]:
    with pytest.raises(AlterationError) as caught:
        table.alter(allow_loss=True)
    return [str(problem).partition(": ")[2] for problem in caught.value.problems]


def test_keys_that_a_shorter_type_makes_alike_are_counted(code: Any) -> None:
    code.definition = code.definition.replace("code : varchar(5)", "code : varchar(1)")
    [problem] = refused(code)
    assert problem.startswith(
        "type of code: varchar(5) -> varchar(1): 2 rows share their values of code, kind"
    )
    assert "for example code='ab', kind='1'" in problem
    assert len(code()) == 4


def test_unique_values_that_a_shorter_type_makes_alike_are_counted(code: Any) -> None:
    code.definition = code.definition.replace("label = null : varchar(5)", "label = null : varchar(1)")
    [problem] = refused(code)
    assert problem.startswith("type of label: varchar(5) -> varchar(1): 2 rows share their values of label")


def test_a_new_key_of_shorter_attributes_is_judged_by_what_is_left_of_them(code: Any) -> None:
    code.definition = """
    number : varchar(1)
    ---
    code : varchar(5)
    kind : int16
    label = null : varchar(5)
    unique index(label)
    """
    [problem] = refused(code)
    assert "4 rows share their values of the new primary key" in problem


def test_a_new_unique_index_of_a_shorter_attribute_is_judged_by_what_is_left_of_it(code: Any) -> None:
    code.definition = code.definition.replace("number : varchar(5)", "number : varchar(1)")
    code.definition += "unique index(number)\n"
    [problem] = refused(code)
    assert "4 rows share values that the index wants unique" in problem


def test_values_that_do_not_convert_are_told_as_such(code: Any) -> None:
    code.definition = code.definition.replace("code : varchar(5)", "code : int32")
    [problem] = refused(code)
    assert "none of the new type" in problem


def test_a_shorter_type_that_keeps_values_apart_only_needs_the_permission(code: Any) -> None:
    code.definition = code.definition.replace("code : varchar(5)", "code : varchar(1)")
    (code & {"code": "ac"}).delete(prompt=False)
    code.alter(allow_loss=True)
    assert code().to_arrays("code", order_by="code, kind").tolist() == ["a", "a", "b"]
