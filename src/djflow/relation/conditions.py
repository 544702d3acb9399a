"""What people restrict by, turned into plans: dicts, strings, collections, frames, relations."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from djflow.errors import QueryError
from djflow.model.table import Heading
from djflow.planner import analyze
from djflow.planner import scalar as s
from djflow.planner.memo import memoised
from djflow.planner.nodes import LocalFrame, Node, SemiJoin
from djflow.planner.operators import as_condition
from djflow.planner.polars_expressions import is_expression, read_expression
from djflow.planner.text import parse_condition
from djflow.relation.frame_keys import local_frame
from djflow.relation.frames import Frame
from djflow.relation.habits import unrestricting

if TYPE_CHECKING:
    import polars as pl


class AndList(list[Any]):
    """Conditions that must all hold; a plain list means that any of them does.

    >>> AndList(["a > 1", {"b": 2}])
    ['a > 1', {'b': 2}]
    """


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition: rows for which it does not hold."""

    condition: Any


@dataclass(frozen=True, slots=True)
class Top:
    """The first rows in an order, for use with `&`.

    `limit` None keeps all rows; `order_by` names attributes, "KEY" the primary key, each with an
    optional DESC.
    """

    limit: int | None = 1
    order_by: str | Sequence[str] | None = "KEY"
    offset: int = 0


class _PlanKind(type):
    """Tells what has a plan by its class alone, far sooner than a protocol would."""

    def __instancecheck__(cls, value: object) -> bool:
        return hasattr(type(value), "logical_plan") or (
            isinstance(value, type) and hasattr(value, "logical_plan")
        )


class HasPlan(metaclass=_PlanKind):
    """A relation, or a class of tables."""

    @property
    def logical_plan(self) -> Node:
        """The logical plan."""
        raise NotImplementedError


@memoised
def restricted(source: Node, condition: Any, *, negated: bool = False, semantic_check: bool = True) -> Node:
    """The plan of `source & condition`, or of `source - condition`.

    Raises the typed errors of the planner, and `QueryError` for a condition of an unknown kind.
    """
    if isinstance(condition, Frame):
        condition = condition.data
    if isinstance(condition, Not):
        return restricted(source, condition.condition, negated=not negated, semantic_check=semantic_check)
    if isinstance(condition, Top):
        if negated:
            raise QueryError("Top can only be used with `&`.")
        return analyze.top(source, condition.order_by, condition.limit, condition.offset)
    if isinstance(condition, HasPlan):
        return analyze.semi_join(
            source, condition.logical_plan, negated=negated, semantic_check=semantic_check
        )
    if is_expression(condition):
        return analyze.keep(source, condition, negated=negated)
    if isinstance(condition, AndList) and not negated:
        for item in condition:
            source = restricted(source, item, semantic_check=semantic_check)
        return source
    frame = None if isinstance(condition, AndList) else local_frame(condition, source.heading)
    if frame is not None:
        return _match_frame(source, frame, negated=negated)
    scalar = _scalar(condition, source.heading, semantic_check=semantic_check)
    return analyze.exclude(source, scalar) if negated else analyze.restrict(source, scalar)


def _match_frame(source: Node, frame: LocalFrame, *, negated: bool) -> Node:
    if not frame.heading:
        scalar = s.TRUE if frame.frame.num_rows else s.FALSE
        return analyze.exclude(source, scalar) if negated else analyze.restrict(source, scalar)
    return SemiJoin(source, frame, frame.heading.names, negated)


def _scalar(condition: Any, heading: Heading, *, semantic_check: bool) -> s.Scalar:  # noqa: C901 - the kinds of conditions, each once
    def inner(item: Any) -> s.Scalar:
        return _scalar(item, heading, semantic_check=semantic_check)

    match condition:
        case bool():
            return s.TRUE if condition else s.FALSE
        case str():
            return parse_condition(condition, heading)
        case Mapping():
            return analyze.equalities(condition, heading)
        case _ if is_expression(condition):
            return _translated(condition, heading)
        case Not():
            return s.Not(s.IsTrue(inner(condition.condition)))
        case AndList():
            return s.And(tuple(map(inner, condition)))
        case HasPlan():
            on = analyze.homologous(heading, condition.logical_plan.heading, semantic_check=semantic_check)
            return s.Matches(condition.logical_plan, on)
        case Top():
            raise QueryError("Top cannot stand inside a list of conditions; restrict by it on its own.")
    frame = local_frame(condition.data if isinstance(condition, Frame) else condition, heading)
    if frame is not None:
        return _any_key(frame)
    if isinstance(condition, Collection) and not isinstance(condition, bytes):
        return s.Or(tuple(map(inner, condition)))
    if hasattr(condition, "dtype") and getattr(condition.dtype, "names", None):
        names = condition.dtype.names
        return analyze.equalities({name: condition[name] for name in names}, heading)
    raise unrestricting(condition)


def _any_key(frame: LocalFrame) -> s.Scalar:
    if frame.heading:
        return s.Matches(frame, frame.heading.names)
    return s.TRUE if frame.frame.num_rows else s.FALSE


def _translated(condition: "pl.Expr", heading: Heading) -> s.Scalar:
    scalar = read_expression(condition, heading)
    if scalar is None:
        raise QueryError(
            f"{condition} has no exact translation to SQL, and cannot stand in a list of conditions; "
            "combine Polars expressions with | and & instead."
        )
    return as_condition(scalar, QueryError)
