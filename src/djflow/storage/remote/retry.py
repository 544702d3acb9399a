"""Doing again what failed for a reason that passes."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try, and how long to wait between: a random time up to a bound that doubles.

    `attempts` is the number of tries in all, `first` and `longest` the bounds of the first and of any wait,
    in seconds.
    """

    attempts: int = 4
    first: float = 0.25
    longest: float = 8.0

    def waits(self) -> Iterator[float]:
        """How long to wait after each failure but the last; random, lest many clients come back at once."""
        return (random.uniform(0, bound) for bound in self.bounds())  # noqa: S311 - no secret

    def bounds(self) -> Iterator[float]:
        """The longest time of each wait.

        >>> list(RetryPolicy(attempts=5, first=1, longest=3).bounds())
        [1, 2, 3, 3]
        """
        return (min(self.longest, self.first * 2**attempt) for attempt in range(self.attempts - 1))


DEFAULT_RETRY: Final = RetryPolicy()


def run(
    operation: Callable[[], Result],
    policy: RetryPolicy,
    *,
    passes: Callable[[Exception], bool],
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """The result of an operation that may be done twice, tried again while `passes` says so of its error.

    Raises the last error.

    >>> waits, outcomes = [], iter([0, 0, 1])
    >>> def divide():
    ...     return 1 / next(outcomes)
    >>> run(divide, RetryPolicy(), passes=lambda error: True, sleep=waits.append), len(waits)
    (1.0, 2)
    """
    for wait in policy.waits():
        try:
            return operation()
        except Exception as error:
            if not passes(error):
                raise
        sleep(wait)
    return operation()


async def run_async(
    operation: Callable[[], Awaitable[Result]], policy: RetryPolicy, *, passes: Callable[[Exception], bool]
) -> Result:
    """The same for a coroutine."""
    for wait in policy.waits():
        try:
            return await operation()
        except Exception as error:
            if not passes(error):
                raise
        await asyncio.sleep(wait)
    return await operation()
