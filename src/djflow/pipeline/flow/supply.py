"""Which keys of a flow can be made next: newly possible ones are found from those that were just made."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from djflow.model.names import TableName
from djflow.pipeline.batches import GivenUp, Most, Supply
from djflow.pipeline.events import Event, Queued
from djflow.pipeline.flow.lane import Lane
from djflow.pipeline.flow.links import Columns, Links
from djflow.pipeline.make.protocol import frame_of
from djflow.pipeline.work import Batch

if TYPE_CHECKING:
    import polars as pl

_LOOK: Final = 0.3  # seconds between looks at what others do
_GATHER: Final = 0.3  # seconds for which finished keys are gathered while there is enough else to do


@dataclass(slots=True)
class FlowSupply(Supply):
    """Batches of several tables: of the last in the order first, so that results are complete early."""

    lanes: dict[TableName, Lane]
    """Parents first."""
    links: Links
    _by_class: dict[type, Lane] = field(init=False)
    _news: list[Event] = field(default_factory=list)
    _passed_on: float = 0.0
    _is_swept: bool = False
    _left: dict[TableName, tuple[float, bool]] = field(default_factory=dict)
    _complete: dict[TableName, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_class = {type(lane.table): lane for lane in self.lanes.values()}

    # as dispatch calls it

    def take(self, most: Most) -> Batch | None:
        """Keys of a table that waits for no other, enough for a whole task if there are.

        What was finished is passed on when nothing else would fill a task, and otherwise now and then: each
        time costs the same for a key and for hundreds.
        """
        self._complete.clear()
        if monotonic() - self._passed_on < _GATHER:
            batch = self._take(most, at_least=1.0)
            if batch is not None:
                return batch
        self._pass_on()
        return self._take(most)

    def _take(self, most: Most, at_least: float = 0.0) -> Batch | None:
        """Keys of the table that has most of a task; of several, of the last in the order."""
        lanes = [
            lane
            for lane in reversed(self.lanes.values())
            if (lane.may_have or not lane.is_filled) and self._is_open(lane)
        ]
        found = [(lane.fullness(most), lane) for lane in lanes]
        for fullness, lane in sorted(found, key=itemgetter(0), reverse=True):
            batch = lane.take(most) if fullness >= at_least else None
            if batch is not None:
                return batch
        return None

    def pause(self) -> float | None:
        """Until something is due; until others, who have some of the keys, are through; then a last look.

        A table that waits for another of which jobs are left, which are not due or not for this run, is not
        begun.
        """
        pauses = [pause for lane in self.lanes.values() if (pause := lane.pause()) is not None]
        if pauses:
            return min(pauses)
        if any(lane.batches.is_held_elsewhere() for lane in self.lanes.values()):
            return _LOOK
        self._complete.clear()
        self._left.clear()
        if not self._is_swept:
            self.sweep()
            return 0.0
        return 0.0 if any(self._is_open(lane) for lane in self.lanes.values() if not lane.is_filled) else None

    def returned(self, batch: Batch, put_off: int, rows: int) -> None:
        """What depends on these keys is to be told."""
        if rows or put_off:  # a `make` that inserts nothing would be called again and again
            self._is_swept = False
        self._by_class[batch.table].returned(batch, put_off, rows)

    def lost(self, batch: Batch, reason: str) -> GivenUp:
        """They come again, but for those that were committed before: what depends on these is looked for."""
        self._is_swept = False
        return self._by_class[batch.table].lost(batch, reason)

    def give_back(self) -> None:
        """Release what was taken and not made."""
        for lane in self.lanes.values():
            lane.batches.give_back()

    def news(self) -> Iterable[Event]:
        """Which jobs were queued."""
        news, self._news = self._news, []
        return news

    # filling

    def sweep(self) -> None:
        """Look for keys that nobody told of: others may have inserted rows."""
        self._is_swept = True
        for lane in self.lanes.values():
            if lane.is_filled and self._is_open(lane):
                self.fill(lane)

    def fill(self, lane: Lane, *among: Any) -> int:
        """Queue what a table lacks, of some keys or of all; how many jobs were added."""
        return self._queued(lane, lane.fill(*among))

    def _pass_on(self) -> None:
        self._passed_on = monotonic()
        for lane in self.lanes.values():
            if not lane.finished:
                continue
            keys = frame_of(lane.table, lane.take_finished())
            for name, columns in self.links.fed.get(lane.name, ()):
                if self.lanes[name].is_filled:  # otherwise all of its keys are looked for in time
                    self.fill_referring(self.lanes[name], keys, columns)

    def fill_referring(self, lane: Lane, keys: "pl.DataFrame", columns: Columns) -> None:
        """Queue what a table lacks of the keys that refer to these."""
        found = referring(keys, columns)
        self.fill(lane, *(() if found is None else (found,)))

    def _queued(self, lane: Lane, jobs: int) -> int:
        if jobs:
            self._news.append(Queued(type(lane.table), jobs))
        return jobs

    # order

    def _is_open(self, lane: Lane) -> bool:
        """Whether its keys can be made; from then on it is told of new ones."""
        awaited = self.links.awaited[lane.name]
        is_open = all(self._is_complete(name) for name in awaited)
        if is_open and not lane.is_filled:
            is_open = not (awaited and self._found_above(lane.name))
        if not is_open:
            lane.is_filled = False
        elif not lane.is_filled:
            self._queued(lane, lane.refresh())
        return is_open

    def _found_above(self, name: TableName) -> bool:
        """Whether tables on which a table depends lack keys after all: others may have made rows before."""
        above = self._above(name)
        found = [self.fill(lane) for lane in self.lanes.values() if lane.name in above]
        return any(found)

    def _above(self, name: TableName) -> set[TableName]:
        found, left = set[TableName](), list(self.links.parents[name])
        while left:
            parent = left.pop()
            if parent not in found:
                found.add(parent)
                left += self.links.parents[parent]
        return found

    def _is_complete(self, name: TableName) -> bool:
        """Whether no key of a table is left to be made, as far as is known."""
        if name not in self._complete:
            lane = self.lanes[name]
            self._complete[name] = (
                lane.is_filled
                and lane.is_idle
                and not lane.finished  # other tables may wait for these
                and all(self._is_complete(parent) for parent in self.links.parents[name])
                and not self._has_left(lane)
            )
        return self._complete[name]

    def _has_left(self, lane: Lane) -> bool:
        """Whether jobs are left, due or not, or others have them."""
        at, has_left = self._left.get(lane.name, (0.0, True))
        if monotonic() - at >= _LOOK:
            has_left = lane.batches.has_left()
            self._left[lane.name] = monotonic(), has_left
        return has_left


def referring(keys: "pl.DataFrame", columns: Columns) -> "pl.DataFrame | None":
    """Keys of a table as a table that refers to it calls them; None where it has none of their attributes.

    >>> import polars as pl
    >>> referring(pl.DataFrame({"scan": [1, 1], "roi": [1, 2]}), (("first", "scan"),)).to_dicts()
    [{'first': 1}]
    """
    known = [(own, name) for own, name in columns if name in keys.columns]
    if not known:
        return None
    return keys.select(keys[name].alias(own) for own, name in known).unique(maintain_order=True)
