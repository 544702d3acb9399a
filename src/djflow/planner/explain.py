"""Plans as text."""

from typing import assert_never

from djflow.planner.nodes import (
    Aggregate,
    Empty,
    Join,
    LocalFrame,
    Node,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    Top,
    inputs,
)
from djflow.planner.scalar import Column, show


def show_plan(plan: Node, indent: int = 0) -> str:
    """One line a node, operands indented below.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.scalar import FALSE
    >>> print(show_plan(Restrict(Empty(Heading(())), FALSE)))
    Restrict: FALSE
      Empty
    """
    line = "  " * indent + _line(plan)
    return "\n".join([line, *(show_plan(operand, indent + 1) for operand in inputs(plan))])


def _line(node: Node) -> str:
    match node:
        case Scan(table):
            return f"Scan: {table.name}"
        case LocalFrame(frame):
            return f"LocalFrame: {frame.num_rows} rows of {', '.join(node.heading.names)}"
        case Empty():
            return "Empty"
        case Restrict(_, condition):
            return f"Restrict: {show(condition)}"
        case SemiJoin(_, _, on, negated):
            return f"{'AntiJoin' if negated else 'SemiJoin'}: {', '.join(on) or 'any row'}"
        case Project():
            return f"Project: {', '.join(_outputs(node))}"
        case Join(on=on, kind=kind):
            return f"{'LeftJoin' if kind == 'left' else 'Join'}: {', '.join(on) or 'all pairs'}"
        case Aggregate():
            made = ", ".join(f"{a.name} = {show(e)}" for a, e in node.summaries)
            return f"Aggregate by {', '.join(node.on) or 'nothing'}: {made}"
        case Top():
            order = ", ".join(f"{term.name}{' DESC' if term.descending else ''}" for term in node.order)
            limit = "" if node.limit is None else f" limit {node.limit}"
            return f"Top: by {order}{limit}" + (f" offset {node.offset}" if node.offset else "")
        case _ as never:
            assert_never(never)


def _outputs(node: Project) -> list[str]:
    return [
        a.name if isinstance(e, Column) and e.name == a.name else f"{a.name} = {show(e)}"
        for a, e in node.columns
    ]
