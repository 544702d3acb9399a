"""Which keys of a flow can be made next: newly possible ones are found from those that were just made."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from djflow.model.names import TableName
from djflow.populate.batches import GivenUp, Most, Supply
from djflow.populate.events import Event, Queued
from djflow.populate.flow.lane import Lane
from djflow.populate.flow.links import Columns, Links
from djflow.populate.make.protocol import frame_of
from djflow.populate.work import Batch

if TYPE_CHECKING:
    import polars as pl

_LOOK: Final = 0.3  # seconds between looks at what others do


@dataclass(slots=True)
class FlowSupply(Supply):
    """Batches of several tables: of the last in the order first, so that results are complete early."""

    lanes: dict[TableName, Lane]
    """Parents first."""
    links: Links
    _by_class: dict[type, Lane] = field(init=False)
    _news: list[Event] = field(default_factory=list)
    _is_swept: bool = False
    _quiet: dict[TableName, tuple[float, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_class = {type(lane.table): lane for lane in self.lanes.values()}

    # as dispatch calls it

    def take(self, most: Most) -> Batch | None:
        """Keys of a table that waits for no other."""
        self._pass_on()
        for lane in reversed(self.lanes.values()):
            if (lane.may_have or not lane.is_filled) and self._is_open(lane):
                batch = lane.take(most)
                if batch is not None:
                    return batch
        return None

    def pause(self) -> float | None:
        """Until something is due; until others, who have some of the keys, are through; then a last look."""
        pauses = [pause for lane in self.lanes.values() if (pause := lane.pause()) is not None]
        if pauses:
            return min(pauses)
        if any(lane.batches.is_held_elsewhere() for lane in self.lanes.values()):
            return _LOOK
        if self._is_swept:
            return None
        self.sweep()
        return 0.0

    def returned(self, batch: Batch, put_off: int) -> None:
        """What depends on these keys is to be told."""
        self._is_swept = False
        self._by_class[batch.table].returned(batch, put_off)

    def lost(self, batch: Batch, reason: str) -> GivenUp:
        """They come again."""
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

    def fill(self, lane: Lane, *among: Any) -> None:
        """Queue what a table lacks, of some keys or of all."""
        self._note_queued(lane, lane.fill(*among))

    def _pass_on(self) -> None:
        for lane in self.lanes.values():
            if not lane.finished:
                continue
            keys = lane.take_finished()
            for name, columns in self.links.fed.get(lane.name, ()):
                if self.lanes[name].is_filled:  # otherwise all of its keys are looked for in time
                    self.fill(self.lanes[name], referring(frame_of(lane.table, keys), columns))

    def _note_queued(self, lane: Lane, jobs: int) -> None:
        if jobs:
            self._is_swept = False
            self._news.append(Queued(type(lane.table), jobs))

    # order

    def _is_open(self, lane: Lane) -> bool:
        """Whether its keys can be made; from then on it is told of new ones."""
        is_open = all(self._is_complete(self.lanes[name]) for name in self.links.awaited[lane.name])
        if not is_open:
            lane.is_filled = False
        elif not lane.is_filled:
            lane.refresh()
            self._note_queued(lane, lane.table.jobs.progress()["pending"])
        return is_open

    def _is_complete(self, lane: Lane) -> bool:
        """Whether no key of a table will be made any more in this run, as far as is known."""
        return (
            lane.is_filled
            and lane.is_idle
            and all(self._is_complete(self.lanes[name]) for name in self.links.parents[lane.name])
            and self._is_quiet(lane)
        )

    def _is_quiet(self, lane: Lane) -> bool:
        """Whether nobody else makes keys of it, and none of its own come again."""
        at, is_quiet = self._quiet.get(lane.name, (0.0, False))
        if monotonic() - at < _LOOK:
            return is_quiet
        is_quiet = lane.pause() is None and not lane.batches.is_held_elsewhere()
        self._quiet[lane.name] = monotonic(), is_quiet
        return is_quiet


def referring(keys: "pl.DataFrame", columns: Columns) -> "pl.DataFrame":
    """Keys of a table as a table that refers to it calls them.

    >>> import polars as pl
    >>> referring(pl.DataFrame({"scan": [1, 1], "roi": [1, 2]}), (("first", "scan"),)).to_dicts()
    [{'first': 1}]
    """
    known = [(own, name) for own, name in columns if name in keys.columns]
    return keys.select(keys[name].alias(own) for own, name in known).unique(maintain_order=True)
