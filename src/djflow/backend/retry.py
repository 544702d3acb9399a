"""Transactions that are run again when another one was in their way."""

import random
import time
from collections.abc import Callable
from itertools import count
from threading import Event
from typing import TYPE_CHECKING, Final, TypeVar

from djflow.errors import InvalidArgumentError, LostConnectionError, OutcomeUnknownError, RetryableError

if TYPE_CHECKING:
    from djflow.backend.session import Session
    from djflow.backend.transaction import Isolation

T = TypeVar("T")
ATTEMPTS: Final = 5
_FIRST_PAUSE: Final = 0.01  # seconds
_LONGEST_PAUSE: Final = 1.0


def run_in_transaction(
    session: "Session",
    function: Callable[[], T],
    *,
    isolation: "Isolation | None" = None,
    attempts: int = ATTEMPTS,
) -> T:
    """The result of a function called inside a transaction, again where another transaction was in the way.

    Inside an open transaction it is called once, under a savepoint: only the whole can be repeated.
    """
    if attempts < 1:
        raise InvalidArgumentError(f"attempts is one or more, not {attempts}.")
    if session.in_transaction:
        attempts = 1
    for attempt in count(1):
        committed = Event()
        try:
            with session.transaction(isolation):
                session.after_commit(committed.set)
                return function()
        except (RetryableError, LostConnectionError) as error:
            # After the commit, the error is one of what was to be done then.
            if committed.is_set() or not is_safe(error, session):
                raise
            if attempt == attempts:
                if attempts > 1:
                    error.suggest(f"It was tried {attempts} times.")
                raise
        time.sleep(pause(attempt))
    raise AssertionError


def is_safe(error: BaseException, session: "Session") -> bool:
    """Whether the transaction that an error ended may be run again: nothing of it was kept."""
    if isinstance(error, RetryableError):
        return True
    if not isinstance(error, LostConnectionError):
        return False
    return session.settings.database.reconnect and not isinstance(error, OutcomeUnknownError)


def pause(attempt: int) -> float:
    """Seconds to wait after an attempt: at random, up to twice as long after each.

    >>> 0 <= pause(1) <= 0.02, 0 <= pause(50) <= 1
    (True, True)
    """
    return random.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(attempt, 20)))  # noqa: S311 - no secret
