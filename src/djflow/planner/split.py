"""Which part of a plan runs on the server, and which in Polars.

A plan without Polars expressions is one stage on the server. Otherwise the plan is cut where a
Polars expression stands: what is below runs on the server, the expression in Polars, and what is
above goes on in Polars where that is sure to give the same, or takes the rows back to the server.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from djflow.model.table import Heading
from djflow.model.types import arrow_type
from djflow.planner import scalar as s
from djflow.planner.nodes import (
    LocalAggregate,
    LocalCompute,
    LocalFrame,
    LocalRestrict,
    Node,
    Project,
    Restrict,
    Top,
    asked,
    inputs,
    with_inputs,
)


@dataclass(frozen=True, eq=False)
class Stage:
    """A part of a plan that runs in one place, on the rows of the stages before it.

    In `plan` the rows of `inputs` stand as the frames `places`, in the same order.
    """

    where: Literal["server", "polars"]
    plan: Node
    inputs: "tuple[Stage, ...]" = ()
    places: tuple[LocalFrame, ...] = ()


def split(plan: Node) -> Stage:
    """The stages of an optimised plan; the last one gives its rows.

    >>> from djflow.planner.nodes import Empty
    >>> split(Empty(Heading(()))).where
    'server'
    """
    stages: list[Stage] = []
    places: list[LocalFrame] = []

    def place(node: Node) -> Node:
        if not node.has_local:
            return node
        return stand_in(node) if _runs_locally(node) else _map_operands(node, place)

    def stand_in(node: Node) -> LocalFrame:
        frame = _nothing(node.heading)
        stages.append(split(node))
        places.append(frame)
        return frame

    if plan.has_local and _runs_locally(plan):
        rest = with_inputs(plan, tuple(map(stand_in, inputs(plan))))
        return Stage("polars", rest, tuple(stages), tuple(places))
    rest = place(plan)
    return Stage("server", rest, tuple(stages), tuple(places))


def fill(stage: Stage, frames: tuple[LocalFrame, ...]) -> Node:
    """The plan of a stage over the rows that the stages before it gave."""

    def filled(node: Node) -> Node:
        for place, frame in zip(stage.places, frames, strict=True):
            if node is place:
                return frame
        return _map_operands(node, filled)

    return filled(stage.plan)


def _nothing(heading: Heading) -> LocalFrame:
    import pyarrow as pa

    schema = pa.schema([(a.name, arrow_type(a.stored)) for a in heading])
    return LocalFrame(schema.empty_table(), heading)


def _runs_locally(node: Node) -> bool:
    """Whether Polars takes the node over the rows of a local one, since it is sure to give the same."""
    match node:
        case LocalRestrict() | LocalCompute() | LocalAggregate() | Top():
            return True
        case Project(_, columns):
            return all(isinstance(expression, s.Column) for _, expression in columns)
        case _:
            return False


def _map_operands(node: Node, change: Callable[[Node], Node]) -> Node:
    """The node with its operands changed, those that its condition asks included."""
    if isinstance(node, Restrict) and asked(node):
        node = replace(node, condition=_map_asked(node.condition, change))
    operands = inputs(node)
    changed = tuple(map(change, operands))
    return node if all(a is b for a, b in zip(operands, changed, strict=True)) else with_inputs(node, changed)


def _map_asked(scalar: s.Scalar, change: Callable[[Node], Node]) -> s.Scalar:
    if isinstance(scalar, s.Matches):
        return replace(scalar, other=change(scalar.other))
    return s.map_children(scalar, lambda child: _map_asked(child, change))
