"""A plan becomes one SELECT: operators fold into each other as long as SQL's clauses allow.

Aliases are numbered in the order of lowering and parameters in the order of their
placeholders, so the same plan gives the same text in any process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

import pyarrow as pa

from djflow.model.table import Attribute, Heading
from djflow.model.types import EnumType, StoredType
from djflow.planner import scalar as s
from djflow.planner.carry import carried_fragment
from djflow.planner.functions import FUNCTIONS
from djflow.planner.lower_scalar import is_loose, lower_scalar
from djflow.planner.nodes import (
    Aggregate,
    Empty,
    Join,
    LocalFrame,
    Node,
    Order,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    Top,
)
from djflow.planner.parameters import Parameter, Parameters, cast_name, placeholders, renumber
from djflow.sql.identifiers import qualified, quote
from djflow.sql.select import Select, map_fragments, print_pretty, print_select


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text with its parameters, and the heading of the rows that it gives."""

    select: Select
    parameters: tuple[Parameter, ...]
    heading: Heading

    @property
    def sql(self) -> str:
        """The text with `$1`, `$2`, ... for the parameters."""
        return print_select(self.select)

    @property
    def pretty(self) -> str:
        """The text with a clause a line."""
        return print_pretty(self.select)


@dataclass(frozen=True, slots=True)
class _Query:
    """A SELECT under construction: what each attribute is, where it comes from, what must hold."""

    columns: Mapping[str, str]
    source: str
    where: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()
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
    lowering = _Lowering()
    query = lowering.lower(plan)
    columns = tuple((carried_fragment(query.columns[a.name], a.stored), a.name) for a in plan.heading)
    return _statement(_select(query, columns), lowering.params, plan.heading)


def lower_insert(plan: Node, names: tuple[str, ...]) -> Statement:
    """The statement that gives the rows of a plan to an INSERT, in their own types."""
    lowering = _Lowering()
    query = lowering.lower(plan)
    columns = tuple((query.columns[name], name) for name in names)
    return _statement(_select(query, columns), lowering.params, plan.heading.select(names))


def lower_count(plan: Node) -> Statement:
    """The statement that counts the rows of a plan."""
    lowering = _Lowering()
    query = lowering.lower(plan)
    if query.is_closed:
        query = _Query({}, f"({print_select(_select(query, (('1', 'n'),)))}) AS counted")
    return _statement(_select(query, (("count(*)", "n"),)), lowering.params, Heading(()))


def lower_exists(plan: Node) -> Statement:
    """The statement that tells whether a plan has any row."""
    lowering = _Lowering()
    query = lowering.lower(plan)
    inner = _select(query, (("1", "n"),))
    found = Select(((f"EXISTS ({print_select(inner)})", "found"),))
    return _statement(found, lowering.params, Heading(()))


def _statement(select: Select, params: Parameters, heading: Heading) -> Statement:
    """The statement with the parameters that its text still mentions: an unused column drops its own."""
    used = placeholders(print_select(select))
    numbers = {old: new for new, old in enumerate(used, 1)}
    renumbered = map_fragments(select, lambda fragment: renumber(fragment, numbers))
    return Statement(renumbered, tuple(params.values[old - 1] for old in used), heading)


def _select(query: _Query, columns: tuple[tuple[str, str], ...]) -> Select:
    return Select(columns, query.source, query.where, (), query.order_by, query.limit, query.offset)


@dataclass(slots=True)
class _Lowering:
    params: Parameters = field(default_factory=Parameters)
    aliases: int = 0

    def alias(self) -> str:
        self.aliases += 1
        return f"t{self.aliases}"

    def lower(self, node: Node) -> _Query:
        match node:
            case Scan(table):
                alias = self.alias()
                columns = {a.name: f"{alias}.{quote(a.name)}" for a in table.heading}
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
                return self.aggregate(node)
            case Top():
                return self.top(node)
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
        alias = self.alias()
        inner = print_select(
            _select(query, tuple((fragment, name) for name, fragment in query.columns.items()))
        )
        return _Query({name: f"{alias}.{quote(name)}" for name in query.columns}, f"({inner}) AS {alias}")

    def local_frame(self, node: LocalFrame) -> _Query:
        alias = self.alias()
        arrays = [self.params.add_list(node.frame.column(a.name), a.stored) for a in node.heading]
        names = ", ".join(quote(a.name) for a in node.heading)
        columns = {a.name: f"{alias}.{quote(a.name)}" for a in node.heading}
        return _Query(columns, f"unnest({', '.join(arrays)}) AS {alias}({names})")

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
            array = self.params.add_list(keys.frame.column(name), keys.heading[name].stored)
            return replace(query, where=(*query.where, f"{column} = ANY({array})"))
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
            f"{_comparable(inner.columns[name], other.heading[name])} = "
            f"{_comparable(columns[name], heading[name])}"
            for name in on
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
            f"{_comparable(left.columns[name], node.left.heading[name])} = "
            f"{_comparable(right.columns[name], node.right.heading[name])}"
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

    def aggregate(self, node: Aggregate) -> _Query:
        """Summarise first, then join: each group is computed once, whatever else is selected."""
        grouped, summary_columns = self.summaries(node)
        source = self.operand(node.source)
        alias = self.alias()
        equal = [
            f"{alias}.{quote(name)} = {_comparable(source.columns[name], node.source.heading[name])}"
            for name in node.on
            if name in source.columns
        ]
        keyword = "LEFT JOIN" if node.keep_all else "JOIN"
        joined = f"{source.source} {keyword} ({grouped}) AS {alias} ON {' AND '.join(equal) or 'TRUE'}"
        columns = dict(source.columns)
        for attribute, expression in node.summaries:
            outer = _replace_summaries(expression, summary_columns)
            lookup = {
                **source.columns,
                **{c.name: _present(call, alias, c.name) for call, c in summary_columns.items()},
            }
            columns[attribute.name] = f"({self.scalar(outer, lookup)})::{cast_name(attribute.stored)}"
        return _Query(columns, joined, source.where, is_computed=True, is_joined=True)

    def summaries(self, node: Aggregate) -> tuple[str, dict[s.Call, s.Column]]:
        calls = {
            part: None
            for _, e in node.summaries
            for part in s.walk(e)
            if isinstance(part, s.Call) and _is_summary(part)
        }
        names = {call: s.Column(f"s{i}", call.type) for i, call in enumerate(calls, 1)}
        inner = self.open(_summarised(node, tuple(calls)))
        keys = [(inner.columns[name], name) for name in node.on if name in node.source.heading]
        columns = [
            *keys,
            *((self.scalar(call, inner.columns), column.name) for call, column in names.items()),
        ]
        # Without a key all rows are one group; of no rows there is none, which GROUP BY () would give.
        groups = tuple(fragment for fragment, _ in keys) or ("(1 = 1)",)
        return print_select(Select(tuple(columns), inner.source, inner.where, groups)), names

    def top(self, node: Top) -> _Query:
        query = self.open(node.source)
        order = tuple(self._order(term, node, query) for term in node.order)
        return replace(query, order_by=order, limit=node.limit, offset=node.offset)

    def _order(self, term: Order, node: Top, query: _Query) -> str:
        attribute = node.heading[term.name]
        fragment = query.columns[term.name]
        if isinstance(attribute.stored, EnumType):
            fragment = f"{fragment}::text"
        if s.is_text(attribute.stored):
            fragment += ' COLLATE "C"'  # the same order on every server, and as in Polars
        return f"{fragment} DESC NULLS LAST" if term.descending else fragment


def _is_distinct_as_sent(stored: StoredType) -> bool:
    """Whether values that differ in the client differ in the server: a join must not repeat a row."""
    return s.is_integer(stored) or isinstance(stored, EnumType) or s.core_name(stored) == "varchar"


def _distinct(keys: LocalFrame, on: tuple[str, ...]) -> pa.Table:
    names = list(on)
    return (
        keys.frame.select(names)
        .group_by(names)
        .aggregate([])
        .sort_by([(name, "ascending") for name in names])
    )


def _comparable(fragment: str, attribute: Attribute) -> str:
    """Enum columns of two schemas have two types; their labels compare."""
    return f"{fragment}::text" if isinstance(attribute.stored, EnumType) else fragment


def _is_summary(call: s.Call) -> bool:
    return FUNCTIONS[call.function].is_aggregate


def _summarised(node: Aggregate, calls: tuple[s.Call, ...]) -> Node:
    """The rows to summarise: those that can match, with the source's attributes if summaries read them."""
    read = {name for call in calls for name in s.columns_of(call)}
    if any(name not in node.other.heading for name in read):
        extra = tuple(a for a in node.source.heading if a.name not in node.other.heading)
        return Join(node.other, node.source, node.on, Heading((*node.other.heading, *extra)))
    if _is_whole_table(node.source):
        return node.other
    return SemiJoin(node.other, node.source, tuple(name for name in node.on if name in node.source.heading))


def _is_whole_table(node: Node) -> bool:
    return isinstance(node, Scan) or (isinstance(node, Project) and _is_whole_table(node.source))


def _replace_summaries(expression: s.Scalar, columns: Mapping[s.Call, s.Column]) -> s.Scalar:
    if isinstance(expression, s.Call) and expression in columns:
        return columns[expression]
    return s.map_children(expression, lambda child: _replace_summaries(child, columns))


def _present(call: s.Call, alias: str, name: str) -> str:
    """A count of nothing is zero; of the row that stands for no match, one, as documented for `count(*)`."""
    fragment = f"{alias}.{quote(name)}"
    if not FUNCTIONS[call.function].non_null:
        return fragment
    return f"coalesce({fragment}, {0 if call.args else 1})"


__all__ = ["Statement", "lower_count", "lower_exists", "lower_insert", "lower_rows"]
