"""A database of their own for the scenarios, whose deadlocks are found soon, and clients of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from tests.isolation import pipeline
from tests.isolation.pipeline import Client
from tests.isolation.steps import Actor

from djflow.configuration import Settings, changed, load

if TYPE_CHECKING:
    import psycopg


@pytest.fixture(scope="module")
def observer(server_url: str) -> "Iterator[psycopg.Connection[Any]]":
    """Who looks, in autocommit mode, at a database that nobody else has."""
    import psycopg

    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        admin.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '30ms'".encode())
        with psycopg.connect(server_url, dbname=name, autocommit=True) as connection:
            yield connection
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="module")
def settings(
    observer: "psycopg.Connection[Any]", server_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """How clients reach that database."""
    folder = tmp_path_factory.mktemp("isolation")
    given = load({"DJFLOW_HOME": str(server_home), "DJ_IGNORE_CONFIG_FILE": "true"}, folder)
    info = observer.info
    login = {"host": info.host, "port": info.port, "user": info.user, "name": info.dbname}
    return changed(given, {"database": login})


@pytest.fixture(scope="module")
def shared_schema(settings: Settings) -> str:
    """The pipeline, for scenarios that change rows only."""
    return _declared(settings)


@pytest.fixture
def own_schema(settings: Settings) -> str:
    """The pipeline, for a scenario that changes tables."""
    return _declared(settings)


def _declared(settings: Settings) -> str:
    client = Client(settings, f"test_{uuid4().hex[:12]}", pipeline.declare)
    client.schema.create()
    client.database.close()
    return client.schema.database


@pytest.fixture(scope="module")
def cast(
    observer: "psycopg.Connection[Any]", settings: Settings, shared_schema: str
) -> Iterator[SimpleNamespace]:
    """Three clients of the shared pipeline: `a`, `b` and `c`."""
    yield from _cast(observer, settings, shared_schema)


@pytest.fixture
def lab(cast: SimpleNamespace) -> SimpleNamespace:
    """The shared pipeline and its clients, as a scenario finds them."""
    cast.begin()
    return cast


@pytest.fixture
def own_lab(
    observer: "psycopg.Connection[Any]", settings: Settings, own_schema: str
) -> Iterator[SimpleNamespace]:
    """A pipeline of one's own, and its clients."""
    for cast in _cast(observer, settings, own_schema):
        cast.begin()
        yield cast


def _cast(observer: Any, settings: Settings, schema: str) -> Iterator[SimpleNamespace]:
    def begin() -> None:
        for actor in actors:
            actor.rest()
        pipeline.fill(observer, schema)

    def join(name: str, declare: Callable[[Client], dict[str, Any]] = pipeline.declare) -> Actor:
        client = Client(settings, schema, declare)
        actor = Actor(name, client, observer)
        actors.append(actor)
        actor.does(lambda client: client.schema.create())
        return actor

    actors: list[Actor] = []
    stage = SimpleNamespace(
        observer=observer,
        schema=schema,
        settings=settings,
        actors=actors,
        begin=begin,
        join=join,
        content=lambda: pipeline.content(observer, schema),
        check=lambda: pipeline.check_promises(observer, schema),
    )
    for name in "abc":
        setattr(stage, name, join(name))
    try:
        yield stage
    finally:
        for actor in actors:
            actor.close()
