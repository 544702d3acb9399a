"""Clients on threads of their own who act in the order of a scenario, and what the server says of them.

    a.does(begin)
    a.does(delete_subject)
    b.blocks(insert_session)  # waits for a lock
    a.does(commit)
    b.fails(IntegrityError)

A client is looked at until it has ended its step, waits for a lock, or stands at a `Pauses.at`: no step
begins before, so that a scenario is the same each time.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from enum import Enum, auto
from threading import Event
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from djflow.errors import DjflowError

if TYPE_CHECKING:
    import psycopg

Action: TypeAlias = Callable[[Any], Any]

_LONGEST: Final = 15.0  # seconds until a scenario hangs
_LOOK: Final = 0.002
# Of its own, the server's autovacuum may wait as well.
_WAITING: Final = """
SELECT a.pid FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.wait_event_type = 'Lock'
  AND cardinality(pg_blocking_pids(a.pid)) > 0
"""
_GATE: Final = 4711
_STOP: Final = f"""
CREATE OR REPLACE FUNCTION stop_here() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock_shared({_GATE}); RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER stop_here AFTER INSERT ON {{table}} EXECUTE FUNCTION stop_here()
"""


class State(Enum):
    """Where a client is."""

    IDLE = auto()
    BLOCKED = auto()
    PAUSED = auto()
    BUSY = auto()


class Pauses:
    """Places in the middle of a step where a client stops, if the scenario wants it to."""

    def __init__(self) -> None:
        self.wanted: str | None = None
        self.standing: str | None = None
        self._go = Event()

    def at(self, place: str) -> None:
        """Stop here, once, if this is the place that is wanted."""
        if self.wanted != place:
            return
        self.wanted = None
        self._go.clear()
        self.standing = place
        assert self._go.wait(_LONGEST), f"Nobody let the client go on at {place!r}."

    def end(self) -> None:
        """Let the client go on."""
        self.standing = None
        self._go.set()


class Actor:
    """A client of a scenario: `client` is what its steps get."""

    def __init__(self, name: str, client: Any, observer: "psycopg.Connection[Any]") -> None:
        self.name, self.client, self._observer = name, client, observer
        self.pauses: Pauses = client.pauses
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._pending: Future[Any] | None = None
        self._others_waiting: frozenset[int] = frozenset()
        self.pid: int = self._thread.submit(self._backend).result(_LONGEST)

    def _backend(self) -> int:
        return int(self.client.database.session.connection.info.backend_pid)

    # steps

    def does(self, action: Action) -> Any:
        """The result of a step that completes."""
        self._start(action)
        return self.finishes()

    def refuses(self, action: Action, *errors: type[DjflowError]) -> DjflowError:
        """The error of a step that raises one of these."""
        self._start(action)
        return self.fails(*errors)

    def blocks(self, action: Action) -> None:
        """Begin a step, which comes to wait for a lock."""
        self._start(action)
        self.is_blocked()

    def pauses_at(self, place: str, action: Action) -> None:
        """Begin a step, which stops at a place."""
        self.pauses.wanted = place
        self._start(action)
        self.stands_at(place)

    def tries(self, action: Action) -> State:
        """Begin a step, whatever becomes of it."""
        self._start(action)
        return self.settled()

    # what becomes of a step that has begun

    def goes_on(self) -> State:
        """Leave the place where it stands, as far as it gets."""
        assert self.pauses.standing is not None, f"{self.name} stands nowhere"
        self.pauses.end()
        return self.settled()

    def stands_at(self, place: str) -> None:
        """Whether it stopped there."""
        assert self.settled() is State.PAUSED, f"{self.name} did not stop at {place}: {self._told()}"
        assert self.pauses.standing == place

    def is_blocked(self) -> None:
        """Whether it waits for a lock."""
        assert self.settled() is State.BLOCKED, f"{self.name} does not wait: {self._told()}"

    def finishes(self) -> Any:
        """The result of the step that has begun, which completes now."""
        return self._ended().result(0)

    def fails(self, *errors: type[DjflowError]) -> DjflowError:
        """The error of the step that has begun, which raises one of these now."""
        error = self._ended().exception(0)
        assert isinstance(error, errors), f"{self.name}: {error!r}"
        return error

    def outcome(self) -> BaseException | None:
        """The error of the step that has begun, or None."""
        return self._ended().exception(0)

    # looking

    @property
    def state(self) -> State:
        """Where it is now."""
        if self._pending is None or self._pending.done():
            return State.IDLE
        if self.pauses.standing is not None:
            return State.PAUSED
        return State.BLOCKED if self._waits() else State.BUSY

    def settled(self) -> State:
        """Where it is once it does not move."""
        until = time.monotonic() + _LONGEST
        while (state := self.state) is State.BUSY:
            assert time.monotonic() < until, f"{self.name} hangs"
            time.sleep(_LOOK)
        return state

    def rest(self) -> None:
        """Be idle and in no transaction, whatever a scenario that failed has left."""
        self.pauses.end()
        if self.state is not State.IDLE:
            self._observer.execute("SELECT pg_terminate_backend(%s)", [self.pid])
            self._pending = None
        self.pid = self._thread.submit(self._rested).result(_LONGEST)

    def _rested(self) -> int:
        if self.client.database.in_transaction:
            self.client.database.cancel_transaction()
        return self._backend()

    def close(self) -> None:
        """Leave the stage."""
        self.rest()
        self._thread.submit(self.client.database.close).result(_LONGEST)
        self._thread.shutdown()

    def _start(self, action: Action) -> None:
        assert self.state is State.IDLE, f"{self.name} has not ended its step"
        self._others_waiting = frozenset(waiting(self._observer)) - {self.pid}
        self._pending = self._thread.submit(action, self.client)

    def _waits(self) -> bool:
        # Bulk reads have connections of their own: those that did not wait before are of this client.
        return bool(set(waiting(self._observer)) - self._others_waiting)

    def _ended(self) -> "Future[Any]":
        assert self._pending is not None
        until = time.monotonic() + _LONGEST
        while not self._pending.done():
            state = self.state
            assert state is not State.PAUSED, f"{self.name} stands at {self.pauses.standing}"
            assert time.monotonic() < until, f"{self.name} hangs: {state}"
            time.sleep(_LOOK)
        return self._pending

    def _told(self) -> str:
        done = self._pending is not None and self._pending.done()
        return repr(self._pending.exception(0) or self._pending.result(0)) if done and self._pending else ""


def first_to_end(one: Actor, other: Actor) -> tuple[Actor, Actor]:
    """Of two who wait, the one whose step ends first, and the other."""
    until = time.monotonic() + _LONGEST
    while time.monotonic() < until:
        for first, second in ((one, other), (other, one)):
            if first.state is State.IDLE:
                return first, second
        time.sleep(_LOOK)
    raise AssertionError(f"{one.name} and {other.name} hang")


def waiting(observer: "psycopg.Connection[Any]") -> list[int]:
    """The backends of the database that wait for others."""
    return [pid for (pid,) in observer.execute(_WAITING)]


@contextmanager
def held(observer: "psycopg.Connection[Any]", lock: str) -> Iterator[None]:
    """A gate: while it is held, who comes to it waits.

    `lock` is a statement, such as `LOCK TABLE t IN SHARE MODE`, before which all may read and nobody write.
    """
    import psycopg

    with psycopg.connect(observer.info.dsn, password=observer.info.password, autocommit=True) as gate:
        gate.execute(f"BEGIN; {lock}".encode(), prepare=False)
        try:
            yield
        finally:
            gate.execute("ROLLBACK")


@contextmanager
def held_after_inserts(observer: "psycopg.Connection[Any]", table: str) -> Iterator[None]:
    """A gate behind inserts: who inserts into the table waits once the statement has put its rows there."""
    observer.execute(_STOP.format(table=table).encode(), prepare=False)
    with held(observer, f"SELECT pg_advisory_xact_lock({_GATE})"):
        yield


def merged(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All orders in which two lists can be done, each in its own order.

    >>> [*merged("ab", "x")]
    [('x', 'a', 'b'), ('a', 'x', 'b'), ('a', 'b', 'x')]
    """
    if not first or not second:
        yield (*first, *second)
        return
    yield from ((second[0], *rest) for rest in merged(first, second[1:]))
    yield from ((first[0], *rest) for rest in merged(first[1:], second))
