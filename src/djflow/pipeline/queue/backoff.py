"""How often a job is tried, and how long it rests before the next try.

The pause is the "full jitter" of "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015): at random
between nothing and a time that doubles with each try, up to a cap, so that those who failed together do not
come back together.
"""

from dataclasses import dataclass

from djflow.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class Retries:
    """A job is tried `attempts` times at most; pauses start from up to `base` seconds, and end at `cap`.

    >>> [Retries(base=2, cap=30).longest_pause(attempt) for attempt in (1, 2, 3, 9)]
    [2.0, 4.0, 8.0, 30]
    """

    attempts: int = 5
    base: float = 1.0
    cap: float = 300.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or not 0 <= self.base <= self.cap:
            raise InvalidArgumentError(
                f"attempts is one or more, and 0 <= base <= cap, not {self.attempts}, {self.base} and "
                f"{self.cap}."
            )

    def longest_pause(self, attempt: int) -> float:
        """Seconds after which, at the latest, a job is tried again that failed at this attempt, from 1."""
        return min(self.cap, self.base * 2.0 ** (min(attempt, 61) - 1))
