"""Processes that share a database: each has connections of its own, and what is sent to one works there."""

import copy
import multiprocessing
import os
import pickle
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import forkserver
from operator import methodcaller
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import polars as pl
import pytest

import djflow as dj
from djflow.configuration import Settings, changed
from djflow.configuration.secret import Secret
from djflow.relation import database as databases
from djflow.relation.database import Database
from djflow.tables.free import FreeTable
from djflow.tables.schema import Schema

forks = pytest.mark.skipif(sys.platform != "linux", reason="forks")

_PATIENCE = 60  # seconds
_PIPELINE = """
import os
import djflow as dj

lab = dj.Instance(url=os.environ["PIPELINE_URL"], stores={"default": "local", "local": {
    "protocol": "file", "location": os.environ["PIPELINE_STORE"]}})
schema = lab.Schema(os.environ["PIPELINE_SCHEMA"])

@schema
class Subject(dj.Manual):
    definition = '''
    subject : int32
    ---
    trace = null : <npy@>
    '''

def insert_twice(table, number):
    assert not table.connection.in_transaction
    with table.connection.transaction:
        table.insert([{"subject": number}, {"subject": number + 1}])
        return os.getpid(), len(Subject & {"subject": number})

def join(relation):
    assert relation.connection is lab.connection
    return len(Subject * relation), len(Subject & relation)
"""


@pytest.fixture
def subject(schema: Schema) -> Any:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        trace = null : <npy@>
        """

    Subject().insert1({"subject": 0})
    return Subject()


@pytest.fixture
def pipeline(
    server_url: str, schema_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """A module that another process can import, too."""
    name = f"pipeline_{schema_name}"
    (tmp_path / f"{name}.py").write_text(_PIPELINE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PIPELINE_URL", server_url)
    monkeypatch.setenv("PIPELINE_SCHEMA", schema_name)
    monkeypatch.setenv("PIPELINE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("DJ_IGNORE_CONFIG_FILE", "true")
    module = import_module(name)
    module.Subject().insert([{"subject": 0}, {"subject": 1, "trace": np.arange(3)}])
    yield module
    module.lab.close()
    del sys.modules[name]


@contextmanager
def quietly_forking() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks among threads
        yield


def in_child(task: Callable[[], object]) -> int:
    """Fork, run a task in the child, and give its exit code; the child ends as Python's processes do not."""
    with quietly_forking():
        child = os.fork()
    if not child:
        signal.alarm(_PATIENCE)
        code = 1
        try:
            task()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def received(sent: bytes) -> Any:
    return pickle.loads(sent)  # noqa: S301 - pickled a few lines above


def numbers(relation: Any) -> list[int]:
    found: list[int] = relation.to_arrays("subject").tolist()
    return found


# forks


@forks
def test_a_fork_inside_a_transaction_is_outside_of_it(subject: Any) -> None:
    database = subject.connection

    def child() -> None:
        assert not database.in_transaction
        assert numbers(subject) == [0]
        with database.transaction:
            subject.insert1({"subject": 2})
        database.close()

    with database.transaction:
        subject.insert1({"subject": 1})
        assert in_child(child) == 0
        assert database.in_transaction
        subject.insert1({"subject": 3})
        assert numbers(subject) == [0, 1, 2, 3]
    assert numbers(subject) == [0, 1, 2, 3]


@forks
def test_a_child_that_leaves_its_parents_block_ends_nothing(subject: Any) -> None:
    database = subject.connection
    read, write = os.pipe()
    with quietly_forking(), database.transaction:
        subject.insert1({"subject": 1})
        child = os.fork()
    if not child:  # the block has ended here, too: its end says nothing to the server
        os.write(write, b"left")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert os.read(read, 9) == b"left"
    os.close(read)
    os.close(write)
    assert numbers(subject) == [0, 1]
    with database.transaction:
        subject.insert1({"subject": 2})
    assert numbers(subject) == [0, 1, 2]


@forks
@pytest.mark.parametrize("is_inside", [False, True])
def test_a_fork_does_not_disturb_a_stream(subject: Any, is_inside: bool) -> None:  # noqa: FBT001 - a case
    database = subject.connection
    subject.insert(pl.DataFrame({"subject": np.arange(1, 200_000, dtype=np.int32)}))

    def child() -> None:
        assert len(subject) == 200_000
        assert sum(batch.num_rows for batch in subject.to_batches()) == 200_000
        subject.insert1({"subject": 500_000 + is_inside})
        database.close()

    @contextmanager
    def nothing() -> Iterator[None]:
        yield

    with database.transaction if is_inside else nothing():
        batches = iter(subject.proj().to_batches())
        rows = next(batches).num_rows
        assert in_child(child) == 0
        assert rows + sum(batch.num_rows for batch in batches) == 200_000
    assert len(subject) == 200_001


@forks
def test_a_child_that_collects_garbage_ends_no_connection_of_its_parent(subject: Any) -> None:
    def child() -> None:
        import gc

        nonlocal subject
        database = subject.connection
        assert len(subject) == 1
        type(subject).__djflow_schema__ = None
        del subject, database
        gc.collect()

    database = subject.connection
    with database.transaction:
        subject.insert1({"subject": 1})
        assert in_child(child) == 0
        subject.insert1({"subject": 2})
    assert subject.to_polars().height == 3


@forks
def test_a_fork_while_other_threads_work_waits_for_nobody(subject: Any) -> None:
    database, over = subject.connection, Event()

    def work(thread: int) -> None:
        n = 0
        while not over.is_set():
            n += 1
            with database.transaction:
                subject.insert1({"subject": 1_000_000 * (thread + 1) + n})
            Database(lambda: database.settings).settings.display  # noqa: B018 - a lock is held for a moment
            subject.to_polars()

    def child() -> None:
        assert len(subject) > 0
        assert subject.to_arrow().num_rows > 0  # not to_polars: Polars does not survive forks
        assert database.whole_catalog().tables

    with ThreadPoolExecutor(3) as pool:
        workers = [pool.submit(work, thread) for thread in range(3)]
        try:
            assert [in_child(child) for _ in range(5)] == [0] * 5
        finally:
            over.set()
        for worker in workers:
            worker.result()


@forks
def test_a_catalog_is_remembered_in_the_child_and_noticed_to_change(subject: Any) -> None:
    database = subject.connection
    schema = subject.table_model.name.schema
    assert len(database.catalog([schema]).tables) == 1

    def child() -> None:
        before = database.catalog([schema])
        database.query(f'CREATE TABLE "{schema}".extra (a int PRIMARY KEY)')
        assert len(before.tables) == 1
        assert len(database.catalog([schema]).tables) == 2

    assert in_child(child) == 0
    assert len(database.catalog([schema]).tables) == 2


# pools


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_of_processes_are_given_tables(pipeline: Any, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    if method == "forkserver":
        running: Any = forkserver._forkserver
        running._stop()  # one of an earlier test would know its environment alone
    context = multiprocessing.get_context(method)
    subject = pipeline.Subject()
    with (
        quietly_forking(),
        subject.connection.transaction,
        ProcessPoolExecutor(2, mp_context=context) as pool,
    ):
        subject.insert1({"subject": 2})
        done = list(pool.map(pipeline.insert_twice, [subject] * 4, [10, 20, 30, 40]))
    assert all(count == 1 for _, count in done)
    assert os.getpid() not in {process for process, _ in done}
    assert numbers(subject) == [0, 1, 2, 10, 11, 20, 21, 30, 31, 40, 41]


def test_a_spawned_process_is_given_queries_of_every_kind(pipeline: Any) -> None:
    subject = pipeline.Subject()
    queries = [
        subject,
        subject & {"subject": 1},
        subject & pl.DataFrame({"subject": [1]}),
        subject.proj(twice="2 * subject"),
        dj.U("subject") & subject,
        dj.U().aggr(subject, n="count(*)"),
        subject & dj.Top(1, "subject DESC"),
        pipeline.lab.FreeTable(subject.full_table_name),
        pipeline.lab.FreeTable(subject.full_table_name) & "subject = 1",
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        for query in queries:
            there = pool.submit(methodcaller("to_arrow"), query).result(60)
            assert there.equals(query.to_arrow())
        row = pool.submit(methodcaller("fetch1", "trace"), queries[1]).result(60)
        assert np.asarray(row).tolist() == [0, 1, 2]
        relation = subject.proj() & {"subject": 1}
        assert pool.submit(pipeline.join, relation).result(60) == (1, 1)


# pickling


def test_a_database_comes_back_as_itself_in_its_process(subject: Any) -> None:
    database = subject.connection
    relation = subject.proj() & {"subject": 0}
    assert received(pickle.dumps(database)) is database
    assert received(pickle.dumps(relation)).connection is database
    assert copy.deepcopy(relation).connection is database
    assert len(received(pickle.dumps(relation)) * subject) == 1
    free = FreeTable(database, subject.full_table_name)
    again = received(pickle.dumps(free & "subject = 0"))
    assert isinstance(again, FreeTable)
    assert again.connection is database


def test_a_database_from_elsewhere_is_made_once_for_its_settings(database: Database) -> None:
    settings = changed(database.settings, {"database": {"host": "db.lab.org", "user": "ann"}})
    sent = pickle.dumps(Database(lambda: settings))
    first, second = received(sent), received(sent)
    assert first is second
    assert first.settings == settings
    assert first is not database
    assert repr(first) == "Database(ann@db.lab.org:5432/postgres)"


def test_a_database_whose_settings_changed_is_no_longer_the_one_that_was_sent(database: Database) -> None:
    settings = [changed(database.settings, {"database.host": "one"})]
    own = Database(lambda: settings[0])
    sent = pickle.dumps(own)
    settings[0] = changed(settings[0], {"display.limit": 5})
    assert received(sent) is own
    settings[0] = changed(settings[0], {"database.host": "two"})
    assert received(sent) is not own
    assert received(sent).settings.database.host == "one"


def test_a_pickle_has_the_password_which_nothing_shows(database: Database) -> None:
    settings = changed(database.settings, {"database": {"host": "db.lab.org", "password": "tr0ub4dor"}})
    own = Database(lambda: settings)
    again = received(pickle.dumps(own))
    assert again.settings.database.password == Secret("tr0ub4dor")
    assert "tr0ub4dor" not in repr(again) + repr(again.settings)


def test_a_database_whose_settings_cannot_be_read_is_passed_over(database: Database) -> None:
    def broken() -> Settings:
        raise dj.errors.ConfigError("A mistake in a file.")

    mistaken = Database(broken)
    assert mistaken in list(databases._of_this_process.values())
    assert received(pickle.dumps(database)) is database


def test_a_table_of_a_function_says_that_it_cannot_be_sent(subject: Any) -> None:
    with pytest.raises((pickle.PicklingError, AttributeError), match="local"):
        pickle.dumps(subject)
