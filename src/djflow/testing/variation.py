"""Plans that differ from a given one in their constants only; needs the package `hypothesis`."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from djflow.planner import scalar as s
from djflow.planner.nodes import Aggregate, Group, Node, Project, Restrict, inputs, with_inputs
from djflow.testing.databases import AWKWARD_TEXTS
from djflow.testing.naive_values import kind_of

_OTHERS: Final[dict[type, tuple[Any, ...]]] = {
    int: (1, 2, 3),  # not zero, by which expressions may divide
    float: (0.5, 1.0, 2.0),
    str: tuple(text for text in AWKWARD_TEXTS if not text.endswith("\\")),
    Decimal: (Decimal("0.5"), Decimal(1), Decimal("2.5")),
    bool: (True, False),
    dt.date: (dt.date(2024, 1, 1), dt.date(1999, 12, 31)),
    dt.datetime: (dt.datetime(2024, 1, 1), dt.datetime(2024, 2, 29, 1)),  # noqa: DTZ001 - columns have no zone
}


@st.composite
def with_other_constants(draw: st.DrawFn, plan: Node) -> Node:
    """The plan with other constants where they stand alone, in lists and in expressions."""

    def other(value: Any, type_: Any) -> Any:
        options = _OTHERS.get(type(value), ())
        is_plain = type(value) is not str or kind_of(type_) in ("text", "varchar")
        return draw(st.sampled_from((*options, value))) if options and is_plain else value

    def changed(scalar: s.Scalar) -> s.Scalar:
        match scalar:
            case s.Constant(value, type_):
                return replace(scalar, value=other(value, type_))
            case s.InList(_, values, type_):
                return s.map_children(replace(scalar, values=tuple(other(v, type_) for v in values)), changed)
            case s.Matches():
                return scalar
            case _:
                return s.map_children(scalar, changed)

    def varied(node: Node) -> Node:
        match node:
            case Restrict():
                node = replace(node, condition=changed(node.condition))
            case Project():
                node = replace(node, columns=tuple((a, changed(e)) for a, e in node.columns))
            case Aggregate() | Group():
                node = replace(node, summaries=tuple((a, changed(e)) for a, e in node.summaries))
            case _:
                pass
        return with_inputs(node, tuple(map(varied, inputs(node))))

    return varied(plan)
