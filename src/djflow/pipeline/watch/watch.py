"""Learning of inserts: `with Watch(database, tables) as watch: watch.changes(timeout)`."""

import logging
import time
from collections.abc import Sequence
from itertools import count
from types import TracebackType
from typing import Final, Self

from djflow.backend.listen import Listener
from djflow.backend.retry import pause
from djflow.errors import (
    ConnectionFailedError,
    DjflowError,
    LostConnectionError,
    MissingTableError,
    QueryError,
    ServerError,
)
from djflow.model.table import Table
from djflow.pipeline.watch import triggers
from djflow.pipeline.watch.message import Change, prepare, read_changes
from djflow.relation.database import Database
from djflow.sql import watch as sql

_logger: Final = logging.getLogger(__name__)
PATIENCE: Final = 30.0  # seconds for others to let go of a table
_LEAVING: Final = 5.0  # seconds for the same when the triggers are removed
_AWAY: Final = 300.0  # seconds for a server to come back
_LOOK: Final = 10.0  # seconds after which it is looked whether the triggers are still there


class Watch:
    """Tells which rows are inserted into some tables, by whomever, once they are committed.

    A context manager, for one thread. Inside, each table has a trigger that it shares with the watchers of
    other processes; the last one to leave removes it. After entering, read the tables: what is not told was
    committed before. What was inserted is told at least once; values of primary keys travel by notifications,
    which every role that can connect to the database could listen to.

    Entering raises `MissingTableError`, `AccessError` where a table is another role's and not watched yet,
    `WatchBlockedError` where others keep it locked for `patience` seconds (30 by default), and `QueryError`
    inside of a transaction.
    """

    def __init__(self, database: Database, tables: Sequence[Table], *, patience: float = PATIENCE) -> None:
        self._database, self._patience = database, patience
        self._tables = tuple({table.name: table for table in tables}.values())
        self._listener = Listener(database.settings)
        self._numbers: dict[int, Table] = {}
        self._places: dict[int, triggers.Place] = {}  # once, by number, whatever became of them
        self._is_entered = False
        self._is_unsure = False  # whether something may have been missed
        self._looked = 0.0
        self._away_since: float | None = None

    def __enter__(self) -> Self:
        if self._database.in_transaction:
            raise QueryError("Watch outside of a transaction: what this one inserts would be in its own way.")
        self._database.ensure_declared(self._tables)
        try:
            self._begin()
            self._check_found()
            prepare(self._tables)
        except BaseException:
            self._end()
            raise
        self._is_entered, self._is_unsure = True, False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def changes(self, timeout: float) -> list[Change]:
        """What was inserted since the last call: one change a table, none where nothing was.

        Waits up to `timeout` seconds for the first. Where the connection was lost, it is opened again, within
        the timeout or in the next call, and every table is told without keys: something may have been missed.
        So it is after an interrupt, and for a table that was dropped and made again.

        Raises `ConnectionFailedError` where the server is away for five minutes, and `LostConnectionError` at
        once where the settings forbid to reconnect; and what entering raises where a trigger that is gone
        cannot be made again. The next call then tries again.
        """
        if not self._is_entered:
            raise QueryError("Nothing is watched yet, or any more: with Watch(...) as watch: ...")
        try:
            return self._changes(time.monotonic() + timeout)
        except BaseException:
            self._is_unsure = True
            raise

    def _changes(self, deadline: float) -> list[Change]:
        try:
            while self._listener.is_open:
                if self._is_unsure:
                    self._listener.wait(0)
                    return self._everything()
                if time.monotonic() > self._looked + _LOOK:
                    self._look()
                    continue
                heard = self._listener.wait(min(deadline, self._looked + _LOOK) - time.monotonic())
                if heard or time.monotonic() >= deadline:
                    return read_changes(heard, self._numbers)
        except LostConnectionError:
            if not self._database.settings.database.reconnect:
                raise
            self._listener.disconnect()
        return self._resumed(deadline)

    def _everything(self) -> list[Change]:
        self._is_unsure = False
        return [Change(table.name, None) for table in self._numbers.values()]

    def _resumed(self, deadline: float) -> list[Change]:
        """Every table, once the connection is there again; nothing if it is not in time."""
        for attempt in count(1):
            try:
                self._begin()
            except (ConnectionFailedError, LostConnectionError, ServerError):
                self._listener.disconnect()
                self._away_since = self._away_since or time.monotonic()
                if time.monotonic() - self._away_since > _AWAY:
                    raise
            except BaseException:
                self._listener.disconnect()
                raise
            else:
                self._away_since = None
                return self._everything()
            if time.monotonic() >= deadline:
                return []
            time.sleep(min(pause(attempt), max(0.0, deadline - time.monotonic())))
        raise AssertionError

    def _begin(self) -> None:
        """Listen, and have triggers on all tables that exist."""
        listener = self._listener
        self._open()
        for schema in sorted({table.name.schema for table in self._tables}):
            listener.execute(sql.listen(schema))
        places = self._shared()
        for place in places:
            if not place.is_watched:
                triggers.install(listener, place, self._patience)
        self._numbers = {place.number: place.table for place in places}
        self._looked = time.monotonic()

    def _shared(self) -> list[triggers.Place]:
        """The tables that exist, once nobody else can remove their triggers."""
        shared: set[int] = set()
        while True:
            # Looked at again behind the locks: who was leaving has removed its triggers by then.
            places = triggers.find(self._listener, self._tables)
            if not (new := [place for place in places if place.number not in shared]):
                return places
            for place in new:
                self._places[place.number] = place
                triggers.share(self._listener, place, self._patience)
                shared.add(place.number)

    def _open(self) -> None:
        self._listener.open()
        self._listener.execute(sql.LOCK_TIMEOUT, [triggers.LOCK_TIMEOUT])

    def _look(self) -> None:
        """Give up the connection where tables were made again, or their triggers are gone."""
        places = triggers.find(self._listener, self._tables)
        self._looked = time.monotonic()
        # Another watcher's function will do: a message tells how it is made up.
        if any(place.number not in self._numbers or place.function is None for place in places):
            self._listener.disconnect()

    def _check_found(self) -> None:
        if missing := {table.name for table in self._tables} - {each.name for each in self._numbers.values()}:
            listed = ", ".join(sorted(map(str, missing)))
            raise MissingTableError(f"There is no table {listed} to watch. Declare it first.")

    def _end(self) -> None:
        """Leave every table. What cannot be removed now, the next watcher removes."""
        self._is_entered = False
        try:
            self._leave()
        except DjflowError as error:
            _logger.warning("The triggers %s stay until the tables are watched again. %s", sql.TRIGGER, error)
        finally:
            self._places, self._numbers = {}, {}
            self._listener.close()

    def _leave(self) -> None:
        for attempt in count():
            try:
                if self._places and not self._listener.is_open:
                    self._open()
                for _, place in sorted(self._places.items()):
                    triggers.remove(self._listener, place, _LEAVING)
            except LostConnectionError:
                if attempt:
                    raise
                self._listener.disconnect()  # it may have been lost long since, unnoticed
            else:
                return
