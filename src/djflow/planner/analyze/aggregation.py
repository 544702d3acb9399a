"""Summaries: of the rows that match each row of a relation, or of each combination of values."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import EllipsisType, MappingProxyType
from typing import TYPE_CHECKING

from djflow.errors import QueryError, QuerySyntaxError, UnknownAttributeError
from djflow.model.table import Attribute, Heading
from djflow.planner import scalar as s
from djflow.planner.analyze.local import local_expression
from djflow.planner.analyze.matching import homologous
from djflow.planner.analyze.projection import computed_attribute, project, refuse_duplicates
from djflow.planner.functions import FUNCTIONS
from djflow.planner.memo import memoised
from djflow.planner.naming import unused_name
from djflow.planner.nodes import Aggregate, Group, LocalAggregate, LocalExpression, Node, Project
from djflow.planner.polars_expressions import is_expression, output_attribute, read_summary
from djflow.planner.text import parse_expression

if TYPE_CHECKING:
    import polars as pl


@memoised
def aggregate(
    source: Node,
    other: Node,
    names: Sequence[str | EllipsisType],
    named: Mapping[str, "str | pl.Expr"],
    *,
    exclude_nonmatching: bool = False,
) -> Node:
    """Rows of `source` with summaries of the matching rows of `other`.

    Raises `QueryError` where `other` lacks part of the primary key of `source`.
    """
    refuse_unnamed(names)
    missing = [name for name in source.heading.primary_key if name not in other.heading]
    if missing:
        raise QueryError(
            f"The summarised relation lacks {missing}, part of the key that rows are grouped by."
        )
    on = homologous(source.heading, other.heading)
    combined = Heading((*other.heading, *(a for a in source.heading if a.name not in other.heading)))
    summaries, opaque = _summaries(named, combined, source.heading)
    chosen = project(source, names, {}).heading.names
    refuse_duplicates([*chosen, *named])
    read = frozenset(on).union(*(s.columns_of(expression) for _, expression in summaries))
    matched = project(source, (*names, *(name for name in source.heading.secondary if name in read)), {})
    # A summary may take the name of an attribute that it reads, or another summary does.
    taken = (*matched.heading.names, *named)
    places = {new: unused_name(new, taken) if new in matched.heading else new for new in named}
    summaries = tuple((replace(a, name=places[a.name]), e) for a, e in summaries)
    plan: Node = Aggregate(matched, other, on, summaries, not exclude_nonmatching)
    if opaque:
        made = _locally({places[new]: expr for new, expr in opaque.items()}, other.heading)
        plan = LocalAggregate(plan if summaries else matched, other, on, made, not exclude_nonmatching)
    wanted = (*chosen, *named)
    return plan if plan.heading.names == wanted else _only(plan, wanted, places)


def refuse_unnamed(names: Sequence[object]) -> None:
    """Raise `QueryError` for a Polars expression where names of attributes belong."""
    for name in names:
        if is_expression(name):
            raise QueryError(f"Name the summary: total={name}.")


@memoised
def group(source: Node, keys: Sequence[str], named: Mapping[str, "str | pl.Expr"]) -> Node:
    """One row for each combination of values of the keys, with summaries; without keys a single row.

    Raises `UnknownAttributeError` for a key that the source lacks.
    """
    for name in keys:
        if name not in source.heading:
            raise UnknownAttributeError(name, source.heading.names, context="dj.U")
    keys = tuple(dict.fromkeys(keys))
    refuse_duplicates([*keys, *named])
    summaries, opaque = _summaries(named, source.heading, source.heading.select(keys))
    if not opaque:
        return Group(source, keys, summaries)
    if any(source.heading[name].nullable for name in keys):
        raise QueryError(
            f"{', '.join(opaque)}: only Polars can compute it, which needs groups without nulls; "
            f"restrict by '{keys[0]} IS NOT NULL' first."
        )
    made = _locally(opaque, source.heading)
    plan = LocalAggregate(Group(source, keys, summaries), source, keys, made)
    return plan if plan.heading.names == (*keys, *named) else _only(plan, (*keys, *named))


def _summaries(
    named: Mapping[str, "str | pl.Expr"], rows: Heading, groups: Heading
) -> tuple[tuple[tuple[Attribute, s.Scalar], ...], dict[str, "pl.Expr"]]:
    """The summaries that the server computes, and those that only Polars can."""
    summaries: list[tuple[Attribute, s.Scalar]] = []
    opaque: dict[str, pl.Expr] = {}
    for new, given in named.items():
        expression: s.Scalar | None = None
        if isinstance(given, str):
            expression = _parsed_summary(given, rows, groups)
        elif not is_expression(given):
            raise QueryError(f"{new}={given!r} is neither text nor a Polars expression.")
        elif (expression := read_summary(given, rows)) is None:
            opaque[new] = given
        if expression is not None:
            summaries.append((computed_attribute(new, expression, rows), expression))
    return tuple(summaries), opaque


def _parsed_summary(text: str, rows: Heading, groups: Heading) -> s.Scalar:
    expression = parse_expression(text, rows)
    _refuse_bare_columns(expression, groups, text)
    return expression


def _locally(opaque: Mapping[str, "pl.Expr"], rows: Heading) -> tuple[tuple[Attribute, LocalExpression], ...]:
    return tuple(
        (output_attribute(new, expr, rows, summary=True), local_expression(expr, rows))
        for new, expr in opaque.items()
    )


def _only(source: Node, names: tuple[str, ...], places: Mapping[str, str] = MappingProxyType({})) -> Node:
    """Some attributes of the source, of which some have other names there."""
    found = ((name, source.heading[places.get(name, name)]) for name in names)
    return Project(source, tuple((replace(a, name=name), s.Column(a.name, a.stored)) for name, a in found))


def _refuse_bare_columns(expression: s.Scalar, groups: Heading, text: str) -> None:
    """Raise for an attribute of the summarised rows outside a summary: it has many values a group."""
    if isinstance(expression, s.Call) and FUNCTIONS[expression.function].is_aggregate:
        return
    if isinstance(expression, s.Column) and expression.name not in groups:
        raise QuerySyntaxError(
            f"{expression.name!r} has many values in a group; summarise it, say max({expression.name}).",
            text=text,
        )
    for child in s.children(expression):
        _refuse_bare_columns(child, groups, text)
