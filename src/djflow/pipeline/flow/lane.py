"""One table of a flow while it runs: its queue, and what is known of it without asking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from djflow.model.names import TableName
from djflow.pipeline.batches import ClaimedBatches, GivenUp, Most
from djflow.pipeline.queue.refresh import Due, fill
from djflow.pipeline.work import Batch

if TYPE_CHECKING:
    from djflow.pipeline.tiers import AutoPopulated


@dataclass(slots=True)
class Lane:
    """The keys of one table on their way.

    `may_have` tells that the queue may have jobs that are due, `ready` how many this run queued that it did
    not take, `is_filled` that all keys were queued that were missing once, `finished` are keys of which
    tables that depend on them were not told yet.
    """

    table: "AutoPopulated"
    batches: ClaimedBatches
    restrictions: tuple[Any, ...]
    priority: int
    may_have: bool = True
    ready: int = 0
    is_filled: bool = False
    was_counted: bool = False
    running: int = 0
    finished: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> TableName:
        """The table's."""
        return self.table.table_model.name

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it runs or was found to be due."""
        return not self.may_have and not self.running

    # filling

    def refresh(self) -> int:
        """Queue all that is missing; how many jobs were added, the first time with those from before."""
        self.is_filled = True
        done = self.table.jobs.refresh(*self.restrictions, priority=self.priority)
        self.may_have = True  # also of what was there before
        added = done["added"] + done["re_pended"] if self.was_counted else self.batches.count()
        self.was_counted = True
        self.ready += added
        return added

    def fill(self, *among: Any) -> int:
        """Queue what is missing of some keys; how many jobs were added."""
        added = fill(self.table, self.batches.queue, (*self.restrictions, *among), Due(self.priority))
        self.may_have = self.may_have or added > 0
        self.ready += added
        return added

    # keys

    def take(self, most: Most) -> Batch | None:
        """Keys for a task."""
        wanted = most(type(self.table), None)  # more may come at any time
        if wanted < 1:
            return None
        batch = self.batches.take(lambda *_: wanted)
        taken = len(batch.keys) if batch is not None else 0
        self.may_have = taken == wanted
        self.ready = max(0, self.ready - taken) if self.may_have else 0
        self.running += batch is not None
        return batch

    def fullness(self, most: Most) -> float:
        """How much of a task the keys are that are ready: 1 where they make a whole one."""
        return min(1.0, self.ready / max(1, most(type(self.table), None)))

    def returned(self, batch: Batch, put_off: int, rows: int) -> None:
        """A task came to its end."""
        self.running -= 1
        self.finished += batch.keys
        self.batches.returned(batch, put_off, rows)

    def lost(self, batch: Batch, reason: str) -> GivenUp:
        """A worker died."""
        self.running -= 1
        self.may_have = True
        return self.batches.lost(batch, reason)

    def pause(self) -> float | None:
        """Seconds until there may be something to do; None where nothing is known to come."""
        pause = self.batches.pause()
        if pause == 0.0:
            self.may_have = True
        return pause

    def take_finished(self) -> Sequence[Mapping[str, Any]]:
        """Keys whose rows are there since this was asked last."""
        finished, self.finished = self.finished, []
        return finished
