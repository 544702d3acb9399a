"""What a review of populate found wrong, each as it has to be."""

import signal
import threading
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import djflow as dj
from djflow.errors import DjflowError, InvalidArgumentError, QueryError
from djflow.relation.database import Database
from djflow.tables.schema import Schema

KEYS = 6


@pytest.fixture
def lab(schema: Schema) -> Any:
    """Numbers, and a table whose `make` is `Result.how`."""

    @schema
    class Number(dj.Lookup):
        definition = "number : int32"
        contents = ((n,) for n in range(KEYS))

    @schema
    class Result(dj.Computed):
        definition = """
        -> Number
        ---
        value = 0 : int32
        """
        how: Any = None

        class Item(dj.Part):
            definition = """
            -> master
            item : int32
            ---
            other = null : int32
            """

        def make(self, key: dict[str, Any]) -> None:
            type(self).how(self, key)

    Result.number = Number  # type: ignore[attr-defined]
    return Result


def test_what_is_held_is_what_was_inserted_whatever_becomes_of_its_memory(lab: Any) -> None:
    buffer = np.zeros(3, np.int32)

    def how(self: Any, key: dict[str, Any]) -> None:
        self.insert1(key)
        buffer[:] = key["number"]
        columns = {"number": pa.array(buffer), "item": pa.array(np.arange(3, dtype=np.int32))}
        self.Item().insert(pa.table(columns))

    lab.how = how
    assert lab().populate()["success"] == KEYS
    assert len(lab.Item()) == 3 * KEYS


@pytest.mark.parametrize("reserve_jobs", [False, True])
def test_enums_may_be_in_a_key(schema: Schema, *, reserve_jobs: bool) -> None:
    @schema
    class Kind(dj.Lookup):
        definition = "kind : enum('a', 'b')"
        contents = (("a",), ("b",))

    @schema
    class OfKind(dj.Computed):
        definition = "-> Kind"
        job_metadata = True

        def make(self, key: dict[str, Any]) -> None:
            self.insert1(key)

    assert Kind().primary_key == ["kind"]
    assert OfKind().populate(reserve_jobs=reserve_jobs)["success"] == 2


@pytest.mark.parametrize("reserve_jobs", [False, True])
def test_the_order_and_precision_of_a_key_source_do_not_matter(schema: Schema, *, reserve_jobs: bool) -> None:
    @schema
    class A(dj.Lookup):
        definition = "a : float32"
        contents = ((0.1,), (0.7,))

    @schema
    class B(dj.Lookup):
        definition = "b : int16"
        contents = ((1,), (2,))

    @schema
    class Both(dj.Computed):
        definition = """
        -> A
        -> B
        """

        @property
        def key_source(self) -> Any:
            return (B() * A()) - self.proj()

        def make(self, key: dict[str, Any]) -> None:
            self.insert1(key)

    assert Both().populate(reserve_jobs=reserve_jobs)["success"] == 4


def test_a_restricted_table_is_not_populated(lab: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="pass it conditions"):
        (lab() & "number < 3").populate()


def test_rows_for_a_table_of_another_database_are_not_held_for_this_one(
    lab: Any, schema: Schema, database: Database, empty_url: str
) -> None:
    from djflow.configuration import changed

    settings = changed(database.settings, {"database": {"name": empty_url.rpartition("/")[2]}})
    mirror = Database(lambda: settings)
    other = dj.Schema(schema.database, connection=mirror)
    seen = []

    @other
    class Number(dj.Manual):
        definition = "number : int32"

    def how(self: Any, key: dict[str, Any]) -> None:
        from djflow.tables.held import current

        held = current()
        assert held is not None
        seen.append(held.can_hold(self.table_model, [key], mirror))
        self.insert1(key)

    lab.how = how
    try:
        assert lab().populate(max_calls=1)["success"] == 1
        assert seen == [False]
        assert Number.definition
    finally:
        mirror.close()


class UnprintableError(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("error", [UnprintableError(), ValueError("a \udcff"), ValueError("a \0 b")])
@pytest.mark.parametrize("reserve_jobs", [False, True])
def test_an_error_that_cannot_be_told_is_an_error_of_its_key(
    lab: Any, error: Exception, *, reserve_jobs: bool
) -> None:
    def how(self: Any, key: dict[str, Any]) -> None:
        if key["number"] == 2:
            raise error
        self.insert1(key)

    lab.how = how
    told = lab().populate(suppress_errors=True, reserve_jobs=reserve_jobs)
    assert (told["success"], told["error"]) == (KEYS - 1, 1)
    assert lab().jobs.progress()["reserved"] == 0


def test_a_lazy_frame_of_rows_that_are_held_is_refused(lab: Any) -> None:
    def how(self: Any, key: dict[str, Any]) -> None:
        self.insert1(key)
        with pytest.raises(QueryError, match="connections of its own"):
            self.lazy()

    lab.how = how
    assert lab().populate(max_calls=1)["success"] == 1
    assert lab().lazy().collect().height == 1


def test_rows_of_several_forms_and_policies_keep_their_order(lab: Any) -> None:
    def how(self: Any, key: dict[str, Any]) -> None:
        self.insert1(key)
        self.Item().insert1({**key, "item": 1})
        self.Item().insert1({**key, "item": 2, "other": 5})
        self.Item().insert([{**key, "item": 1, "other": 7}], skip_duplicates=True)
        self.Item().insert([{**key, "item": 2, "other": 9}], replace=True)

    lab.how = how
    assert lab().populate()["success"] == KEYS
    assert lab.Item().to_polars().filter(number=3)["other"].to_list() == [None, 9]


def test_a_transaction_that_make_leaves_open_is_an_error_of_its_key(lab: Any) -> None:
    connection = lab().connection

    def how(self: Any, key: dict[str, Any]) -> None:
        if key["number"] == 1:
            connection.start_transaction()
        self.insert1(key)
        if key["number"] == 2:
            assert len(lab()) == 2
            connection.commit_transaction()

    lab.how = how
    told = lab().populate(suppress_errors=True, return_exception_objects=True)
    assert [key["number"] for key, _ in told["errors"]] == [1, 2]
    assert all(isinstance(error, DjflowError) for _, error in told["errors"])
    assert not connection.in_transaction


def test_much_is_not_held(lab: Any) -> None:
    open_transactions = []

    def how(self: Any, key: dict[str, Any]) -> None:
        self.insert1(key)
        self.Item().insert({**key, "item": n} for n in range(50_000))
        open_transactions.append(lab().connection.in_transaction)

    lab.how = how
    assert lab().populate(max_calls=1)["success"] == 1
    assert open_transactions == [True]
    assert len(lab.Item()) == 50_000


def test_an_asynchronous_make_is_refused(schema: Schema, lab: Any) -> None:
    @schema
    class Later(dj.Computed):
        definition = "-> Number"

        async def make(self, key: dict[str, Any]) -> None:
            self.insert1(key)

    later = Later() if Later.definition else None
    assert later is not None
    assert lab.number
    with pytest.raises(DjflowError, match="asynchronous"):
        later.populate()


def test_an_interrupt_while_rows_are_sent_ends_it(database: Database, schema: Schema) -> None:
    @schema
    class Wide(dj.Manual):
        definition = "number : int64"

    assert len(Wide()) == 0
    session = database.session

    def payload() -> Any:
        yield b"PGCOPY\n\xff\r\n\0" + bytes(8)
        signal.raise_signal(signal.SIGINT)
        time.sleep(1)

    watchdog = threading.Timer(60, lambda: signal.raise_signal(signal.SIGALRM))
    watchdog.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            session.copy(f"COPY {Wide().full_table_name} FROM STDIN (FORMAT binary)", payload())
        Wide().insert1((1,))
    finally:
        watchdog.cancel()
    assert len(Wide()) == 1
