"""Sets of tables in the graph of foreign keys: the algebra of diagrams, without a database."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from djflow.errors import DefinitionError, InvalidArgumentError
from djflow.model.names import TableName

if TYPE_CHECKING:
    import networkx as nx

Graph: TypeAlias = "nx.DiGraph[TableName]"
Direction: TypeAlias = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Chosen tables; those in `folded` are drawn as one box a schema, those in `expanded` as they are.

    A table that is both is expanded.

    >>> a, b = TableName("lab", "a"), TableName("lab", "b")
    >>> both = Selection(frozenset({a, b})).collapsed() | Selection(frozenset({a}))
    >>> [name.table for name in both.expanded], [name.table for name in both.folded]
    (['a'], ['b'])
    """

    expanded: frozenset[TableName] = frozenset()
    folded: frozenset[TableName] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "folded", self.folded - self.expanded)

    @property
    def names(self) -> frozenset[TableName]:
        """All chosen tables."""
        return self.expanded | self.folded

    def __or__(self, other: "Selection") -> "Selection":
        """The tables of either."""
        return Selection(self.expanded | other.expanded, self.folded | other.folded)

    def __and__(self, other: "Selection") -> "Selection":
        """The tables of both."""
        return (self | other).only(self.names & other.names)

    def __sub__(self, other: "Selection") -> "Selection":
        """The tables that the other lacks."""
        return self.only(self.names - other.names)

    def only(self, names: Iterable[TableName]) -> "Selection":
        """Those of the tables that are among some names."""
        kept = frozenset(names)
        return Selection(self.expanded & kept, self.folded & kept)

    def collapsed(self) -> "Selection":
        """The same tables, folded."""
        return Selection(folded=self.names)

    def widened(self, graph: Graph, levels: int, direction: Direction) -> "Selection":
        """With the tables at most so many foreign keys away, "up" the parents, "down" the children.

        Raises `InvalidArgumentError` for a negative number.
        """
        if levels < 0:
            raise InvalidArgumentError(
                f"Diagrams widen by a number of levels from 0 on, not {levels}: "
                "diagram + n adds children, diagram - n parents."
            )
        step = graph.successors if direction == "down" else graph.predecessors
        return Selection(self.expanded | _reached(self.names, levels, step) - self.folded, self.folded)

    def with_parts(self, graph: Graph) -> "Selection":
        """With the parts of the tables."""
        parts = frozenset(name for name in graph if name.master in self.names)
        return Selection(self.expanded | parts - self.folded, self.folded)


def _reached(
    names: Iterable[TableName], levels: int, step: Callable[[TableName], Iterable[TableName]]
) -> frozenset[TableName]:
    found = set(names)
    frontier = set(found)
    for _ in range(levels):
        frontier = {near for name in frontier for near in step(name)} - found
        if not frontier:
            break
        found |= frontier
    return frozenset(found)


def in_order(graph: Graph, names: Iterable[TableName]) -> tuple[TableName, ...]:
    """Tables of the graph, each after all others on which it depends, however far; ties by name.

    Raises `DefinitionError` where they depend on each other in a circle.
    """
    import networkx as nx

    wanted = {name for name in names if name in graph}
    everywhere = len(graph)
    below = _reached(wanted, everywhere, graph.successors)
    between = below & _reached(wanted, everywhere, graph.predecessors)
    part = graph.subgraph(between)
    try:
        return tuple(name for name in nx.lexicographical_topological_sort(part) if name in wanted)
    except nx.NetworkXUnfeasible:
        cycle = " -> ".join(str(a) for a, _ in nx.find_cycle(part))
        raise DefinitionError(
            f"Foreign keys form a cycle: {cycle}.", hint="Leave one of these tables out of the diagram."
        ) from None
