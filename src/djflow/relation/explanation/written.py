"""SQL with its values written in: to be read, learnt from, or pasted into psql; never sent by djflow."""

import math
from typing import Any, Final

from djflow.planner.explain import show_node
from djflow.planner.lower_sql import Statement, lower_insert
from djflow.planner.nodes import Node
from djflow.relation.explanation.steps import Answer, PolarsStep, ServerStep, answer_to
from djflow.sql.identifiers import literal
from djflow.sql.layout import laid_out
from djflow.sql.tokens import with_places

_SPELLED_OUT: Final = 100  # values of an array


def readable_sql(plan: Node) -> str:
    """The statement that gives the rows of a plan, each value in its own type.

    Where Polars finishes, the statements that read the rows for it, and what it does as comments.
    """
    answer = answer_to(plan)
    return ";\n\n".join(_written(step.compiled.optimised) for step in answer.first_reads) + _rest(answer)


def _written(plan: Node) -> str:
    return with_values(lower_insert(plan, plan.heading.names))


def _rest(answer: Answer) -> str:
    later = [step for step in answer.steps if step not in answer.first_reads]
    return "".join(f"\n-- Then {step.place}: {_on_one_line(_does(step))}" for step in later)


def _does(step: ServerStep | PolarsStep) -> str:
    node = step.node if isinstance(step, PolarsStep) else step.compiled.optimised
    return show_node(node)


def _on_one_line(text: str) -> str:
    """A comment ends with its line, and what follows would be run: no character may end it early."""
    return " ".join(text.split())


def with_values(statement: Statement) -> str:
    """The text of a statement, laid out, with literals in place of its parameters."""
    values = [parameter.value for parameter in statement.parameters]
    return laid_out(with_places(statement.sql, lambda number: written(values[number - 1])))


def written(value: Any) -> str:
    r"""A parameter's value as SQL that a cast may follow.

    >>> print(written("it's"), written(-1), written([1.5, None]), written(b"\0"), written(float("nan")))
    'it''s' (-1) ARRAY[1.5, NULL] E'\\x00' 'NaN'
    """
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return _number(str(value))
        case float():
            return _float(value)
        case bytes():
            return literal(f"\\x{value.hex()}")
        case list():
            return _array(value)
        case _ if hasattr(value, "to_pylist"):
            return written(value.to_pylist())
        case _:
            return literal(str(value))


def _array(values: list[Any]) -> str:
    if len(values) <= _SPELLED_OUT:
        return f"ARRAY[{', '.join(map(written, values))}]"
    # As one literal, the server reads thousands of values at once.
    return literal(f"{{{', '.join(map(_element, values))}}}")


def _element(value: Any) -> str:
    """A value inside the literal of an array."""
    match value:
        case None:
            return "NULL"
        case bool() | int() | float():
            return str(value)
        case bytes():
            return f'"\\\\x{value.hex()}"'
        case _:
            escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'


def _number(text: str) -> str:
    # A cast binds before a minus, and two minuses begin a comment.
    return f"({text})" if text.startswith("-") else text


def _float(value: float) -> str:
    if not math.isfinite(value):
        return "'NaN'" if math.isnan(value) else f"'{'-' if value < 0 else ''}Infinity'"
    # Written as a number, minus zero would lose its sign.
    return "'-0'" if value == 0 and math.copysign(1, value) < 0 else _number(repr(value))
