"""Plans as text."""

from typing import assert_never

from djflow.model.table import Attribute
from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    Empty,
    Group,
    Join,
    LocalAggregate,
    LocalCompute,
    LocalExpression,
    LocalFrame,
    LocalNode,
    LocalRestrict,
    Node,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    Top,
    Union,
    inputs,
)
from djflow.planner.scalar import Column, Matches, Scalar, show, walk


def show_plan(plan: Node, indent: int = 0) -> str:
    """One line a node, operands indented below.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.scalar import FALSE
    >>> print(show_plan(Restrict(Empty(Heading(())), FALSE)))
    Restrict: FALSE
      Empty
    """
    line = "  " * indent + show_node(plan)
    below = [show_plan(operand, indent + 1) for operand in inputs(plan)]
    asked = (f"{'  ' * (indent + 1)}matching\n{show_plan(other, indent + 2)}" for other in asked_by(plan))
    return "\n".join([line, *below, *asked])


def asked_by(node: Node) -> tuple[Node, ...]:
    """The relations that the expressions of a node ask for a match."""
    match node:
        case Restrict(_, condition):
            scalars: tuple[Scalar, ...] = (condition,)
        case Project(_, columns):
            scalars = tuple(expression for _, expression in columns)
        case _:
            scalars = ()
    return tuple(part.other for each in scalars for part in walk(each) if isinstance(part, Matches))


def show_node(node: Node) -> str:
    """A node on one line, without its operands.

    >>> from djflow.model.table import Heading
    >>> show_node(Top(Empty(Heading(())), (), 3))
    'Top: by the order below limit 3'
    """
    # Polars shows some expressions over several lines.
    return " ".join(_line(node).split("\n"))


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
            return f"Project: {', '.join(_outputs(node)) or 'nothing'}"
        case Join(on=on, kind=kind):
            return f"{'LeftJoin' if kind == 'left' else 'Join'}: {', '.join(on) or 'all pairs'}"
        case Aggregate():
            return f"Aggregate by {', '.join(node.on) or 'nothing'}: {_made(node.summaries)}"
        case Group():
            return f"Group by {', '.join(node.keys) or 'nothing'}: {_made(node.summaries)}"
        case Distinct():
            return "Distinct"
        case Union():
            return f"Union: {', '.join(node.heading.primary_key)}"
        case Top():
            return _top(node)
        case LocalRestrict() | LocalCompute() | LocalAggregate():
            return _local(node)
        case _ as never:
            assert_never(never)


def _made(outputs: tuple[tuple[Attribute, Scalar | LocalExpression], ...]) -> str:
    return ", ".join(f"{a.name} = {e if isinstance(e, LocalExpression) else show(e)}" for a, e in outputs)


def _top(node: Top) -> str:
    order = ", ".join(f"{term.name}{' DESC' if term.descending else ''}" for term in node.order)
    limit = "" if node.limit is None else f" limit {node.limit}"
    return f"Top: by {order or 'the order below'}{limit}" + (f" offset {node.offset}" if node.offset else "")


def _local(node: LocalNode) -> str:
    match node:
        case LocalRestrict(_, condition):
            return f"Restrict in Polars: {condition}"
        case LocalCompute(_, made):
            return f"Compute in Polars: {_made(made)}"
        case LocalAggregate():
            return f"Aggregate in Polars by {', '.join(node.on) or 'nothing'}: {_made(node.made)}"
        case _ as never:
            assert_never(never)


def _outputs(node: Project) -> list[str]:
    return [
        a.name if isinstance(e, Column) and e.name == a.name else f"{a.name} = {show(e)}"
        for a, e in node.columns
    ]
