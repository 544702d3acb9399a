"""A database as relations see it: a session, and the tables that must exist before a query runs."""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from threading import Lock
from typing import Any, Final, TypeVar
from uuid import uuid4
from weakref import WeakValueDictionary, finalize

from djflow.backend.catalog_cache import CatalogCache
from djflow.backend.retry import ATTEMPTS, run_in_transaction
from djflow.backend.rows import Rows
from djflow.backend.session import Session
from djflow.backend.transaction import Isolation
from djflow.configuration import Settings, StoreSettings
from djflow.errors import DjflowError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.planner.nodes import Node
from djflow.storage.registry import open_store
from djflow.storage.store import Store

T = TypeVar("T")

_REBUILT: Final = 8
_of_this_process: Final["WeakValueDictionary[str, Database]"] = WeakValueDictionary()


class Database:
    """One database: what `dj.conn()` returns and what expressions carry along.

    Threads and forked processes may share it: each has connections and transactions of its own. Pickling
    it sends its settings, the password included; who gets them uses the database of the same settings that
    there is, or makes one.
    """

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._name = uuid4().hex
        _of_this_process[self._name] = self
        self._session: Session | None = None
        self._lock = Lock()
        self._activators: dict[str, list[Callable[[Collection[TableName]], object]]] = {}
        self._stores: dict[StoreSettings, Store] = {}
        self._catalogs = CatalogCache()

    def __repr__(self) -> str:
        return f"Database({self.place})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._name, self.settings)

    @property
    def place(self) -> str:
        """Who, where and which database, without a password."""
        settings = self.settings
        if settings.database.is_configured:
            return settings.database.describe()
        place, name = f"the embedded server of {settings.home}", settings.database.name
        return f"the database {name!r} of {place}" if name else place

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        return self._settings()

    @property
    def session(self) -> Session:
        """The connections; made from the settings at first use."""
        with self._lock:
            if self._session is None:
                self._session = Session(self.settings)
                # Nobody may have closed it: what a database opened goes with it.
                finalize(self, self._session.close).atexit = False
            return self._session

    @property
    def transaction(self) -> AbstractContextManager[None]:
        """A block whose writes commit together or not at all; blocks nest as savepoints.

        `with schema.connection.transaction: ...`
        """
        return self._transaction()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self.session.transaction():
            yield

    def run_in_transaction(
        self,
        function: Callable[[], T],
        *,
        isolation: Isolation = "read committed",
        attempts: int = ATTEMPTS,
    ) -> T:
        """Call a function inside a transaction and return its result; again, if another one was in the way.

        Each attempt begins from what others have committed. It is repeated after a `SerializationError`, a
        `DeadlockError` or a connection that broke before the commit, `attempts` times at most, with a pause
        that grows. What else the function does must bear repeating. Inside an open transaction it is called
        once, under a savepoint and with the isolation that there is.
        """
        return run_in_transaction(self.session, function, isolation=isolation, attempts=attempts)

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is inside a transaction."""
        return self.session.in_transaction

    def start_transaction(self) -> None:
        """Begin a transaction by hand; `with database.transaction:` also ends it, whatever happens.

        Raises `DjflowError` inside a transaction.
        """
        if self.in_transaction:
            raise DjflowError(
                "A transaction is open already. Blocks of `with database.transaction:` can nest."
            )
        self.session.begin()

    def commit_transaction(self) -> None:
        """Keep what was done since `start_transaction`."""
        self.session.commit()

    def cancel_transaction(self) -> None:
        """Undo what was done since `start_transaction`."""
        self.session.roll_back()

    @property
    def is_connected(self) -> bool:
        """Whether this thread has an open connection, as far as is known without asking the server."""
        return self._session is not None and self._session.is_connected

    def connect(self) -> None:
        """Open the connection of this thread, if it is not open; the first use does so, too."""
        _ = self.session.connection

    def ping(self) -> None:
        """Ask the server for a sign of life; outside of a transaction, a broken connection is opened again.

        Raises `ConnectionFailedError` or `LostConnectionError`.
        """
        self.session.query_rows("SELECT 1", ())

    def query(self, sql: str, args: Sequence[Any] = ()) -> Rows:
        """Run a statement of your own SQL, with `$1`, `$2`, ... or `%s` for `args`, and return its rows.

        The rows are a list, which also has `fetchone` and `fetchall`. A transaction survives its failure.
        """
        self.session.before_query(sql)
        return self.session.execute_own(sql, args)

    def close(self) -> None:
        """Close all connections; the next use opens new ones, with the settings of then."""
        if self._session is not None:
            self._session.close()
            self._session = None
            self._catalogs = CatalogCache()

    def register(self, schema: str, activate: Callable[[Collection[TableName]], object]) -> None:
        """Have `activate` called with the names of tables of the schema before these are used."""
        self._activators.setdefault(schema, []).append(activate)

    def ensure(self, tables: Iterable[Table]) -> None:
        """Make sure that the tables can be read: they exist, with all rows that this thread has inserted."""
        known = list(tables)
        self.ensure_declared(known)
        self.session.before_reading([table.name for table in known])

    def before_query(self, plan: Node) -> None:
        """Make sure that what a query of the user's reads can be read; who looks at such queries is told."""
        self.ensure_declared(plan.tables)
        self.session.before_query(plan)
        self.session.before_reading([table.name for table in plan.tables])

    def ensure_declared(self, tables: Iterable[Table]) -> None:
        """Make sure that the tables exist in the database."""
        wanted: defaultdict[str, list[TableName]] = defaultdict(list)
        for table in tables:
            wanted[table.name.schema].append(table.name)
        for schema, names in sorted(wanted.items()):
            self._activate(schema, names)

    def ensure_schemas(self, schemas: Iterable[str]) -> None:
        """Make sure that what is declared in these schemas exists, as far as one may create it."""
        for schema in sorted(schemas):
            self._activate(schema, ())

    def _activate(self, schema: str, names: Collection[TableName]) -> None:
        for activate in self._activators.get(schema, ()):
            activate(names)

    def catalog(self, schemas: Iterable[str]) -> Catalog:
        """The tables of some schemas and all that they refer to, as the database has them now.

        What is declared in these schemas is created first.
        """
        wanted = sorted(set(schemas))
        self.ensure_schemas(wanted)
        return self._catalogs.catalog(self.session.connection, wanted)

    def whole_catalog(self) -> Catalog:
        """All tables of the database, in every schema, as this thread sees them now.

        It is remembered: while no table changes, asking again costs a fraction of a millisecond, or a few
        where others write meanwhile. Nothing that is declared here and not used yet is created for it.
        Raises the typed errors of a query.
        """
        return self._catalogs.catalog(self.session.connection)

    def open_store(self, name: str) -> Store:
        """The object store of a name; "" is the default store, "filepath_default" the one for users' files.

        Raises `ConfigError` for a store that is not configured.
        """
        stores = self.settings.stores
        spec = stores.for_filepaths() if name == "filepath_default" else stores.named(name or None)
        if spec not in self._stores:
            self._stores[spec] = open_store(spec)
        return self._stores[spec]


def databases() -> list[Database]:
    """All databases of this process that are in use, the oldest first."""
    return list(_of_this_process.values())


def _restored(name: str, settings: Settings) -> Database:
    """The database that was pickled, if it is of this process; else another one for the same settings.

    Relations of two databases cannot be combined, so what is sent joins what is declared here.
    """
    here = [known for known in list(_of_this_process.values()) if _serves(known, settings)]
    here.sort(key=lambda known: known._name != name)  # noqa: SLF001 - the same file
    return here[0] if here else _rebuilt(settings)


def _serves(database: Database, settings: Settings) -> bool:
    with suppress(DjflowError):  # of thread-safe mode, or a mistake in a file
        own = database.settings
        return (own.database, own.stores, own.home) == (settings.database, settings.stores, settings.home)
    return False


@lru_cache(_REBUILT)
def _rebuilt(settings: Settings) -> Database:
    """Kept for the tasks that follow in the same worker."""
    return Database(lambda: settings)


def _renew_locks() -> None:
    """A thread that does not exist in a forked child may have held one."""
    for database in list(_of_this_process.values()):
        database._lock = Lock()  # noqa: SLF001 - the same file


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
