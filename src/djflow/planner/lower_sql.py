"""A plan becomes one SELECT: operators fold into each other as long as SQL's clauses allow.

Aliases are numbered in the order of lowering and parameters in the order of their
placeholders, so the same plan gives the same text in any process.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import Any, Final, assert_never

import pyarrow as pa

from djflow.errors import PlannerBugError
from djflow.model.table import Attribute, Heading, Table
from djflow.model.types import EnumType, StoredType
from djflow.planner import scalar as s
from djflow.planner.carry import carried_fragment
from djflow.planner.common import common_subplans, is_costly
from djflow.planner.grouping import as_join_of_groups, calls_of, replace_calls
from djflow.planner.keyed import not_keyed
from djflow.planner.lower_scalar import EnumColumn, is_loose, lower_scalar
from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    Empty,
    Group,
    Join,
    LocalAggregate,
    LocalCompute,
    LocalFrame,
    LocalRestrict,
    Node,
    Order,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    Top,
    Union,
)
from djflow.planner.parameters import (
    ArrayFrame,
    Parameter,
    Parameters,
    Shipped,
    cast_name,
    placeholders,
    plan_shipping,
    renumber,
)
from djflow.sql.identifiers import qualified, quote
from djflow.sql.layout import laid_out
from djflow.sql.select import Delete, Select, map_fragments, print_select

# Beyond this many keys, the server hashes them all rather than look up each in an index.
_LOOK_UPS: Final = 100_000


@dataclass(frozen=True)
class Statement:
    """SQL text with its parameters, and the heading of the rows that it gives."""

    select: Select
    parameters: tuple[Parameter, ...]
    heading: Heading
    frames: tuple[ArrayFrame, ...] = ()
    # The names and texts of what the rest uses several times.
    common: tuple[tuple[str, str], ...] = ()

    @cached_property
    def sql(self) -> str:
        """The text with `$1`, `$2`, ... for the parameters."""
        return _with(self.common) + print_select(self.select)

    def bound(self, values: Sequence[Any]) -> "Statement":
        """The statement with values in place of the slots among its parameters."""
        filled = replace(self, parameters=tuple(p.filled(values) for p in self.parameters))
        filled.__dict__["sql"] = self.sql  # the text is the same: it is not printed again
        return filled

    @property
    def pretty(self) -> str:
        """The text over several lines, for people."""
        return laid_out(self.sql)

    def shipped(self, inline_values: int, within: Callable[[str], str] = str) -> Shipped | None:
        """The same statement with its frames of more than `inline_values` values in temporary tables.

        `within` puts the text into another one. None if no frame is that large.
        """
        if not self.frames:
            return None
        return plan_shipping(within(self.sql), self.parameters, self.frames, inline_values)


@dataclass(frozen=True, slots=True)
class _Query:
    """A SELECT under construction: what each attribute is, where it comes from, what must hold."""

    columns: Mapping[str, str]
    source: str
    where: tuple[str, ...] = ()
    # What to sort by, each with its direction.
    order_by: tuple[tuple[str, str], ...] = ()
    limit: int | None = None
    offset: int = 0
    is_computed: bool = False
    is_joined: bool = False

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can be added without a subquery."""
        return bool(self.order_by) or self.limit is not None or bool(self.offset)


def lower_rows(plan: Node) -> Statement:
    """The statement that gives the rows of a plan, in the types in which drivers carry them."""
    lowering = _Lowering(common_subplans(plan))
    query = lowering.lower(plan)
    if query.limit is not None and any(carried_fragment("", a.stored) for a in plan.heading):
        query = lowering.enclose_in_order(query)  # so that only the rows that are left are converted
    columns = tuple((carried_fragment(query.columns[a.name], a.stored), a.name) for a in plan.heading)
    return _statement(_select(query, columns), lowering, plan.heading)


def lower_insert(plan: Node, names: tuple[str, ...]) -> Statement:
    """The statement that gives the rows of a plan to an INSERT, in their own types."""
    lowering = _Lowering(common_subplans(plan))
    query = lowering.lower(plan)
    columns = tuple((query.columns[name], name) for name in names)
    return _statement(_select(query, columns), lowering, plan.heading.select(names))


def lower_count(plan: Node) -> Statement:
    """The statement that counts the rows of a plan."""
    lowering = _Lowering(common_subplans(plan))
    query = lowering.lower(plan)
    if query.is_closed:
        query = _Query({}, f"({print_select(_select(query, (('1', 'n'),)))}) AS counted")
    return _statement(_select(query, (("count(*)", "n"),)), lowering, Heading(()))


def lower_exists(plan: Node) -> Statement:
    """The statement that tells whether a plan has any row."""
    lowering = _Lowering(common_subplans(plan))
    query = lowering.lower(plan)
    inner = _select(query, (("1", "n"),))
    found = Select(((f"EXISTS ({print_select(inner)})", "found"),))
    return _statement(found, lowering, Heading(()))


def lower_delete(plan: Node, table: Table) -> Statement:
    """The statement that deletes the rows of a table that a plan gives with all their attributes.

    Raises `QueryError` where only a key could tell which rows these are, and there is none.
    """
    lowering = _Lowering(common_subplans(plan))
    query = lowering.lower(plan)
    if query.source == f"{qualified(table.name)} AS t1" and not query.is_closed:
        return _statement(Delete((), query.source, query.where), lowering, Heading(()))
    if not table.is_keyed:
        raise not_keyed(table.name)
    alias = lowering.alias()
    own = [f"{alias}.{quote(name)}" for name in plan.heading.primary_key]
    keys = _select(query, tuple((query.columns[name], name) for name in plan.heading.primary_key))
    where = f"({', '.join(own)}) IN ({print_select(keys)})" if own else f"EXISTS ({print_select(keys)})"
    return _statement(Delete((), f"{qualified(table.name)} AS {alias}", (where,)), lowering, Heading(()))


def _statement(select: Select, lowering: "_Lowering", heading: Heading) -> Statement:
    """The statement with the parameters that its text still mentions: an unused column drops its own."""
    params = lowering.params
    text = _with(lowering.made) + print_select(select)
    used = placeholders(text) if params.values else ()
    if used == tuple(range(1, len(params.values) + 1)):
        made = Statement(select, tuple(params.values), heading, tuple(params.frames), tuple(lowering.made))
        made.__dict__["sql"] = text
        return made
    numbers = {old: new for new, old in enumerate(used, 1)}
    renumbered = map_fragments(select, lambda fragment: renumber(fragment, numbers))
    frames = tuple(frame.renumbered(numbers) for frame in params.frames if numbers.keys() >= {*frame.numbers})
    common = tuple((name, renumber(text, numbers)) for name, text in lowering.made)
    values = tuple(params.values[old - 1] for old in used)
    return Statement(renumbered, values, heading, frames, common)


def _with(common: Iterable[tuple[str, str]]) -> str:
    """The clause that computes parts once; left to itself, the server might merge them into each use."""
    parts = ", ".join(f"{name} AS MATERIALIZED ({text})" for name, text in common)
    return f"WITH {parts} " if parts else ""


def _select(query: _Query, columns: tuple[tuple[str, str], ...]) -> Select:
    order_by = tuple(fragment + direction for fragment, direction in query.order_by)
    return Select(columns, query.source, query.where, (), order_by, query.limit, query.offset)


@dataclass(slots=True)
class _Lowering:
    # The parts to compute once, and the names and texts of those lowered, each after what it uses.
    common: tuple[Node, ...]
    made: list[tuple[str, str]] = field(default_factory=list)
    lowered: dict[int, tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    params: Parameters = field(default_factory=Parameters)
    aliases: int = 0

    def alias(self) -> str:
        self.aliases += 1
        return f"t{self.aliases}"

    def lower(self, node: Node) -> _Query:
        if self.common and is_costly(node) and node in self.common:
            return self.refer(self.common.index(node))
        return self.lower_here(node)

    def refer(self, number: int) -> _Query:
        """A query over a common part, which is lowered at its first use."""
        part = self.common[number]
        if number not in self.lowered:
            query = self.lower_here(part)
            name = f"w{len(self.made) + 1}"
            self.made.append((name, print_select(self.select(query))))
            self.lowered[number] = name, query.columns
        name, inner = self.lowered[number]
        alias = self.alias()
        columns = {a.name: _outside(inner[a.name], f"{alias}.{quote(a.name)}") for a in part.heading}
        return _Query(columns, f"{name} AS {alias}")

    def lower_here(self, node: Node) -> _Query:
        match node:
            case Scan(table):
                alias = self.alias()
                columns = {a.name: _column(alias, a) for a in table.heading}
                return _Query(columns, f"{qualified(table.name)} AS {alias}")
            case LocalFrame():
                return self.local_frame(node)
            case Empty(heading):
                nulls = {a.name: f"NULL::{cast_name(a.stored)}" for a in heading}
                return _Query(nulls, "", ("FALSE",), is_computed=True)
            case Restrict(source, condition):
                query = self.open(source)
                parts = tuple(self.scalar(part, query.columns) for part in s.conjuncts(condition))
                return replace(query, where=(*query.where, *parts))
            case SemiJoin():
                return self.semi_join(node)
            case Project():
                return self.project(node)
            case Join():
                return self.join(node)
            case Aggregate():
                return self.lower(as_join_of_groups(node))
            case Group():
                return self.group(node)
            case Distinct(source):
                query = self.open(source)
                return self.subquery(replace(self.select(query), distinct=True), query.columns)
            case Union():
                return self.union(node)
            case Top():
                return self.top(node)
            case LocalRestrict() | LocalCompute() | LocalAggregate():
                raise PlannerBugError(f"{type(node).__name__} has no SQL; it should have been split off.")
            case _ as never:
                assert_never(never)

    def scalar(self, scalar: s.Scalar, columns: Mapping[str, str]) -> str:
        return lower_scalar(scalar, columns, self.params, self.matches)

    def open(self, node: Node) -> _Query:
        """A query that takes further clauses."""
        query = self.lower(node)
        return self.enclose(query) if query.is_closed else query

    def operand(self, node: Node) -> _Query:
        """A query that stands in a FROM clause beside another."""
        query = self.open(node)
        return query if query.source else self.enclose(query)

    def enclose(self, query: _Query) -> _Query:
        return self.subquery(self.select(query), query.columns)

    def enclose_in_order(self, query: _Query) -> _Query:
        """The rows of a query from a subquery, in the order of the query."""
        # What is selected already is not selected twice: the server would copy every row of the table.
        names = {fragment: name for name, fragment in query.columns.items()}
        free = (f"o{n}" for n in count(1) if f"o{n}" not in query.columns)
        for fragment, _ in query.order_by:
            names.setdefault(fragment, next(free))
        inner = {name: fragment for fragment, name in names.items()}
        outer = self.enclose(replace(query, columns={**inner, **query.columns}))
        order = tuple((outer.columns[names[fragment]], way) for fragment, way in query.order_by)
        return replace(outer, columns={n: outer.columns[n] for n in query.columns}, order_by=order)

    def select(self, query: _Query) -> Select:
        return _select(query, tuple((fragment, name) for name, fragment in query.columns.items()))

    def subquery(self, select: Select, names: Iterable[str]) -> _Query:
        alias = self.alias()
        inner = {name: fragment for fragment, name in select.columns}
        columns = {name: _outside(inner.get(name, ""), f"{alias}.{quote(name)}") for name in names}
        return _Query(columns, f"({print_select(select)}) AS {alias}")

    def local_frame(self, node: LocalFrame) -> _Query:
        alias = self.alias()
        if not node.heading:
            return _Query({}, f"generate_series(1, {node.frame.num_rows}) AS {alias}")
        rows = self.params.add_rows([(node.frame.column(a.name), a.stored) for a in node.heading])
        names = ", ".join(quote(a.name) for a in node.heading)
        columns = {a.name: f"{alias}.{quote(a.name)}" for a in node.heading}
        return _Query(columns, f"{rows} AS {alias}({names})")

    def project(self, node: Project) -> _Query:
        query = self.lower(node.source)
        computed = any(not isinstance(e, s.Column) for _, e in node.columns)
        if query.is_closed and computed:
            query = self.enclose(query)
        columns = {a.name: self._output(e, query.columns) for a, e in node.columns}
        return replace(query, columns=columns, is_computed=query.is_computed or computed)

    def _output(self, expression: s.Scalar, columns: Mapping[str, str]) -> str:
        if isinstance(expression, s.Column):
            return columns[expression.name]
        fragment = self.scalar(expression, columns)
        if expression in (s.TRUE, s.FALSE):
            return f"{fragment}::boolean"  # ORDER BY refuses a bare constant
        return f"({fragment})" if is_loose(expression) else fragment

    # matching another relation

    def semi_join(self, node: SemiJoin) -> _Query:
        query = self.open(node.source)
        if isinstance(node.other, LocalFrame) and not node.negated and node.on:
            return self.match_keys(query, node.source.heading, node.other, node.on)
        found = self.exists(node.other, node.on, query.columns, node.source.heading)
        return replace(query, where=(*query.where, f"NOT {found}" if node.negated else found))

    def match_keys(self, query: _Query, heading: Heading, keys: LocalFrame, on: tuple[str, ...]) -> _Query:
        """Rows with one of the keys: an index look-up a key, in the index's order."""
        if len(on) == 1:
            (name,) = on
            column = self.scalar(s.Column(name, heading[name].stored), query.columns)
            any_key = self.params.add_any(keys.frame.column(name), keys.heading[name].stored)
            return replace(query, where=(*query.where, f"{column} = {any_key}"))
        sides = [side[name].stored for side in (heading, keys.heading) for name in on]
        if not query.source or not all(map(_is_distinct_as_sent, sides)):
            found = self.exists(keys, on, query.columns, heading)
            return replace(query, where=(*query.where, found))
        joined = self.local_frame(replace(keys, frame=_distinct(keys, on), heading=keys.heading.select(on)))
        equal = (f"{joined.columns[name]} = {_comparable(query.columns[name], heading[name])}" for name in on)
        return replace(query, source=f"{query.source} JOIN {joined.source} ON {' AND '.join(equal)}")

    def exists(self, other: Node, on: tuple[str, ...], columns: Mapping[str, str], heading: Heading) -> str:
        inner = self.open(other)
        equal = tuple(
            _equal(inner.columns[name], columns[name], other.heading[name], heading[name]) for name in on
        )
        found = replace(inner, where=(*inner.where, *equal))
        return f"EXISTS ({print_select(_select(found, (('1', 'n'),)))})"

    def matches(self, matches: s.Matches, columns: Mapping[str, str]) -> str:
        return self.exists(matches.other, matches.on, columns, matches.other.heading)

    def join(self, node: Join) -> _Query:
        left, right = self.operand(node.left), self.operand(node.right)
        if node.kind == "left" and right.is_computed:
            right = self.enclose(right)  # what is computed must be null where nothing matched
        equal = [
            _equal(left.columns[name], right.columns[name], node.left.heading[name], node.right.heading[name])
            for name in node.on
        ]
        nested = f"({right.source})" if right.is_joined else right.source
        conditions = [*equal, *right.where] if node.kind == "left" else equal
        keyword = "LEFT JOIN" if node.kind == "left" else "JOIN"
        source = f"{left.source} {keyword} {nested} ON {' AND '.join(conditions) or 'TRUE'}"
        every = {**right.columns, **left.columns}
        where = left.where if node.kind == "left" else (*left.where, *right.where)
        return _Query(
            {a.name: every[a.name] for a in node.heading},
            source,
            where,
            is_computed=left.is_computed or right.is_computed,
            is_joined=True,
        )

    # summaries and order

    def group(self, node: Group) -> _Query:
        inner = self.open(node.source)
        keys = [(inner.columns[name], name) for name in node.keys]
        calls = {call: f"s{n}" for n, call in enumerate(calls_of(node.summaries), 1)}
        summaries = [(self.scalar(call, inner.columns), name) for call, name in calls.items()]
        if not keys and not summaries:
            summaries = [("count(*)", "s0")]  # which makes one group of all rows
        names = [f"k{n}" for n in range(1, len(keys) + 1)]
        columns = tuple((fragment, name) for (fragment, _), name in zip(keys, names, strict=True))
        grouped = self.subquery(
            Select((*columns, *summaries), inner.source, inner.where, tuple(f for f, _ in keys)),
            (*names, *calls.values()),
        )
        values = {call: s.Column(name, call.type) for call, name in calls.items()}
        outputs = {key: grouped.columns[name] for key, name in zip(node.keys, names, strict=True)}
        for attribute, expression in node.summaries:
            outputs[attribute.name] = self._output(replace_calls(expression, values), grouped.columns)
        return replace(grouped, columns=outputs, is_computed=True)

    def union(self, node: Union) -> _Query:
        left, right = self.enclose(self.open(node.left)), self.enclose(self.open(node.right))
        keys = node.heading.primary_key
        sides = (
            {name: _comparable(q.columns[name], node.heading[name]) for name in keys} for q in (left, right)
        )
        own, other = sides
        if any(node.heading[name].nullable for name in keys):
            # As one value, a row in which a null equals a null.
            types = [cast_name(node.heading[name].stored) for name in keys]
            equal = [f"{_record(own.values(), types)} = {_record(other.values(), types)}"]
        else:
            equal = [f"{own[name]} = {other[name]}" for name in keys]
        columns = {name: f"coalesce({own[name]}, {other[name]})" for name in keys}
        rest = {**right.columns, **left.columns}
        columns |= {name: rest[name] for name in node.heading.secondary}
        source = f"{left.source} FULL JOIN {right.source} ON {' AND '.join(equal) or 'TRUE'}"
        return _Query(columns, source, is_computed=True, is_joined=True)

    def top(self, node: Top) -> _Query:
        query = self.open(node.source)
        order = tuple(self._order(term, node, query) for term in node.order)
        return replace(query, order_by=order, limit=node.limit, offset=node.offset)

    def _order(self, term: Order, node: Top, query: _Query) -> tuple[str, str]:
        attribute = node.heading[term.name]
        fragment = query.columns[term.name]
        if isinstance(attribute.stored, EnumType):
            fragment = f"{fragment}::text"
        # The same order on every server, and as in Polars.
        collation = ' COLLATE "C"' if s.is_text(attribute.stored) else ""
        # Without nulls, the plain form can be read from an index backwards.
        nulls = " NULLS LAST" if attribute.nullable else ""
        return fragment, collation + (f" DESC{nulls}" if term.descending else "")


def _is_distinct_as_sent(stored: StoredType) -> bool:
    """Whether values that differ in the client differ in the server: a join must not repeat a row."""
    return s.is_integer(stored) or isinstance(stored, EnumType) or s.core_name(stored) == "varchar"


def _distinct(keys: LocalFrame, on: tuple[str, ...]) -> pa.Table:
    """Each key once, so that the server need not make them so; in the index's order if it looks them up."""
    names = list(on)
    if keys.frame.num_rows > _LOOK_UPS:
        import polars as pl

        return pl.DataFrame(keys.frame.select(names)).unique().to_arrow()
    return (
        keys.frame.select(names)
        .group_by(names)
        .aggregate([])
        .sort_by([(name, "ascending") for name in names])
    )


def _column(alias: str, attribute: Attribute) -> str:
    fragment = f"{alias}.{quote(attribute.name)}"
    match attribute.stored:
        case EnumType(sql_name=name) if name:
            return EnumColumn(fragment, attribute.stored)
        case _:
            return fragment


def _outside(inner: str, fragment: str) -> str:
    """How a column of a subquery is known outside of it: a column of an enum type stays one."""
    return EnumColumn(fragment, inner.type) if isinstance(inner, EnumColumn) else fragment


def _equal(left: str, right: str, *attributes: Attribute) -> str:
    """The condition that two columns are equal; enum columns compare as they are if they are of one type."""
    match left, right:
        case EnumColumn(type=one), EnumColumn(type=other) if one.sql_name == other.sql_name:
            return f"{left} = {right}"
        case _:
            first, second = attributes
            return f"{_comparable(left, first)} = {_comparable(right, second)}"


def _record(fragments: Iterable[str], types: Iterable[str]) -> str:
    """Values in the types that a record needs to be compared: local ones travel in wider types."""
    return f"ROW({', '.join(f'{f}::{t}' for f, t in zip(fragments, types, strict=True))})::record"


def _comparable(fragment: str, attribute: Attribute) -> str:
    """Enum columns of two schemas have two types; their labels compare."""
    return f"{fragment}::text" if isinstance(attribute.stored, EnumType) else fragment


__all__ = ["Statement", "lower_count", "lower_delete", "lower_exists", "lower_insert", "lower_rows"]
