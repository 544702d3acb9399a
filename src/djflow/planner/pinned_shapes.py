"""Pinned places of plans, kept for the next plan of the same shape, which differs in its constants only."""

from collections.abc import Hashable, Sequence
from typing import Any, Final

from djflow.planner.nodes import Node
from djflow.planner.pinned import PinnedScan, pinned_scans
from djflow.planner.pins import Fact, OneOf
from djflow.planner.scalar import Slot
from djflow.planner.shape import shape_of, with_slots

_SIZE: Final = 1024
# The plan is held as well, and so keeps its tables alive: the key tells them apart by identity.
_kept: Final[dict[Hashable, tuple[Node, tuple[PinnedScan, ...]]]] = {}


def pinned_scans_by_shape(plan: Node) -> tuple[PinnedScan, ...]:
    """What `pinned_scans` finds in a plan of which no part is known, sooner for the second one of a shape.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty
    >>> pinned_scans_by_shape(Empty(Heading(())))
    ()
    """
    shape = shape_of(plan)
    if shape is None:
        return pinned_scans(plan)
    kept = _kept.get(shape.key)
    if kept is None:
        if len(_kept) >= _SIZE:
            _kept.clear()
        slotted = with_slots(plan)
        kept = _kept[shape.key] = (slotted, pinned_scans(slotted))
    return tuple(_bound(scan, shape.values) for scan in kept[1])


def _bound(scan: PinnedScan, values: Sequence[Any]) -> PinnedScan:
    pins = {name: tuple(_with_values(fact, values) for fact in facts) for name, facts in scan.pins.items()}
    return PinnedScan(scan.table, pins)


def _with_values(fact: Fact, values: Sequence[Any]) -> Fact:
    if not isinstance(fact, OneOf):
        return fact
    constants = (values[each.number] if isinstance(each, Slot) else each for each in fact.constants)
    return OneOf(frozenset(constants), fact.columns)
