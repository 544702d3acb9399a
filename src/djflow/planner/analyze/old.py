"""Build plans from operands: bind names, check lineage, derive headings and primary keys.

Every operator of the algebra has one function here; the public relations only call them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import EllipsisType
from typing import Any

from djflow.errors import QueryError, QuerySyntaxError, SemanticMatchError, UnknownAttributeError
from djflow.model.table import Attribute, Heading
from djflow.planner import scalar as s
from djflow.planner.functions import FUNCTIONS
from djflow.planner.nodes import Aggregate, Join, Node, Order, Project, Restrict, SemiJoin, Top
from djflow.planner.operators import compare, in_list, refuse_aggregates
from djflow.planner.text import parse_expression


def homologous(left: Heading, right: Heading, *, semantic_check: bool = True) -> tuple[str, ...]:
    """The attributes on which two relations match: same name and same lineage.

    Raises `SemanticMatchError` for a shared name of different or unknown origin,
    unless `semantic_check` is False: then names alone decide. Raises `QueryError` where the types
    of two namesakes do not compare.
    """
    shared = tuple(name for name in left.names if name in right)
    if semantic_check:
        for name in shared:
            origin, other = left[name].lineage, right[name].lineage
            if origin is None or origin != other:
                raise SemanticMatchError(name, origin, other)
    for name in shared:
        types = left[name].stored, right[name].stored
        if s.family(types[0]) != s.family(types[1]):
            raise QueryError(
                f"Cannot match on attribute {name!r}: {types[0]} and {types[1]} do not compare. Rename one."
            )
    return shared


def restrict(source: Node, condition: s.Scalar) -> Node:
    """Rows for which the condition is true."""
    return Restrict(source, condition)


def exclude(source: Node, condition: s.Scalar) -> Node:
    """Rows for which the condition is not true; unknown counts as not true."""
    return Restrict(source, s.Not(s.IsTrue(condition)))


def equalities(values: Mapping[str, Any], heading: Heading) -> s.Scalar:
    """The condition of a dict: equal in all attributes that the heading has, others ignored.

    >>> from djflow.planner.scalar import INT64, show
    >>> show(equalities({"n": 1, "else": 2}, Heading((Attribute("n", INT64, INT64),))))
    'n = 1'
    """
    parts: list[s.Scalar] = []
    for name, value in values.items():
        head, *path = name.split(".")
        if head not in heading:
            continue
        column: s.Scalar = s.Column(head, heading[head].stored)
        if path:
            column = s.JsonPath(column, tuple(path))
            value = ("true" if value else "false") if isinstance(value, bool) else value  # noqa: PLW2901
        if value is None:
            parts.append(s.IsNull(column))
        elif (
            isinstance(value, list | tuple | set | frozenset) and s.core_name(heading[head].stored) != "json"
        ):
            parts.append(in_list(column, list(value)) if value else s.FALSE)
        else:
            parts.append(compare("=", column, s.Constant(value, s.TEXT)))
    return s.conjunction(tuple(parts))


def semi_join(source: Node, other: Node, *, negated: bool = False, semantic_check: bool = True) -> Node:
    """Rows with (or without) a matching row in `other`."""
    on = homologous(source.heading, other.heading, semantic_check=semantic_check)
    return SemiJoin(source, other, on, negated)


def join(left: Node, right: Node, *, semantic_check: bool = True, keep_left: bool = False) -> Node:
    """Pairs of matching rows; the primary key follows from which side determines the other.

    Raises `QueryError` if `keep_left` and the left side does not determine the right one.
    """
    on = homologous(left.heading, right.heading, semantic_check=semantic_check)
    missing = [name for name in right.heading.primary_key if name not in left.heading]
    if keep_left:
        if missing:
            raise QueryError(
                "A left join needs the left side to determine the right one; "
                f"{missing} of the right side's key are not in the left side."
            )
        return Join(left, right, on, _extended(left.heading, right.heading), "left")
    return Join(left, right, on, _joined(left.heading, right.heading))


def _joined(left: Heading, right: Heading) -> Heading:
    if all(name in left for name in right.primary_key):
        return _with_key(left, right, left.primary_key)
    if all(name in right for name in left.primary_key):
        return _with_key(right, left, right.primary_key)
    extra = tuple(name for name in right.primary_key if name not in left.primary_key)
    return _with_key(left, right, left.primary_key + extra)


def _with_key(first: Heading, second: Heading, key: tuple[str, ...]) -> Heading:
    every = {a.name: a for a in (*second, *first)}
    names = dict.fromkeys((*key, *first.names, *second.names))
    # A matched attribute is present if either side requires it.
    shared = {name for name in first.names if name in second}
    return Heading(
        tuple(
            replace(
                every[name],
                in_key=name in key,
                nullable=every[name].nullable and not (name in shared and not second[name].nullable),
            )
            for name in names
        )
    )


def _extended(left: Heading, right: Heading) -> Heading:
    added = tuple(replace(a, in_key=False, nullable=True) for a in right if a.name not in left)
    return Heading((*left, *added))


def project(source: Node, names: Sequence[str | EllipsisType], named: Mapping[str, str]) -> Node:
    """The primary key, the attributes chosen, and those renamed, duplicated or computed.

    Raises `UnknownAttributeError` for unknown names and `QueryError` for a key attribute excluded
    or a name used twice.
    """
    heading = source.heading
    renames = {old: new for new, old in named.items() if old in heading}
    _refuse_double_renames(named, heading)
    kept = _kept(heading, names)
    outputs: list[tuple[Attribute, s.Scalar]] = []
    for attribute in heading:
        if attribute.in_key or attribute.name in kept or attribute.name in renames:
            new = renames.get(attribute.name, attribute.name)
            outputs.append((replace(attribute, name=new), s.Column(attribute.name, attribute.stored)))
    outputs += _computed(source, {new: text for new, text in named.items() if text not in heading})
    _refuse_duplicates([attribute.name for attribute, _ in outputs])
    return Project(source, tuple(outputs))


def _refuse_double_renames(named: Mapping[str, str], heading: Heading) -> None:
    sources = [old for old in named.values() if old in heading]
    for old in sources:
        if sources.count(old) > 1:
            raise QueryError(f"Attribute {old!r} is renamed twice; write '({old})' to duplicate it.")


def _refuse_duplicates(names: list[str]) -> None:
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


def _computed(source: Node, named: Mapping[str, str]) -> list[tuple[Attribute, s.Scalar]]:
    outputs: list[tuple[Attribute, s.Scalar]] = []
    for new, text in named.items():
        duplicate = text.strip()[1:-1].strip() if text.strip().startswith("(") else ""
        if duplicate in source.heading:
            original = source.heading[duplicate]
            outputs.append((replace(original, name=new, in_key=False), s.Column(duplicate, original.stored)))
            continue
        expression = parse_expression(text, source.heading)
        refuse_aggregates(expression, text)
        outputs.append((computed_attribute(new, expression, source.heading), expression))
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


def aggregate(
    source: Node,
    other: Node,
    names: Sequence[str | EllipsisType],
    named: Mapping[str, str],
    *,
    exclude_nonmatching: bool = False,
) -> Node:
    """Rows of `source` with summaries of the matching rows of `other`.

    Raises `QueryError` where `other` lacks part of the primary key of `source`.
    """
    missing = [name for name in source.heading.primary_key if name not in other.heading]
    if missing:
        raise QueryError(
            f"The summarised relation lacks {missing}, part of the key that rows are grouped by."
        )
    on = homologous(source.heading, other.heading)
    combined = Heading((*other.heading, *(a for a in source.heading if a.name not in other.heading)))
    summaries = []
    for new, text in named.items():
        expression = parse_expression(text, combined)
        _refuse_bare_columns(expression, source.heading, text)
        summaries.append((computed_attribute(new, expression, combined), expression))
    chosen = project(source, names, {}).heading.names
    _refuse_duplicates([*chosen, *named])
    read = frozenset(on).union(*(s.columns_of(expression) for _, expression in summaries))
    matched = project(source, (*names, *(name for name in source.heading.secondary if name in read)), {})
    plan = Aggregate(matched, other, tuple(on), tuple(summaries), not exclude_nonmatching)
    return plan if matched.heading.names == chosen else _only(plan, (*chosen, *named))


def _only(source: Node, names: tuple[str, ...]) -> Node:
    columns = ((source.heading[name], s.Column(name, source.heading[name].stored)) for name in names)
    return Project(source, tuple(columns))


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


def top(
    source: Node, order_by: str | Sequence[str] | None = None, limit: int | None = None, offset: int = 0
) -> Node:
    """The first rows in an order; ties are broken by the primary key.

    >>> from djflow.planner.nodes import Empty
    >>> heading = Heading((Attribute("n", s.INT64, s.INT64, in_key=True), Attribute("d", s.DATE, s.DATE)))
    >>> top(Empty(heading), "d DESC", 3).order
    (Order(name='d', descending=True), Order(name='n', descending=False))
    """
    if limit is not None and limit < 0:
        raise QueryError(f"A limit is zero or more, not {limit}.")
    if offset < 0:
        raise QueryError(f"An offset is zero or more, not {offset}.")
    terms = [order_by] if isinstance(order_by, str) else list(order_by or ["KEY"])
    order: dict[str, Order] = {}
    for term in (piece for text in terms for piece in text.split(",")):
        for item in _order_terms(term, source.heading):
            order.setdefault(item.name, item)
    for name in source.heading.primary_key:
        order.setdefault(name, Order(name))
    return Top(source, tuple(order.values()), limit, offset)


def _order_terms(term: str, heading: Heading) -> list[Order]:
    name, *direction = term.split()
    name = name.strip('`"')
    if len(direction) > 1 or (direction and direction[0].upper() not in ("ASC", "DESC")):
        raise QueryError(f"Cannot order by {term.strip()!r}; write an attribute, and ASC or DESC after it.")
    descending = bool(direction) and direction[0].upper() == "DESC"
    if name.upper() == "KEY":
        return [Order(key, descending) for key in heading.primary_key]
    if name not in heading:
        raise UnknownAttributeError(name, heading.names, context="order_by")
    return [Order(name, descending)]
