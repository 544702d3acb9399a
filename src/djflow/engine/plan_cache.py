"""Compiled plans kept for the next plan of the same shape, which differs in its constants only."""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Final

from djflow.engine.compile import Compiled, compile_plan
from djflow.planner.nodes import Node
from djflow.planner.shape import Shape, shape_of, with_slots


@dataclass(slots=True)
class PlanCache:
    """The compiled plan of each shape, up to `size` of them.

    A full cache is emptied: keeping track of what was used last would cost more than planning again.
    """

    size: int = 1024
    _by_shape: dict[Hashable, Compiled] = field(default_factory=dict)
    # The very plans that were asked for, by identity; each is held by what it was compiled to.
    _by_plan: dict[int, Compiled] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._by_shape)

    def prepared(self, plan: Node) -> Compiled:
        """The plan ready to run; in its optimised form, constants may stand as slots."""
        known = self._by_plan.get(id(plan))
        if known is not None:
            return known
        shape = shape_of(plan)
        if shape is None:
            return compile_plan(plan)
        kept = self._shaped(shape, plan)
        found = replace(kept, logical=plan, statement=kept.statement.bound(shape.values))
        if len(self._by_plan) >= self.size:
            self._by_plan.clear()
        self._by_plan[id(plan)] = found
        return found

    def _shaped(self, shape: Shape, plan: Node) -> Compiled:
        kept = self._by_shape.get(shape.key)
        if kept is None:
            if len(self._by_shape) >= self.size:
                self._by_shape.clear()
            # Holds the plan, and so keeps its tables alive: the key tells them apart by identity.
            kept = self._by_shape[shape.key] = compile_plan(with_slots(plan))
        return kept


SHARED: Final = PlanCache()


def prepared(plan: Node) -> Compiled:
    """The plan ready to run, from the cache that all sessions of the process share.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty
    >>> prepared(Empty(Heading(()))).is_small
    True
    """
    return SHARED.prepared(plan)
