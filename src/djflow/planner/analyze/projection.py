"""Attributes selected, renamed, duplicated, computed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import EllipsisType
from typing import TYPE_CHECKING

from djflow.errors import QueryError, UnknownAttributeError
from djflow.model.table import Attribute, Heading
from djflow.planner import scalar as s
from djflow.planner.analyze.local import local_expression
from djflow.planner.functions import FUNCTIONS
from djflow.planner.memo import memoised
from djflow.planner.naming import unused_name
from djflow.planner.nodes import LocalCompute, LocalExpression, Node, Project
from djflow.planner.operators import refuse_aggregates
from djflow.planner.polars_expressions import is_expression, output_attribute, read_expression, selected_names
from djflow.planner.text import parse_expression

if TYPE_CHECKING:
    import polars as pl


@memoised
def project(
    source: Node, names: Sequence["str | EllipsisType | pl.Expr"], named: Mapping[str, "str | pl.Expr"]
) -> Node:
    """The primary key, the attributes chosen, and those renamed, duplicated or computed.

    Raises `UnknownAttributeError` for unknown names and `QueryError` for a key attribute excluded
    or a name used twice.
    """
    names = _expanded(names, source.heading)
    texts, expressions = _sorted_out(names, named)
    chosen = [name for name in names if isinstance(name, str | EllipsisType)]
    source, local = _computed_locally(source, expressions)
    heading = Heading(tuple(a for a in source.heading if a.name not in local))
    renames = {old: new for new, old in texts.items() if old in heading}
    _refuse_double_renames(texts, heading)
    kept = _kept(heading, chosen)
    outputs: list[tuple[Attribute, s.Scalar]] = []
    for attribute in heading:
        if attribute.in_key or attribute.name in kept or attribute.name in renames:
            new = renames.get(attribute.name, attribute.name)
            outputs.append((replace(attribute, name=new), s.Column(attribute.name, attribute.stored)))
    outputs += _computed(heading, {new: text for new, text in texts.items() if text not in heading})
    outputs += _translated(heading, expressions, source, local)
    refuse_duplicates([attribute.name for attribute, _ in outputs])
    return Project(source, tuple(outputs))


def _expanded(
    names: Sequence["str | EllipsisType | pl.Expr"], heading: Heading
) -> list["str | EllipsisType | pl.Expr"]:
    """The outputs, with the names that `pl.all()` and other selections of Polars stand for."""
    found: list[str | EllipsisType | pl.Expr] = []
    for name in names:
        if is_expression(name) and name.meta.is_column_selection() and name.meta.has_multiple_outputs():
            found += selected_names(name, heading)
        else:
            found.append(name)
    return found


def _sorted_out(
    names: Sequence["str | EllipsisType | pl.Expr"], named: Mapping[str, "str | pl.Expr"]
) -> tuple[dict[str, str], dict[str, "pl.Expr"]]:
    """The strings and the Polars expressions among the outputs, by name."""
    texts = {new: text for new, text in named.items() if isinstance(text, str)}
    expressions = {_output_name(expr): expr for expr in names if is_expression(expr)}
    expressions |= {new: expr for new, expr in named.items() if is_expression(expr)}
    for new, value in named.items():
        if new not in texts and new not in expressions:
            raise QueryError(
                f"{new}={value!r} is neither text nor a Polars expression.{_as_written(new, value)}"
            )
    return texts, expressions


def _output_name(expr: "pl.Expr") -> str:
    name = expr.meta.output_name(raise_if_undetermined=False)
    if name is None:
        raise QueryError(f"{expr} gives several columns; write one for each, as in new=pl.col('x') * 2.")
    return name


def _as_written(new: str, value: object) -> str:
    if value is None:
        return f" For a null, write {new}='NULL'."
    return f" Write {new}='{value}'." if isinstance(value, int | float) else ""


def _computed_locally(source: Node, expressions: Mapping[str, "pl.Expr"]) -> tuple[Node, dict[str, str]]:
    """The source with what only Polars can compute, and the temporary name of each such output."""
    opaque = {new: expr for new, expr in expressions.items() if read_expression(expr, source.heading) is None}
    if not opaque:
        return source, {}
    made: list[tuple[Attribute, LocalExpression]] = []
    temporary: dict[str, str] = {}
    for new, expr in opaque.items():
        name = unused_name(new, (*source.heading.names, *temporary))
        attribute = output_attribute(name, expr, source.heading, summary=False)
        made.append((attribute, local_expression(expr, source.heading)))
        temporary[name] = new
    return LocalCompute(source, tuple(made)), temporary


def _translated(
    heading: Heading, expressions: Mapping[str, "pl.Expr"], source: Node, local: Mapping[str, str]
) -> list[tuple[Attribute, s.Scalar]]:
    places = {new: temporary for temporary, new in local.items()}
    outputs: list[tuple[Attribute, s.Scalar]] = []
    for new, expr in expressions.items():
        if new in places:
            attribute = source.heading[places[new]]
            outputs.append((replace(attribute, name=new), s.Column(attribute.name, attribute.stored)))
            continue
        scalar = read_expression(expr, heading)
        assert scalar is not None  # noqa: S101 - the others were computed locally
        outputs.append((computed_attribute(new, scalar, heading), scalar))
    return outputs


def _refuse_double_renames(named: Mapping[str, str], heading: Heading) -> None:
    sources = [old for old in named.values() if old in heading]
    for old in sources:
        if sources.count(old) > 1:
            raise QueryError(f"Attribute {old!r} is renamed twice; write '({old})' to duplicate it.")


def refuse_duplicates(names: list[str]) -> None:
    """Raise `QueryError` for a name that stands twice."""
    for name in names:
        if names.count(name) > 1:
            raise QueryError(f"Attribute {name!r} would appear twice in the projection; choose another name.")


def _kept(heading: Heading, names: Sequence[str | EllipsisType]) -> set[str]:
    kept: set[str] = set(heading.names) if Ellipsis in names else set()
    for name in names:
        if isinstance(name, EllipsisType):
            continue
        bare = name.removeprefix("-")
        if bare not in heading:
            raise UnknownAttributeError(bare, heading.names, context="the projection")
        if not name.startswith("-"):
            kept.add(name)
        elif heading[bare].in_key:
            raise QueryError(f"The primary-key attribute {bare!r} cannot be excluded.")
        else:
            kept.discard(bare)
    return kept


def _computed(heading: Heading, named: Mapping[str, str]) -> list[tuple[Attribute, s.Scalar]]:
    outputs: list[tuple[Attribute, s.Scalar]] = []
    for new, text in named.items():
        duplicate = text.strip()[1:-1].strip() if text.strip().startswith("(") else ""
        if duplicate in heading:
            original = heading[duplicate]
            outputs.append((replace(original, name=new, in_key=False), s.Column(duplicate, original.stored)))
            continue
        expression = parse_expression(text, heading)
        refuse_aggregates(expression, text)
        outputs.append((computed_attribute(new, expression, heading), expression))
    return outputs


def computed_attribute(name: str, expression: s.Scalar, heading: Heading) -> Attribute:
    """The attribute that an expression makes; it has no lineage."""
    type_ = s.type_of(expression)
    nullable = any(column in heading and heading[column].nullable for column in s.columns_of(expression))
    strict = not any(isinstance(node, s.Case) or _may_be_null(node) for node in s.walk(expression))
    return Attribute(name, type_, type_, nullable=nullable or not strict)


def _may_be_null(node: s.Scalar) -> bool:
    match node:
        case s.Call(function):
            return function == "nullif" or (
                FUNCTIONS[function].is_aggregate and not FUNCTIONS[function].non_null
            )
        case s.Constant(value):
            return value is None
        case s.JsonPath():
            return True
        case _:
            return False
