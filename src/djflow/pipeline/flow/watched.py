"""A flow that does not end: what is inserted into the tables that it reads makes further keys possible."""

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Final

from djflow.pipeline.batches import Most
from djflow.pipeline.flow.supply import FlowSupply
from djflow.pipeline.work import Batch

if TYPE_CHECKING:
    from djflow.pipeline.watch import Watch

_WAIT: Final = 0.2  # seconds for which an interrupt may have to wait
_LOOK: Final = 2.0  # seconds between looks at the queues


@dataclass(slots=True)
class WatchedSupply(FlowSupply):
    """Batches of several tables, for as long as somebody takes them."""

    watch: "Watch" = field(kw_only=True)
    _looked: float = field(default_factory=monotonic)

    def take(self, most: Most) -> Batch | None:
        """Keys of a table that waits for no other."""
        self._hear(0.0)
        return FlowSupply.take(self, most)

    def pause(self) -> float | None:
        """As long as nothing is inserted."""
        if monotonic() - self._looked >= _LOOK:
            self._looked = monotonic()
            pause = FlowSupply.pause(self)
            if pause is not None:
                return pause
        self._hear(_WAIT)
        return 0.0

    def _hear(self, timeout: float) -> None:
        """Queue what inserted rows make possible, after waiting for some."""
        for change in self.watch.changes(timeout):
            for name, columns in self.links.sources.get(change.table, ()):
                lane = self.lanes[name]
                if not lane.is_filled:
                    continue  # all of its keys are looked for in time
                if change.keys is None or columns is None:
                    self.fill(lane)
                else:
                    self.fill_referring(lane, change.keys, columns)
