"""Looking for references in all tables at once, out of everybody's way."""

import time
from collections.abc import Callable
from itertools import count
from typing import Final, TypeVar

from djflow.backend.retry import pause
from djflow.backend.session import Session
from djflow.errors import DjflowError, MissingTableError, QueryError, RetryableError
from djflow.sql.objects import LOOK_AT_ALL

T = TypeVar("T")
_ATTEMPTS: Final = 20
_LOCKED: Final = "55P03"


def looking_at_all(session: Session, action: Callable[[], T]) -> T:
    """The result of what looks at all tables in a transaction of its own.

    It is called again where a table is being dropped or altered: who does that is not held up for long.
    """
    for attempt in count(1):
        try:
            with session.transaction("read committed"):
                session.execute(LOOK_AT_ALL)
                return action()
        except (MissingTableError, QueryError) as error:
            if attempt == _ATTEMPTS or not _passes(error):
                raise
        time.sleep(pause(attempt))
    raise AssertionError


def _passes(error: DjflowError) -> bool:
    is_locked = isinstance(error, QueryError) and error.sqlstate == _LOCKED
    return is_locked or isinstance(error, MissingTableError | RetryableError)
