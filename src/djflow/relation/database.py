"""A database as relations see it: a session, and the tables that must exist before a query runs."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from typing import Any, TypeVar

from djflow.backend.introspect import introspect
from djflow.backend.session import Session
from djflow.configuration import Settings, StoreSettings
from djflow.model.catalog import Catalog
from djflow.model.table import Table
from djflow.storage.registry import open_store
from djflow.storage.store import Store

T = TypeVar("T")


class Database:
    """One database: what `dj.conn()` returns and what expressions carry along."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._session: Session | None = None
        self._lock = Lock()
        self._activators: dict[str, list[Callable[[], object]]] = {}
        self._stores: dict[StoreSettings, Store] = {}

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
        self, function: Callable[[], T], *, isolation: str = "read committed", attempts: int = 5
    ) -> T:
        """The result of a function called inside a transaction."""
        with self.session.transaction():
            return function()

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is inside a transaction."""
        return self.session.in_transaction

    def query(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Run a statement of your own SQL, with `$1`, `$2`, ... for the parameters, and return its rows.

        A transaction around it survives its failure.
        """
        with self.transaction if self.in_transaction else nullcontext():
            return self.session.execute(sql, parameters)

    def close(self) -> None:
        """Close all connections; the next use opens new ones, with the settings of then."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def register(self, schema: str, activate: Callable[[], object]) -> None:
        """Have `activate` called before the schema's tables are first used."""
        self._activators.setdefault(schema, []).append(activate)

    def ensure(self, tables: Iterable[Table]) -> None:
        """Make sure that the tables exist in the database."""
        self.ensure_schemas({table.name.schema for table in tables})

    def ensure_schemas(self, schemas: Iterable[str]) -> None:
        """Make sure that what is declared in these schemas exists."""
        for schema in sorted(schemas):
            for activate in self._activators.get(schema, ()):
                activate()

    def catalog(self, schemas: Iterable[str]) -> Catalog:
        """The tables of some schemas and all that they refer to, as the database has them now.

        What is declared in these schemas is created first.
        """
        wanted = sorted(set(schemas))
        self.ensure_schemas(wanted)
        return introspect(self.session.connection, wanted)

    def whole_catalog(self) -> Catalog:
        """All tables of the database, declared here or not, as they are now."""
        return introspect(self.session.connection)

    def open_store(self, name: str) -> Store:
        """The object store of a name; "" is the default store.

        Raises `ConfigError` for a store that is not configured.
        """
        spec = self.settings.stores.named(name or None)
        if spec not in self._stores:
            self._stores[spec] = open_store(spec)
        return self._stores[spec]
