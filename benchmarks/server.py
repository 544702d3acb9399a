"""The server that all sides of a comparison share: embedded, durable, in a folder of its own."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import djflow as dj
from djflow.configuration import Settings
from djflow.relation.database import Database

if TYPE_CHECKING:
    import psycopg

SCHEMA: Final = "bench"


@dataclass(frozen=True, slots=True)
class Bench:
    """One open database with one schema. `url` is for drivers, `home` the server's folder."""

    database: Database
    schema: dj.Schema
    url: str
    home: Path

    def connect(self) -> "psycopg.Connection[Any]":
        """A bare psycopg connection in autocommit mode."""
        import psycopg

        return psycopg.connect(self.url, autocommit=True)

    def run(self, sql: str) -> None:
        """Run a statement."""
        self.database.query(sql)


def open_database(home: Path) -> Database:
    """The database of a server in a folder; nothing starts before it is used."""
    settings = Settings(home=home)
    return Database(lambda: settings)


@contextmanager
def bench_on(home: Path) -> Iterator[Bench]:
    """A schema in the database of a folder's server, dropped afterwards."""
    database = open_database(home)
    schema = dj.Schema(SCHEMA, connection=database)
    try:
        yield Bench(database, schema, database.session.conninfo(), home)
    finally:
        schema.drop(prompt=False)
        database.close()


@contextmanager
def temporary_bench() -> Iterator[Bench]:
    """The same, on a server made for the purpose and removed with all its data."""
    with tempfile.TemporaryDirectory(prefix="djflow-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        with bench_on(home) as bench:
            yield bench
        stop(home)


def stop(home: Path) -> None:
    """Stop a folder's server now."""
    from djflow.backend.embedded import EmbeddedServer

    EmbeddedServer(home).stop()
