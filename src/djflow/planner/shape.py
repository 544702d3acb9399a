"""The shape of a plan: all of it but the values of its constants, which become slots.

Plans of one shape have one optimised form and one SQL text, so both can be kept and bound to
other values. Equal constants share a slot: what a rule concludes from two constants being equal
holds for all plans of the shape.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias, cast

from djflow.model.types import EnumType
from djflow.planner import scalar as s
from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    Empty,
    Group,
    Join,
    Node,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    Top,
    Union,
    inputs,
    with_inputs,
)

# Longer lists of constants are not worth a slot each.
_LONGEST: Final = 16


@dataclass(frozen=True, slots=True)
class Shape:
    """`key` tells shapes apart as long as the tables of the plan live; `values` fill its slots."""

    key: Hashable
    values: tuple[Any, ...]


class _NoShapeError(Exception):
    """The plan holds data of its own."""


def shape_of(plan: Node) -> Shape | None:
    """The shape of a plan, or None where the plan holds rows or Polars expressions.

    >>> from djflow.model.table import Heading
    >>> def above(n):
    ...     limit = s.Constant(n, s.INT64)
    ...     return Restrict(Empty(Heading(())), s.Compare(">", s.Column("n", s.INT64), limit))
    >>> shape_of(above(1)).key == shape_of(above(2)).key, shape_of(above(2)).values
    (True, (2,))
    """
    visitor = _Visitor([], {})
    try:
        visitor.node(plan)
        return Shape(tuple(visitor.parts), tuple(value for _, _, value in visitor.slots))
    except (_NoShapeError, TypeError):  # TypeError: a value that cannot be hashed
        return None


def with_slots(plan: Node) -> Node:
    """The plan with slots in place of its constants' values, numbered as in `shape_of`."""
    return _with_slots(plan, _Visitor([], {}))


@dataclass(slots=True)
class _Visitor:
    parts: list[Any]
    slots: dict[tuple[Any, type, Any], int]

    def slot(self, value: Any, type_: Any) -> int:
        return self.slots.setdefault((type_, type(value), value), len(self.slots))

    def node(self, node: Node) -> None:
        handler = _NODES.get(type(node))
        if handler is None:
            raise _NoShapeError
        self.parts.append(type(node))
        handler(self, node)
        for operand in inputs(node):
            self.node(operand)

    def scalar(self, scalar: s.Scalar) -> None:
        kind = type(scalar)
        append = self.parts.append
        append(kind)
        if kind is s.Constant:
            constant: Any = scalar
            append(constant.type)
            fixed = constant.value is None or isinstance(constant.type, EnumType)
            append(constant.value if fixed else self.slot(constant.value, constant.type))
            return
        if kind is s.Matches:
            matches: Any = scalar
            append(matches.on)
            self.node(matches.other)
            return
        for name in _DETAILS.get(kind, ()):
            append(getattr(scalar, name))
        if kind is s.InList:
            self.values(cast("s.InList", scalar))
        children = s.children(scalar)
        append(len(children))
        for child in children:
            self.scalar(child)

    def values(self, scalar: s.InList) -> None:
        if len(scalar.values) > _LONGEST:
            raise _NoShapeError
        if isinstance(scalar.type, EnumType):
            self.parts.append(scalar.values)
            return
        self.parts.append(len(scalar.values))
        self.parts.extend(self.slot(value, scalar.type) for value in scalar.values)

    def outputs(self, outputs: tuple[tuple[Any, s.Scalar], ...], *details: Hashable) -> None:
        self.parts += (*details, len(outputs))
        for attribute, expression in outputs:
            self.parts.append(attribute)
            self.scalar(expression)


_DETAILS: Final[dict[type[Any], tuple[str, ...]]] = {
    s.Column: ("name", "type"),
    s.Compare: ("op",),
    s.InList: ("type",),
    s.Like: ("ignore_case",),
    s.Arithmetic: ("op", "type"),
    s.Call: ("function", "type"),
    s.Case: ("type",),
    s.Cast: ("type",),
    s.JsonPath: ("path", "type"),
}

_Handler: TypeAlias = Callable[[_Visitor, Any], None]
_NODES: Final[dict[type[Any], _Handler]] = {
    # A table is told by its identity: comparing two in full takes longer than planning saves.
    Scan: lambda visitor, node: visitor.parts.append(id(node.table)),
    Empty: lambda visitor, node: visitor.parts.append(node.heading),
    Restrict: lambda visitor, node: visitor.scalar(node.condition),
    SemiJoin: lambda visitor, node: visitor.parts.append((node.on, node.negated)),
    Project: lambda visitor, node: visitor.outputs(node.columns),
    Join: lambda visitor, node: visitor.parts.append((node.on, node.kind, node.heading)),
    Aggregate: lambda visitor, node: visitor.outputs(node.summaries, node.on, node.keep_all),
    Group: lambda visitor, node: visitor.outputs(node.summaries, node.keys),
    Distinct: lambda visitor, node: None,  # noqa: ARG005 - its operand says all
    Union: lambda visitor, node: None,  # noqa: ARG005 - its operands say all
    Top: lambda visitor, node: visitor.parts.append((node.order, node.limit, node.offset)),
}


def _with_slots(node: Node, visitor: _Visitor) -> Node:
    def slotted(scalar: s.Scalar) -> s.Scalar:
        match scalar:
            case s.Constant(type=EnumType()):
                return scalar  # a label is a name of the schema, and stands in the text
            case s.Constant(value, type_) if value is not None:
                return replace(scalar, value=s.Slot(visitor.slot(value, type_)))
            case s.InList(_, values, type_) if not isinstance(type_, EnumType):
                places = tuple(s.Slot(visitor.slot(value, type_)) for value in values)
                return s.map_children(replace(scalar, values=places), slotted)
            case s.Matches(other):
                return replace(scalar, other=_with_slots(other, visitor))
            case _:
                return s.map_children(scalar, slotted)

    match node:
        case Restrict():
            node = replace(node, condition=slotted(node.condition))
        case Project():
            node = replace(node, columns=tuple((a, slotted(e)) for a, e in node.columns))
        case Aggregate() | Group():
            node = replace(node, summaries=tuple((a, slotted(e)) for a, e in node.summaries))
        case _:
            pass
    return with_inputs(node, tuple(_with_slots(operand, visitor) for operand in inputs(node)))
