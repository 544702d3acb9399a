"""Restrict by a table any number of foreign keys away: from the graph of tables to a plan.

A route is a chain of foreign keys from a table up to one that it depends on. Where one foreign key
hands the columns of another through, the tables between them need not be read: the foreign keys promise
that they have the row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from djflow.errors import AmbiguousPathError, QueryError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import Attribute, ForeignKey, Table
from djflow.planner import scalar as s
from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    LocalAggregate,
    LocalCompute,
    LocalRestrict,
    Node,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    Top,
)

Direction: TypeAlias = Literal["up", "down"]

# Two routes are an error already. Diamonds above each other multiply; the list must not.
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Hop:
    """One match: columns of `lower` that equal columns of `upper`, over one foreign key or several.

    `required` are further columns of `lower` that must not be null for the tables between to have a row.
    """

    lower: TableName
    upper: TableName
    columns: tuple[tuple[str, str], ...]
    required: frozenset[str] = frozenset()

    @property
    def read(self) -> frozenset[str]:
        """The columns of `lower` on which the match depends."""
        return self.required.union(own for own, _ in self.columns)


@dataclass(frozen=True, slots=True)
class Route:
    """A way up the foreign keys: the tables that it passes, and the matches that amount to it."""

    tables: tuple[TableName, ...]
    hops: tuple[Hop, ...] = ()

    def __str__(self) -> str:
        texts, hops = [_short(self.tables[0], self.tables[0])], list(self.hops)
        for name in self.tables[1:]:
            text = _short(name, self.tables[0])
            if hops and hops[0].upper == name:
                columns = hops.pop(0).columns
                text += f" ({', '.join(own if own == its else f'{own} = {its}' for own, its in columns)})"
            texts.append(text)
        return " -> ".join(texts)


def base_table(node: Node) -> Table:
    """The table whose rows a query restricts or projects. Raises `QueryError` where there are several."""
    return _operand(node).table


def restrict_by(
    source: Node,
    other: Node,
    catalog: Catalog,
    *,
    direction: Direction | None = None,
    via: Node | None = None,
) -> Node:
    """Rows of `source` connected by foreign keys with a row of `other`, which may be far up or down.

    `direction` "up" seeks `other` among the ancestors of the table of `source`, "down" among its
    descendants, None both; `via` is a table that the route must pass.

    Raises `AmbiguousPathError` where routes give different rows, `QueryError` where there is none, or
    where an operand is no query over one table or lacks an attribute that the route needs.
    """
    if direction not in (None, "up", "down"):
        raise QueryError(f"A direction is 'up' or 'down', not {direction!r}.")
    here, there = _operand(source), _operand(other)
    passed = None if via is None else _plain_table(via)
    start, end = here.table.name, there.table.name
    if start == end:
        key = here.table.heading.primary_key
        return _matched(here, there, tuple(zip(key, key, strict=True))).node
    up, down = _both_ways(catalog, start, end, direction, passed)
    found = [*up, *down]
    if not found:
        raise _not_connected(catalog, start, end, direction, passed)
    if len(found) > 1:
        through = "" if passed is None else str(passed)
        raise AmbiguousPathError(str(start), str(end), [str(route) for route in found], via=through)
    return _climb(here, there, up[0], catalog) if up else _descend(here, there, down[0], catalog)


# routes


def _both_ways(
    catalog: Catalog, start: TableName, end: TableName, direction: Direction | None, via: TableName | None
) -> tuple[tuple[Route, ...], tuple[Route, ...]]:
    up = () if direction == "down" else routes(catalog, start, end, via=via)
    down = () if direction == "up" else routes(catalog, end, start, via=via)
    return up, down


def routes(
    catalog: Catalog, lower: TableName, upper: TableName, *, via: TableName | None = None
) -> tuple[Route, ...]:
    """The ways up from one table to another that may give different rows; with `via`, those through it.

    Of ways that match the same columns, the one that asks for least stands for all. References of a
    table to itself are left out.

    Raises `MissingTableError` for a table that is not in the catalog.

    >>> from djflow.model.types import CoreType
    >>> key = Attribute("subject", CoreType("int32"), CoreType("int32"), in_key=True)
    >>> subject, session = TableName("lab", "subject"), TableName("lab", "session")
    >>> reference = ForeignKey(subject, (("subject", "subject"),), in_key=True)
    >>> catalog = Catalog((Table(subject, "", (key,)), Table(session, "", (key,), (reference,))))
    >>> [str(route) for route in routes(catalog, session, subject)]
    ['session -> subject (subject)']
    """
    arrived = (Route((catalog[upper].name,)),)
    if via is None:
        return _leading_to(catalog, lower, upper, arrived)
    if via not in catalog:
        return ()
    return _leading_to(catalog, lower, via, _leading_to(catalog, via, upper, arrived))


def _leading_to(
    catalog: Catalog, start: TableName, goal: TableName, onward: tuple[Route, ...]
) -> tuple[Route, ...]:
    """The routes from `start` that continue with those `onward` from `goal`."""
    known = {goal: onward}

    def visit(name: TableName) -> tuple[Route, ...]:
        if name not in known:
            known[name] = ()  # references in a circle come back to here
            table = catalog[name]
            longer = (_preceded(table, key, r) for key in _upward(table) for r in visit(key.parent))
            known[name] = _distinct(longer)
        return known[name]

    return visit(start)


def _upward(table: Table) -> list[ForeignKey]:
    return [key for key in table.foreign_keys if key.parent != table.name]


def _preceded(table: Table, key: ForeignKey, route: Route) -> Route:
    """The route with a foreign key in front of it: a match of its own, or part of the first one."""
    hop = _hop(table, key, key.columns, key.parent)
    rest = route.hops
    if rest and rest[0].read <= set(key.referenced):
        own = {its: own for own, its in key.columns}
        columns = tuple((own[between], its) for between, its in rest[0].columns)
        hop, rest = _hop(table, key, columns, rest[0].upper), rest[1:]
    return Route((table.name, *route.tables), (hop, *rest))


def _hop(table: Table, key: ForeignKey, columns: tuple[tuple[str, str], ...], upper: TableName) -> Hop:
    # A foreign key with a null in any of its columns refers to nothing.
    nullable = {column.name for column in table.columns if column.nullable}
    matched = {own for own, _ in columns}
    return Hop(table.name, upper, columns, frozenset(nullable.intersection(key.own) - matched))


def _distinct(found: Iterable[Route]) -> tuple[Route, ...]:
    kept: list[Route] = []
    for route in found:
        if not any(_covers(other, route) for other in kept):
            kept = [*(other for other in kept if not _covers(route, other)), route]
    return tuple(kept[:_MOST])


def _covers(route: Route, other: Route) -> bool:
    """Whether the other route leads from no row, to no row, that this one does not."""
    return len(route.hops) == len(other.hops) and all(
        (a.lower, a.upper, set(a.columns)) == (b.lower, b.upper, set(b.columns)) and a.required <= b.required
        for a, b in zip(route.hops, other.hops, strict=True)
    )


# plans


@dataclass(frozen=True, slots=True)
class _Operand:
    """A query over one table. `names` tells which attribute carries a column of the table unchanged."""

    node: Node
    table: Table
    names: Mapping[str, str]

    def attribute(self, column: str) -> str:
        if column not in self.names:
            fate = "gives that name to another value" if column in self.node.heading else "leaves it out"
            raise QueryError(
                f"The foreign keys need {column!r} of {self.table.name}, but the query {fate}. "
                "Restrict along the foreign keys first, and project afterwards."
            )
        return self.names[column]


def _operand(node: Node) -> _Operand:
    match node:
        case Scan(table):
            return _Operand(node, table, {name: name for name in table.heading.names})
        case Restrict(source) | SemiJoin(source) | Top(source) | Aggregate(source) | Distinct(source):
            return replace(_operand(source), node=node)
        case LocalRestrict(source) | LocalCompute(source) | LocalAggregate(source):
            return replace(_operand(source), node=node)
        case Project(source, columns):
            inner = _operand(source)
            carried = {e.name: a.name for a, e in reversed(columns) if isinstance(e, s.Column)}
            names = {column: carried[name] for column, name in inner.names.items() if name in carried}
            return _Operand(node, inner.table, names)
        case _:
            raise QueryError(
                "A restriction along foreign keys needs queries over one table each. "
                "Restrict the tables first, and join afterwards."
            )


def _plain_table(via: Node) -> TableName:
    if not isinstance(via, Scan):
        raise QueryError(
            "`via` takes a table without conditions. To restrict by the rows between, nest: "
            "a.restrict_by((between & condition).restrict_by(b))."
        )
    return via.table.name


def _climb(source: _Operand, other: _Operand, route: Route, catalog: Catalog) -> Node:
    """Rows of the lowest table, by the highest."""
    first, *rest = route.hops
    for hop in reversed(rest):
        between = _operand(Scan(catalog[hop.lower]))
        other = _matched(_present(between, hop), other, hop.columns)
    return _matched(_present(source, first), other, first.columns).node


def _descend(source: _Operand, other: _Operand, route: Route, catalog: Catalog) -> Node:
    """Rows of the highest table, by the lowest."""
    *rest, last = route.hops
    for hop in rest:
        between = _operand(Scan(catalog[hop.upper]))
        other = _matched(between, _present(other, hop), _upside_down(hop))
    return _matched(source, _present(other, last), _upside_down(last)).node


def _upside_down(hop: Hop) -> tuple[tuple[str, str], ...]:
    return tuple((its, own) for own, its in hop.columns)


def _present(lower: _Operand, hop: Hop) -> _Operand:
    """The rows whose foreign keys refer to something, where the match itself does not imply that."""
    if not hop.required:
        return lower
    names = [lower.attribute(column) for column in sorted(hop.required)]
    parts = tuple(s.Not(s.IsNull(_column(lower.node, name))) for name in names)
    return replace(lower, node=Restrict(lower.node, s.conjunction(parts)))


def _matched(source: _Operand, other: _Operand, columns: Sequence[tuple[str, str]]) -> _Operand:
    """Rows of `source` with a row of `other` that has equal values in pairs of columns."""
    pairs = [(source.attribute(own), other.attribute(its)) for own, its in columns]
    wanted: dict[str, str] = {}
    for own, its in pairs:
        wanted.setdefault(own, its)
    keys = _renamed(_with_equal(other.node, pairs, wanted), wanted)
    return replace(source, node=SemiJoin(source.node, keys, tuple(wanted)))


def _with_equal(node: Node, pairs: Sequence[tuple[str, str]], wanted: Mapping[str, str]) -> Node:
    """The rows that can match where one column refers to two: those in which the two are equal."""
    parts = tuple(
        s.Compare("=", _column(node, wanted[own]), _column(node, its))
        for own, its in pairs
        if wanted[own] != its
    )
    return Restrict(node, s.conjunction(parts)) if parts else node


def _renamed(node: Node, wanted: Mapping[str, str]) -> Node:
    """The attributes to match under the names of the other side, and what else belongs to the key.

    The key stays whole: a heading that names less would promise that the rest is unique.
    """
    if all(new == old for new, old in wanted.items()):
        return node
    outputs = dict(wanted)
    for name in node.heading.primary_key:
        if name not in wanted.values():
            outputs[_free_name(name, outputs)] = name
    columns = [_renaming(node.heading[old], new) for new, old in outputs.items()]
    return Project(node, tuple(sorted(columns, key=lambda column: not column[0].in_key)))


def _renaming(attribute: Attribute, new: str) -> tuple[Attribute, s.Scalar]:
    return replace(attribute, name=new), s.Column(attribute.name, attribute.stored)


def _free_name(name: str, taken: Iterable[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _column(node: Node, name: str) -> s.Column:
    return s.Column(name, node.heading[name].stored)


# errors


def _not_connected(
    catalog: Catalog,
    start: TableName,
    end: TableName,
    direction: Direction | None,
    via: TableName | None,
) -> QueryError:
    way = {None: "up or down", "up": "up", "down": "down"}[direction]
    through = "" if via is None else f" through {via}"
    return QueryError(
        f"No foreign keys lead {way} from {start} to {end}{through}.{_advice(catalog, start, end)}"
    )


def _advice(catalog: Catalog, start: TableName, end: TableName) -> str:
    above, beside = _ancestors(catalog, start), _ancestors(catalog, end)
    if end in above or start in beside:
        ways = routes(catalog, start, end) or routes(catalog, end, start)
        return " There is another way: " + "; ".join(map(str, ways)) + "."
    common = next((name for name in above if name in beside), None)
    if common is None:
        return " Restrict by a table that is connected with both."
    a, b, both = (_short(name, start) for name in (start, end, common))
    return f" Both depend on {both}: say {a}.restrict_by({both}.restrict_by({b}))."


def _ancestors(catalog: Catalog, start: TableName) -> list[TableName]:
    """The tables above, nearest first."""
    found = [start]
    for name in found:
        if name in catalog:
            found += dict.fromkeys(
                key.parent for key in catalog[name].foreign_keys if key.parent not in found
            )
    return found[1:]


def _short(name: TableName, beside: TableName) -> str:
    return name.table if name.schema == beside.schema else str(name)
