"""What a diagram is: chosen tables of a database, and which of their rows; a value with its algebra."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

from djflow.diagram import reach
from djflow.diagram.boxes import Picture, picture
from djflow.diagram.graph import Direction, Selection, in_order
from djflow.diagram.reach import Reach
from djflow.diagram.sources import Source, seed, titles
from djflow.diagram.state import State
from djflow.errors import QueryError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.planner.distant import base_table
from djflow.planner.nodes import Node, Scan, Top
from djflow.relation.database import Database


@dataclass(frozen=True)
class View:
    """Tables of a catalog; `reach` says which rows, None all. `pruned` are tables left out for want of rows.

    `labels` are names that users gave to tables, `states` how far tables were when somebody asked.
    """

    database: Database
    catalog: Catalog = field(compare=False)
    selection: Selection
    reach: Reach | None = None
    pruned: frozenset[TableName] = field(default=frozenset(), compare=False)
    labels: Mapping[TableName, str] = field(default_factory=dict, compare=False)
    states: Mapping[TableName, State] = field(default_factory=dict, compare=False)

    # what it holds

    @cached_property
    def names(self) -> tuple[TableName, ...]:
        """The tables, each after all others on which it depends."""
        return in_order(self.catalog.graph, self.selection.names)

    def rows(self, name: TableName) -> Node:
        """The rows of a table that the view is about."""
        known = None if self.reach is None else self.reach.plans.get(name)
        return Scan(self.catalog[name]) if known is None else known

    def concerned(self) -> dict[TableName, Node]:
        """The rows of those tables of which some rows were chosen, parents first."""
        if self.reach is None:
            raise QueryError(
                "All rows of all tables are meant so far. Choose some with Diagram.cascade(query), "
                "Diagram.trace(query) or diagram.restrict(query), then count them."
            )
        plans = self.reach.plans
        return {name: plans[name] for name in self.names if name in plans}

    def samples(self) -> dict[TableName, Node]:
        """One of the rows of each table, if there is any."""
        return {name: Top(self.rows(name), (), 1) for name in self.names}

    def picture(self) -> Picture:
        """What to draw."""
        return picture(self.catalog, self.selection, self.labels, titles(self.database))

    # tables

    def widened(self, levels: int, direction: Direction) -> Self:
        """With the tables some foreign keys away."""
        return self._with(self.selection.widened(self.catalog.graph, levels, direction))

    def with_parts(self) -> Self:
        """With the parts of the tables."""
        return self._with(self.selection.with_parts(self.catalog.graph))

    def _with(self, selection: Selection) -> Self:
        """With more tables, as far as they belong there."""
        if self.reach is not None and self.reach.is_closed:
            selection = selection.only(self.reach.plans)
        return replace(self, selection=selection)

    def collapsed(self) -> Self:
        """The same tables, to be drawn as one box a schema."""
        return replace(self, selection=self.selection.collapsed())

    def union(self, other: "View") -> Self:
        """The tables of both, and the rows that one of them chose."""
        self._check_beside(other)
        chosen = [view.reach for view in (self, other) if view.reach is not None]
        if any(each != chosen[0] for each in chosen):
            raise QueryError(
                f"{chosen[0]} and {chosen[1]} choose different rows. Add the diagrams first, then restrict."
            )
        catalog = merged(self.catalog, other.catalog)
        both = replace(
            self,
            catalog=catalog,
            selection=self.selection | other.selection,
            reach=chosen[0].renewed(catalog) if chosen else None,
            pruned=self.pruned | other.pruned,
            labels={**other.labels, **self.labels},
            states={**other.states, **self.states},
        )
        if chosen and chosen[0].is_closed and not both.selection.names <= chosen[0].plans.keys():
            raise QueryError(f"Other tables have no rows in {chosen[0]}; nothing can be added to it.")
        return both

    def difference(self, other: "View") -> Self:
        """The tables that the other lacks."""
        self._check_beside(other)
        return replace(self, selection=self.selection - other.selection)

    def intersection(self, other: "View") -> Self:
        """The tables of both."""
        self._check_beside(other)
        return replace(self, selection=self.selection & other.selection)

    def _check_beside(self, other: "View") -> None:
        if self.database is not other.database:
            raise QueryError("The two diagrams are of different databases.")

    # rows

    def restricted(self, expression: Any) -> Self:
        """With those rows alone that agree with rows of one table, and with the restrictions so far.

        Raises `QueryError` where the diagram has neither the table nor any that depends on it.
        """
        if self.reach is not None and self.reach.is_closed:
            raise QueryError(
                f"restrict() does not go with {self.reach}: there a row counts if any path leads to it, here "
                "if all its parents agree. Restrict the query itself, or begin with dj.Diagram(schema)."
            )
        relation = seed(expression)
        if relation.connection is not self.database:
            raise QueryError("The query reads another database than the diagram.")
        before = {} if self.reach is None else self.reach.seeds
        name, seeds = reach.narrowed(self.catalog, before, relation.logical_plan)
        found = reach.restriction(self.catalog, seeds)
        if not found.plans.keys() & (self.selection.names | self.pruned):
            raise QueryError(f"{name} is not in the diagram, and nothing in the diagram depends on it.")
        return replace(self, reach=found)

    def without(self, empty: Collection[TableName]) -> Self:
        """Without tables that have no rows; they may still be restricted by."""
        kept = self.selection.only(self.selection.names.difference(empty))
        return replace(self, selection=kept, pruned=self.pruned.union(empty))


def of(sources: Sequence[Source]) -> list[View]:
    """All tables of each source; what is declared there is created first, then the database is read once."""
    for source in sources:
        source.ensure()
    catalogs = {database: database.whole_catalog() for database in {each.database for each in sources}}
    return [
        View(
            source.database,
            catalogs[source.database],
            Selection(source.names(catalogs[source.database])),
            labels=source.labels,
        )
        for source in sources
    ]


def merged(catalog: Catalog, later: Catalog) -> Catalog:
    """The tables of both catalogs, as the later one has them."""
    if catalog.tables == later.tables:
        return catalog
    return Catalog(tuple({table.name: table for table in (*catalog.tables, *later.tables)}.values()))


def cascade(expression: Any, part_integrity: str) -> View:
    """The rows of a query over one table and all that depend on them."""
    relation = seed(expression)
    found = reach.cascade(relation, catalog := relation.connection.whole_catalog(), part_integrity)
    return _reached(relation.connection, catalog, found)


def trace(expression: Any) -> View:
    """The rows of a query over one table and all that they depend on."""
    relation = seed(expression)
    schema = base_table(relation.logical_plan).name.schema
    catalog = relation.connection.catalog([schema])
    return _reached(relation.connection, catalog, reach.trace(relation, catalog))


def upstream(database: Database, catalog: Catalog, table: TableName, key: Mapping[str, Any]) -> View:
    """The row of a key, which may not exist yet, and all that it depends on."""
    return _reached(database, catalog, reach.upstream(database, catalog, table, key))


def _reached(database: Database, catalog: Catalog, found: Reach) -> View:
    return View(database, catalog, Selection(frozenset(found.plans)), found)
