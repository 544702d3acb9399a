"""The life of a job as one table: from which status what leads to which."""

from enum import StrEnum
from typing import Final, TypeAlias

from djflow.errors import QueryError


class Status(StrEnum):
    """What is known of a key that is in the queue; a key that is not there has the status None."""

    PENDING = "pending"
    RESERVED = "reserved"
    SUCCESS = "success"
    ERROR = "error"
    IGNORE = "ignore"


class Event(StrEnum):
    """What happens to a job."""

    REFRESH = "refresh"  # its key is missing in the table
    IGNORE = "ignore"
    CLAIM = "claim"
    COMPLETE = "complete"  # its result was committed
    KEEP = "keep"  # ... and the job stays as a record
    FAIL = "fail"
    RETRY = "retry"  # it failed, but may succeed another time
    RELEASE = "release"  # its holder gives it back untouched
    EXPIRE = "expire"  # its holder was not heard of for the time of the lease
    PARK = "park"  # ... too often: it may be what kills them
    WITHDRAW = "withdraw"  # its key is wanted no longer, or was made otherwise
    DELETE = "delete"


Place: TypeAlias = Status | None

TRANSITIONS: Final[dict[tuple[Place, Event], Place]] = {
    (None, Event.REFRESH): Status.PENDING,
    (Status.SUCCESS, Event.REFRESH): Status.PENDING,
    (None, Event.IGNORE): Status.IGNORE,
    (Status.PENDING, Event.IGNORE): Status.IGNORE,
    (Status.ERROR, Event.IGNORE): Status.IGNORE,
    (Status.SUCCESS, Event.IGNORE): Status.IGNORE,
    (Status.IGNORE, Event.IGNORE): Status.IGNORE,
    (Status.PENDING, Event.CLAIM): Status.RESERVED,
    (Status.RESERVED, Event.COMPLETE): None,
    (Status.RESERVED, Event.KEEP): Status.SUCCESS,
    (Status.RESERVED, Event.FAIL): Status.ERROR,
    (Status.RESERVED, Event.RETRY): Status.PENDING,
    (Status.RESERVED, Event.RELEASE): Status.PENDING,
    (Status.RESERVED, Event.EXPIRE): Status.PENDING,
    (Status.RESERVED, Event.PARK): Status.ERROR,
    (Status.PENDING, Event.WITHDRAW): None,
    (Status.PENDING, Event.DELETE): None,
    (Status.RESERVED, Event.DELETE): None,
    (Status.SUCCESS, Event.DELETE): None,
    (Status.ERROR, Event.DELETE): None,
    (Status.IGNORE, Event.DELETE): None,
}


def is_allowed(status: Place, event: Event) -> bool:
    """Whether an event can happen to a job of a status.

    >>> is_allowed(Status.PENDING, Event.CLAIM), is_allowed(Status.ERROR, Event.CLAIM)
    (True, False)
    """
    return (status, event) in TRANSITIONS


def after(status: Place, event: Event) -> Place:
    """The status that follows. Raises `QueryError` where the event cannot happen.

    >>> str(after(Status.RESERVED, Event.FAIL))
    'error'
    """
    if not is_allowed(status, event):
        raise QueryError(f"A job that is {status or 'not in the queue'} has no {event.value!r}.")
    return TRANSITIONS[status, event]


def sources(event: Event) -> tuple[Status, ...]:
    """The statuses of jobs to which an event can happen.

    >>> [str(status) for status in sources(Event.CLAIM)]
    ['pending']
    """
    return tuple(status for status, what in TRANSITIONS if what is event and status is not None)


def result(event: Event) -> Place:
    """The status to which an event leads, from wherever it can happen."""
    (only,) = {target for (_, what), target in TRANSITIONS.items() if what is event}
    return only
