"""How many keys a task gets: pure."""

from dataclasses import dataclass, replace
from math import ceil
from typing import Final, Self

AIM: Final = 0.5  # seconds a task: handing one over costs milliseconds, and nobody waits long for its end
MOST: Final = 1024  # keys
_WEIGHT: Final = 0.3  # of the latest task in the mean


@dataclass(frozen=True, slots=True)
class Sizing:
    """What is known of the cost of a key; tasks grow from one key, at most to the double at a time.

    `cost` is the weighted mean of seconds a key, None before the first task ended; `largest` is the most
    keys that a task had whose cost is known.

    >>> sizing = Sizing()
    >>> for seconds in (0.01, 0.02, 0.04):
    ...     sizing = sizing.after(sizing.keys(), seconds)
    >>> sizing.keys(), sizing.after(1, seconds=10).keys()
    (8, 1)
    """

    cost: float | None = None
    largest: int = 0
    aim: float = AIM
    most: int = MOST

    def keys(self, waiting: int | None = None, slots: int = 1) -> int:
        """How many keys the next task gets, at least one.

        Where it is known how many are `waiting`, the last of them are shared by all `slots`.
        """
        if self.cost is None:
            return 1
        wanted = self.most if self.cost * self.most <= self.aim else int(self.aim / self.cost)
        if waiting is not None:
            wanted = min(wanted, ceil(waiting / (2 * slots)))
        return max(1, min(wanted, self.most, 2 * self.largest))

    def after(self, keys: int, seconds: float) -> Self:
        """What is known after a task of some keys took some seconds; a task without keys tells nothing."""
        if keys < 1 or seconds < 0:
            return self
        latest = seconds / keys
        mean = latest if self.cost is None else _WEIGHT * latest + (1 - _WEIGHT) * self.cost
        return replace(self, cost=mean, largest=max(self.largest, keys))
