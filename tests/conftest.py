"""One embedded server for all tests; each test that needs one has a schema or a database of its own."""

import os
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from hypothesis import settings as hypothesis_settings

from djflow.backend.embedded import FAST_UNSAFE_SETTINGS, EmbeddedServer
from djflow.sql.ddl import drop_schema
from djflow.sql.identifiers import quote

if TYPE_CHECKING:
    import psycopg

    from djflow.relation.database import Database
    from djflow.tables.schema import Schema

# A run of the suite tries the same examples each time; a hunt, for which DJFLOW_TEST_EXAMPLES asks, others.
if "DJFLOW_TEST_EXAMPLES" not in os.environ:
    hypothesis_settings.register_profile("reproducible", derandomize=True, deadline=None, database=None)
    hypothesis_settings.load_profile("reproducible")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of tests marked as `sampled(n)`, a run of the suite takes each n-th of a function's parameters."""
    if "DJFLOW_TEST_EXAMPLES" in os.environ:
        return
    families = defaultdict[tuple[Path, str], list[pytest.Item]](list)
    for item in items:
        if item.get_closest_marker("sampled"):
            families[item.path, item.name.partition("[")[0]].append(item)
    left_out = set()
    for family in families.values():
        [step] = next(family[0].iter_markers("sampled")).args
        left_out |= {each for place, each in enumerate(sorted(family, key=_id)) if place % step}
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


def _id(item: pytest.Item) -> str:
    return item.nodeid


@pytest.fixture(scope="session")
def interop() -> Path:
    """The folder with a database and definitions that DataJoint made."""
    return Path(__file__).parent / "data" / "interop"


@pytest.fixture(scope="session")
def server_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tests' server, the same for all workers of one run."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "server"


@pytest.fixture(scope="session")
def server_url(server_home: Path) -> Iterator[str]:
    """How to connect to the tests' server, as its administrator."""
    server = EmbeddedServer(server_home, settings=FAST_UNSAFE_SETTINGS)
    url = server.acquire()
    yield url
    _administrator(url, os.getpid()).close()
    _administrator.cache_clear()
    server.release()


@pytest.fixture
def connection(server_url: str) -> Iterator["psycopg.Connection[Any]"]:
    """A connection in autocommit mode."""
    import psycopg

    with psycopg.connect(server_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def schema_name(server_url: str) -> Iterator[str]:
    """A name that no other test uses; what was created under it is dropped afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    yield name
    if _execute(server_url, "SELECT 1 FROM pg_namespace WHERE nspname = %s", name):
        _execute(server_url, drop_schema(name))


@pytest.fixture
def database(server_url: str, server_home: Path, tmp_path: Path) -> Iterator["Database"]:
    """A database as `dj.conn()` gives it, on the tests' server, with a store of its own."""
    from djflow.configuration import changed, load
    from djflow.relation.database import Database

    assert server_url
    settings = load({"DJFLOW_HOME": str(server_home), "DJ_IGNORE_CONFIG_FILE": "true"}, tmp_path)
    store = {"protocol": "file", "location": str(tmp_path / "store")}
    settings = changed(settings, {"stores": {"default": "local", "local": store}})
    opened = Database(lambda: settings)
    yield opened
    opened.close()


@pytest.fixture
def schema(database: "Database", schema_name: str) -> "Schema":
    """A schema without tables yet."""
    from djflow.tables.schema import Schema

    return Schema(schema_name, connection=database)


@pytest.fixture
def process_environment(server_url: str, server_home: Path) -> dict[str, str]:
    """The environment in which another process finds the tests' server."""
    assert server_url
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DJ", "PG"))}
    return kept | {"DJFLOW_HOME": str(server_home), "DJ_IGNORE_CONFIG_FILE": "true"}


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    """A new, empty database, dropped afterwards."""
    yield from _database(server_url, "template1")


@pytest.fixture(scope="session")
def lab_template(server_url: str, interop: Path) -> Iterator[str]:
    """The name of a database restored from `lab.sql`; copy it, don't connect to it."""
    from psycopg.conninfo import conninfo_to_dict

    for url in _database(server_url, "template1"):
        _restore(url, interop / "lab.sql")
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def lab_url(server_url: str, lab_template: str) -> Iterator[str]:
    """A database of one's own that holds the schema `lab` as DataJoint made it."""
    yield from _database(server_url, lab_template)


def _database(server_url: str, template: str) -> Iterator[str]:
    from psycopg.conninfo import make_conninfo

    name = f"test_{uuid4().hex[:12]}"
    _execute(server_url, f"CREATE DATABASE {quote(name)} TEMPLATE {quote(template)}")
    yield make_conninfo(server_url, dbname=name)
    _execute(server_url, f"DROP DATABASE {quote(name)} WITH (FORCE)")


def _execute(url: str, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
    cursor = _administrator(url, os.getpid()).execute(sql.encode(), parameters or None)
    return cursor.fetchall() if cursor.description else []


@cache
def _administrator(url: str, process: int) -> "psycopg.Connection[Any]":
    """The connection of this process that makes and drops what tests have."""
    import psycopg

    del process
    return psycopg.connect(url, autocommit=True)


def _restore(url: str, dump: Path) -> None:
    """Run a plain dump: statements, and rows between `COPY ... FROM stdin;` and a line with a full stop."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        head, *sections = dump.read_text().split("\nCOPY ")
        cursor.execute(head.encode())
        for section in sections:
            rows, _, statements = section.partition("\n\\.\n")
            copy, _, payload = rows.partition("\n")
            with cursor.copy(f"COPY {copy}".encode()) as sink:
                sink.write(f"{payload}\n" if payload else "")
            cursor.execute(statements.encode())
