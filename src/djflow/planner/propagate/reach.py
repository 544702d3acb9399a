"""The rows of each table that some rows reach, as plans: built table by table, along the foreign keys."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.planner.nodes import Node, Scan, SemiJoin
from djflow.planner.propagate.any_match import any_match
from djflow.planner.propagate.edges import Edge
from djflow.planner.propagate.match import Match, distinct

# A plan that asks more tables than this is worth finding its keys once.
_MOST: Final = 12


class Settle(Protocol):
    """Finds the keys of rows now, so that plans can refer to them."""

    def __call__(self, table: Table, rows: Node, edges: Sequence[Edge]) -> Node:
        """The same rows of a table, and those that they reach over edges from the table to itself."""
        ...


@dataclass(slots=True)
class Reach:
    """The rows reached so far: a plan for each table, and the matches behind it where that helps others.

    Without a way to settle rows, references of a table to itself are not followed.
    """

    seeds: Mapping[TableName, Node]
    settle: Settle | None = None
    plans: dict[TableName, Node] = field(default_factory=dict)
    matches: dict[TableName, tuple[Match, ...]] = field(default_factory=dict)
    sizes: dict[TableName, int] = field(default_factory=dict)

    def add(self, table: Table, found: Iterable[Match], loops: Sequence[Edge]) -> None:
        """Note what reaches rows of a table: these matches, the seed, and its own rows over `loops`."""
        matches, seed = distinct(found), self.seeds.get(table.name)
        plan = self._reached(table, matches, seed)
        size = 1 + sum(self.sizes[match.anchor] for match in matches)
        settle = self.settle
        if settle is not None and (loops or (size > _MOST and table.is_keyed)):
            plan, size, matches = settle(table, plan, loops), 1, ()
        self.plans[table.name], self.sizes[table.name] = plan, size
        self.matches[table.name] = matches if seed is None else ()

    def _reached(self, table: Table, matches: tuple[Match, ...], seed: Node | None) -> Node:
        if seed is None:
            return any_match(Scan(table), matches, self.plans)
        if not matches:
            return seed
        key = table.heading.primary_key
        itself = Match(table.name, tuple((name, name) for name in key), is_kept=False)
        return any_match(Scan(table), (itself, *matches), {**self.plans, table.name: seed})


def without(rows: Node, others: Node) -> Node:
    """The rows of a table that are not among others of it."""
    return SemiJoin(rows, others, rows.heading.primary_key, negated=True)
