"""Installing and removing the triggers that tell of inserts, whoever else watches, writes or leaves."""

import logging
import random
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Final

from djflow.backend.listen import Listener
from djflow.errors import AccessError, QueryError, WatchBlockedError
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.sql import watch as sql
from djflow.sql.identifiers import qualified, quote

_logger: Final = logging.getLogger(__name__)
# Whoever waits for a lock has those who come later wait behind it: so it is never for long.
LOCK_TIMEOUT: Final = "100ms"
# The server has autovacuum give way, but only to who waits for longer than its deadlock_timeout.
_AUTOVACUUM_TIMEOUT: Final = "1500ms"
_FIRST_PAUSE: Final = 0.05  # seconds
_LONGEST_PAUSE: Final = 1.0
_BUSY: Final = ("55P03", "40P01")  # a lock that was not free in time, a deadlock


@dataclass(frozen=True, slots=True)
class Place:
    """A table in the catalogue: its number, what the role may do, and the function of its trigger."""

    table: Table
    number: int
    is_own: bool
    may_create: bool
    owner: str
    schema_owner: str
    function: str | None
    body: str | None

    @property
    def wanted(self) -> sql.Function:
        """The function that its trigger is to have."""
        return sql.watching_function(self.table, self.number)

    @property
    def is_watched(self) -> bool:
        """Whether its inserts are told."""
        wanted = self.wanted
        return (self.function, self.body) == (wanted.name.table, wanted.body)


def find(listener: Listener, tables: Iterable[Table]) -> list[Place]:
    """The places of those tables that exist, by their numbers: everybody locks them in this order."""
    known = {table.name: table for table in tables}
    names = [[name.schema for name in known], [name.table for name in known]]
    rows = listener.execute(sql.PLACES, names)
    return [Place(known[TableName(schema, name)], *facts) for schema, name, *facts in rows]


def share(listener: Listener, place: Place, patience: float) -> None:
    """Keep others from removing the trigger of a table for as long as the connection lasts."""
    _when_free(listener, place, patience, lambda: listener.execute(sql.SHARE, [place.number]))


def install(listener: Listener, place: Place, patience: float) -> None:
    """Have inserts into a table told, from now on.

    When this returns, whatever is not told is committed. Raises `AccessError` where the table is another
    role's, and `WatchBlockedError` after `patience` seconds.
    """
    _check_rights(listener, place)
    _when_free(listener, place, patience, lambda: _install(listener, place))


def _install(listener: Listener, place: Place) -> None:
    with listener.transaction():
        listener.execute(sql.IN_TURN, [place.number])
        if any(found.number == place.number and found.is_watched for found in find(listener, [place.table])):
            return
        earlier = listener.execute(sql.TRIGGER_OF, [place.number])
        wanted = place.wanted
        # Another role's, which this one could not replace, does as well.
        if listener.execute(sql.BODY, [f"{qualified(wanted.name)}()"]) != [(wanted.body,)]:
            listener.execute(sql.create_function(wanted))
        listener.execute(sql.create_trigger(place.table.name, wanted.name))
        for *_, schema, function, is_own in earlier:
            if is_own and TableName(schema, function) != wanted.name:
                listener.execute(sql.drop_function(TableName(schema, function)))


def remove(listener: Listener, place: Place, patience: float) -> None:
    """Leave a table, which may be gone, and remove its trigger, unless somebody else watches it.

    Where others keep the table locked for `patience` seconds, or it is another role's, the trigger stays: it
    does no harm, and goes when the next watcher leaves.
    """
    listener.execute(sql.UNSHARE, [place.number])
    [(is_last,)] = listener.execute(sql.TAKE, [place.number])
    if not is_last:
        return
    try:
        _when_free(listener, place, patience, lambda: _remove(listener, place.number))
        with suppress(QueryError):  # it is needed yet, or another role's
            listener.execute(sql.drop_function(place.wanted.name))
    except WatchBlockedError as error:
        _logger.warning(
            "The trigger %s on %s stays until the table is watched again; it does no harm. In the way: %s",
            sql.TRIGGER,
            error.table,
            "; ".join(error.blockers),
        )
    finally:
        listener.execute(sql.GIVE_BACK, [place.number])


def _remove(listener: Listener, number: int) -> None:
    with listener.transaction():
        for table_schema, table, schema, function, is_own in listener.execute(sql.TRIGGER_OF, [number]):
            listener.execute(sql.drop_trigger(TableName(table_schema, table)))
            if is_own:
                listener.execute(sql.drop_function(TableName(schema, function)))


def _when_free(listener: Listener, place: Place, patience: float, action: Callable[[], object]) -> None:
    """Do something that needs a lock, again and again until it gets it."""
    deadline = time.monotonic() + patience
    for attempt in count():
        try:
            action()
        except QueryError as error:
            if error.sqlstate not in _BUSY:
                raise
        else:
            break
        blockers = listener.execute(sql.BLOCKERS, [place.number])
        if time.monotonic() >= deadline:
            listener.execute(sql.LOCK_TIMEOUT, [LOCK_TIMEOUT])
            raise WatchBlockedError(str(place.table.name), patience, [_described(*row) for row in blockers])
        # Not each time: there is one that does not give way.
        is_long = attempt % 4 == 0 and any(process and not role for process, role, *_ in blockers)
        listener.execute(sql.LOCK_TIMEOUT, [_AUTOVACUUM_TIMEOUT if is_long else LOCK_TIMEOUT])
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(attempt, 20))
        time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - no secret
    listener.execute(sql.LOCK_TIMEOUT, [LOCK_TIMEOUT])


def _described(process: int | None, role: str, application: str, state: str, seconds: float | None) -> str:
    """Who is in the way, as text.

    >>> _described(217, "ann", "psql", "idle in transaction", 12.34)
    "process 217 of 'ann' (psql, idle in transaction, for 12 s)"
    """
    if process is None:
        return "a prepared transaction"
    lasting = "" if seconds is None else f"for {seconds:.0f} s"
    told = ", ".join(filter(None, (application, state, lasting)))
    return f"process {process}{f' of {role!r}' if role else ''}{f' ({told})' if told else ''}"


def _check_rights(listener: Listener, place: Place) -> None:
    if place.is_own and place.may_create:
        return
    [(role,)] = listener.execute("SELECT current_user::text")
    name = place.table.name
    missing, owners, remedy = [], [], []
    if not place.is_own:
        missing.append(("ownership", f"table {name}"))
        owners.append(place.owner)
        remedy.append(f"GRANT {quote(place.owner)} TO {quote(role)}")
    if not place.may_create:
        missing.append(("CREATE", f"schema {name.schema}"))
        owners.append(place.schema_owner)
        remedy.append(f"GRANT USAGE, CREATE ON SCHEMA {quote(name.schema)} TO {quote(role)}")
    what = " and ".join(f"{right} on {thing}" for right, thing in missing)
    raise AccessError(
        f"The role {role!r} lacks {what}: who watches {name} makes a trigger on it, and removes it. Let the "
        f"owner, {', '.join(dict.fromkeys(owners))}, watch, or have the right given: {'; '.join(remedy)}.",
        role=role,
        missing=missing,
        remedy=remedy,
    )
