"""Restrict by a table any number of foreign keys away: from the graph of tables to a plan.

A route is a chain of foreign keys from a table up to one that it depends on. Where one foreign key
hands the columns of another through, the tables between them need not be read: the foreign keys promise
that they have the row.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from djflow.errors import AmbiguousPathError, QueryError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import ForeignKey, Table
from djflow.planner.nodes import Node, Scan
from djflow.planner.operand import Operand, matched, operand, present

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
    return operand(node).table


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
    here, there = operand(source), operand(other)
    passed = None if via is None else _plain_table(via)
    start, end = here.table.name, there.table.name
    if start == end:
        key = here.table.heading.primary_key
        return matched(here, there, tuple(zip(key, key, strict=True))).node
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

    >>> from djflow.model.table import Attribute
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


def _plain_table(via: Node) -> TableName:
    if not isinstance(via, Scan):
        raise QueryError(
            "`via` takes a table without conditions. To restrict by the rows between, nest: "
            "a.restrict_by((between & condition).restrict_by(b))."
        )
    return via.table.name


def _climb(source: Operand, other: Operand, route: Route, catalog: Catalog) -> Node:
    """Rows of the lowest table, by the highest."""
    first, *rest = route.hops
    for hop in reversed(rest):
        between = operand(Scan(catalog[hop.lower]))
        other = matched(present(between, hop.required), other, hop.columns)
    return matched(present(source, first.required), other, first.columns).node


def _descend(source: Operand, other: Operand, route: Route, catalog: Catalog) -> Node:
    """Rows of the highest table, by the lowest."""
    *rest, last = route.hops
    for hop in rest:
        between = operand(Scan(catalog[hop.upper]))
        other = matched(between, present(other, hop.required), _upside_down(hop))
    return matched(source, present(other, last.required), _upside_down(last)).node


def _upside_down(hop: Hop) -> tuple[tuple[str, str], ...]:
    return tuple((its, own) for own, its in hop.columns)


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
