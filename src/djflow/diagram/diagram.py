"""Diagrams: parts of the graph of tables, to look at, to combine, and to follow rows through."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Self, SupportsIndex

from djflow.diagram import lookup, view
from djflow.diagram.pictures import Pictures
from djflow.diagram.sources import source_of
from djflow.diagram.state import State, frame
from djflow.diagram.survey import survey
from djflow.diagram.view import View
from djflow.engine.counting import count_all
from djflow.errors import InvalidArgumentError, QueryError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.relation.database import Database
from djflow.tables.free import FreeTable

if TYPE_CHECKING:
    import polars as pl


class Diagram(Pictures):
    """Tables of a database and their foreign keys, as the database has them: imported here or not.

    `source` is a schema, a table or its class, a query over one table, a module that holds schemas or
    classes, or another diagram. `context` gives tables the names of its classes. Printing a diagram draws
    it as text, notebooks show its picture.

    `d + n` adds the tables up to n foreign keys downstream, `d - n` those upstream, one step after the
    other: `d + 1 - 1` adds children, and then the parents of all. `a + b`, `a - b` and `a * b` are the
    union, the difference and the intersection of the tables; instead of `b` any source will do.

    `Diagram.cascade(query)`, `Diagram.trace(query)` and `diagram.restrict(query)` choose rows, too. Then
    iteration, which is in the order of dependency, yields each table with its chosen rows alone, and
    brackets find one by its class or name: `dj.Diagram.trace(Trial & key)[Subject]`.

    A diagram never changes. It knows the tables that there were when it was made.
    """

    __slots__ = ()

    def __init__(self, source: Any, context: Mapping[str, Any] | None = None) -> None:
        if isinstance(source, Diagram):
            self._view = source._view  # noqa: SLF001 - its own class
        else:
            (self._view,) = view.of([source_of(source, context)])

    @classmethod
    def showing(cls, seen: View) -> Self:
        """The diagram that shows a view."""
        diagram = cls.__new__(cls)
        diagram._view = seen  # noqa: SLF001 - its own
        return diagram

    @classmethod
    def from_sequence(cls, sequence: Iterable[Any]) -> Self:
        """The union of the diagrams of several sources. Raises `InvalidArgumentError` for none."""
        given = list(sequence)
        if not given:
            raise InvalidArgumentError("Of an empty sequence no diagram can be made: it has no database.")
        drawn = [source._view for source in given if isinstance(source, Diagram)]  # noqa: SLF001 - its own class
        others = view.of([source_of(source) for source in given if not isinstance(source, Diagram)])
        return cls.showing(reduce(View.union, [*drawn, *others]))

    # rows

    @classmethod
    def cascade(cls, table_expr: Any, part_integrity: str = "enforce") -> Self:
        """What a delete of these rows takes along: the rows, and all that depend on them over any path.

        `table_expr` is a query over one table. With `part_integrity="cascade"` the masters of all parts
        reached go too, with what depends on them; `"enforce"` and `"ignore"` show the same rows, of which
        delete refuses or takes those that masters would miss.

        Raises `ValueError` for another `part_integrity`, `QueryError` for a query over several tables.
        """
        return cls.showing(view.cascade(table_expr, part_integrity))

    @classmethod
    def trace(cls, table_expr: Any) -> Self:
        """What these rows come from: the rows, and all on which they depend over any path.

        `table_expr` is a query over one table, or else `QueryError` is raised.
        """
        return cls.showing(view.trace(table_expr))

    def restrict(self, table_expr: Any) -> Self:
        """Rows that agree with some rows of one table: those below it whose parents all agree.

        Restrictions by several tables, one after the other, must all be met. Several foreign keys to one
        parent are alternatives. Tables that do not depend on `table_expr` keep all their rows.

        Raises `QueryError` for a cascade or a trace, and where neither the table nor any that depends on
        it is in the diagram.
        """
        return self.showing(self._view.restricted(table_expr))

    def counts(self) -> dict[str, int]:
        """The numbers of chosen rows by full table name, parents first: `{'"lab"."session"': 3, ...}`.

        Tables that no choice of rows concerns are left out. Brackets also take a class, or a name such as
        `"Session"`. Raises `QueryError` before rows were chosen.
        """
        return lookup.Counts(self._counted(), self._view.labels)

    def _states(self) -> Mapping[TableName, State]:
        if self._view.reach is None:
            return self._view.states
        return {name: State(number) for name, number in self._counted().items()}

    def _counted(self) -> dict[TableName, int]:
        plans = self._view.concerned()
        for plan in plans.values():
            self._view.database.before_query(plan)
        return count_all(self._view.database.session, plans)

    def prune(self) -> Self:
        """Without the tables that have no (chosen) rows; the database stays as it is.

        Raises `QueryError` for a cascade: its empty tables may have rows when something is deleted.
        """
        if self._view.reach is not None and self._view.reach.kind == "cascade":
            raise QueryError(
                f"prune() would hide tables of {self._view.reach} that may have rows by the time of a delete."
            )
        found = count_all(self._view.database.session, self._view.samples())
        return self.showing(self._view.without({name for name, number in found.items() if not number}))

    # progress

    def progress(self) -> Self:
        """The same diagram with the state of its tables, now: rows, keys that are missing, errors, sizes.

        Pictures have them below the names, with a bar for tables that `make` fills: what is made, what
        failed, what is left. Keys are counted for tables whose classes are known here. Rows are counted,
        but of more than some 200,000 the server's estimate is told, marked with "≈". Raises `QueryError`
        where rows were chosen.
        """
        from djflow.pipeline.keys import missing, wanted

        seen = self._view
        if seen.reach is not None:
            raise QueryError(f"progress() tells of whole tables, not of {seen.reach}: see counts().")
        names = [name for name in seen.names if name in seen.selection.expanded]
        return self.showing(replace(seen, states=survey(seen.database, seen.catalog, names, wanted, missing)))

    def status(self) -> "pl.DataFrame":
        """The state of the tables, a row each, parents first: what `progress()` draws.

        Columns: `table`, `tier`, `rows`, `is_estimate` (whether the server guesses them), `bytes` (in the
        database, with indexes), `missing` (keys without a row, null where nobody here knows), `errors` and
        `running` (jobs). On a diagram that `progress()` gave, it is the state of that moment.
        """
        seen = self._view if self._view.states else self.progress()._view  # noqa: SLF001 - its own class
        return frame(seen.names, seen.states)

    # tables

    @property
    def connection(self) -> Database:
        """The database that the diagram is of."""
        return self._view.database

    @property
    def catalog(self) -> Catalog:
        """The tables as they were when the diagram was made, with all on which they depend."""
        return self._view.catalog

    @property
    def tables(self) -> tuple[TableName, ...]:
        """The names of the tables, each after all on which it depends."""
        return self._view.names

    def populate(self, *restrictions: Any, **options: Any) -> "pl.DataFrame":
        """Make every key that is missing in the imported and computed tables: see `djflow.Flow.populate`."""
        from djflow.pipeline.flow.flow import Flow

        return Flow(self).populate(*restrictions, **options)

    def __iter__(self) -> Iterator[FreeTable]:
        return map(self._table, self._view.names)

    def __reversed__(self) -> Iterator[FreeTable]:
        return map(self._table, reversed(self._view.names))

    def __len__(self) -> int:
        return len(self._view.selection.names)

    def __contains__(self, wanted: object) -> bool:
        return bool(lookup.find(wanted, self._view.selection.names, self._view.labels))

    def __getitem__(self, wanted: Any) -> FreeTable:
        """A table with its chosen rows, by its class or its name.

        A name is `"Session"`, `"lab.Session"`, `"lab.session"` or any of these with quotes. Raises
        `MissingTableError`, which lists the tables there are.
        """
        seen = self._view
        place = "this diagram" if seen.reach is None else str(seen.reach)
        return self._table(lookup.the_one(wanted, seen.names, seen.labels, place=place))

    def _table(self, name: TableName) -> FreeTable:
        seen = self._view
        plan = None if seen.reach is None else seen.reach.plans.get(name)
        return FreeTable(seen.database, seen.catalog[name], plan)

    # algebra

    def __add__(self, other: Any) -> Self:
        if isinstance(other, SupportsIndex):
            return self.showing(self._view.widened(other.__index__(), "down"))
        return self.showing(self._view.union(Diagram(other)._view))

    def __sub__(self, other: Any) -> Self:
        if isinstance(other, SupportsIndex):
            return self.showing(self._view.widened(other.__index__(), "up"))
        return self.showing(self._view.difference(Diagram(other)._view))

    def __mul__(self, other: Any) -> Self:
        return self.showing(self._view.intersection(Diagram(other)._view))

    def collapse(self) -> Self:
        """The same tables, drawn as one box a schema, but for those that another diagram adds expanded."""
        return self.showing(self._view.collapsed())

    def add_parts(self) -> Self:
        """With all parts of the tables."""
        return self.showing(self._view.with_parts())

    def __eq__(self, other: object) -> bool:
        return self._view == other._view if isinstance(other, Diagram) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._view.selection)
