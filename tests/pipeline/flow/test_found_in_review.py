"""What a review of the flow found: ends that did not come, and beginnings that came too early."""

import threading
from typing import Any

import pytest

import djflow as dj
from djflow.errors import ExecutorError, InvalidArgumentError, QueryError
from djflow.pipeline.events import Queued
from djflow.tables.schema import Schema


def made(*targets: Any, restrictions: tuple[Any, ...] = (), **options: Any) -> dict[str, int]:
    frame = dj.Flow(*targets).populate(*restrictions, display_progress=False, **options)
    return dict(frame.select("table", "made").iter_rows())


@pytest.fixture
def counting(computed: Any) -> Any:
    """A table that awaits all of another, and counts its rows."""

    def declare(other: Any) -> Any:
        def count(_: Any, __: Any) -> dict[str, Any]:
            return {"number": len(other), "best": max(other.to_arrays("item"))}

        name = type(other).__name__
        return computed("C", "-> Item", secondary=f"number : int32\n-> {name}.proj(best='item')", then=count)

    return declare


def test_jobs_that_a_run_does_not_want_do_not_keep_it_waiting(schema: Schema, computed: Any) -> None:
    first = computed("A", "-> Item")
    first.jobs.refresh(priority=7)
    assert made(schema, restrictions=({"item": 1},)) == {"A": 1}
    assert made(schema, priority=3) == {"A": 0}
    assert first.populate({"item": 2}, reserve_jobs=True, refresh=False, executor="threads")["success"] == 1


def test_a_make_that_inserts_nothing_is_not_called_for_ever(
    schema: Schema, computed: Any, calls: Any
) -> None:
    def make(self: Any, key: dict[str, Any]) -> None:
        calls.append(("A", key))
        if key["item"] % 2:
            self.insert1({**key, "value": 1})

    computed("A", "-> Item", make=make)
    computed("B", "-> A")
    assert made(schema)["B"] == 2
    assert len(calls) < 5 * 3


def test_keys_that_others_made_possible_are_made_before_who_awaits_them(
    schema: Schema, computed: Any, counting: Any
) -> None:
    threads: list[threading.Thread] = []

    def meanwhile(_: Any, key: dict[str, Any]) -> None:
        if key["item"] == 0 and not threads:
            other = threading.Thread(target=lambda: first.populate("item > 0"))
            threads.append(other)
            other.start()
            other.join()

    first = computed("A", "-> Item", then=meanwhile)
    last = counting(computed("B", "-> A"))
    made(schema)
    assert set(last.to_arrays("number").tolist()) == {5}


def test_keys_of_parts_of_parts_are_found(schema: Schema, computed: Any) -> None:
    class P(dj.Part):
        definition = "-> master\np : int16"

    class Q(dj.Part):
        definition = "-> A.P\nq : int16"

    def make(self: Any, key: dict[str, Any]) -> None:
        self.insert1({**key, "value": 1})
        self.P().insert1({**key, "p": 1})
        self.Q().insert({**key, "p": 1, "q": q} for q in range(2))

    computed("A", "-> Item", make=make, P=P, Q=Q)
    second = computed("B", "-> A.Q")
    flow = dj.Flow(schema)
    queued = [event.jobs for event in flow.events() if isinstance(event, Queued)]
    assert len(second) == sum(queued) - 5 == 10


@pytest.mark.parametrize("left", ["delayed", "limited"])
def test_a_table_is_not_begun_while_jobs_of_one_that_it_awaits_are_left(
    schema: Schema, computed: Any, counting: Any, left: str
) -> None:
    first = computed("A", "-> Item")
    counting(first)
    first.jobs.refresh(delay=1000 if left == "delayed" else 0)
    found = made(schema, max_calls=2 if left == "limited" else None)
    assert found == {"A": 2 if left == "limited" else 0, "C": 0}
    first.jobs.delete()
    assert made(schema)["C"] == 5


def test_a_table_is_begun_when_keys_that_were_put_off_are_made(
    schema: Schema, computed: Any, counting: Any
) -> None:
    failed: list[int] = []

    def once(_: Any, key: dict[str, Any]) -> None:
        if key["item"] == 3 and not failed:
            failed.append(3)
            raise TimeoutError

    counting(computed("A", "-> Item", then=once))
    assert made(schema) == {"A": 5, "C": 5}


def test_errors_are_shown_of_keys_of_all_types(schema: Schema) -> None:
    @schema
    class Blob(dj.Lookup):
        definition = "code : bytes"
        contents = [(b"\x00\xff",)]  # noqa: RUF012 - as users write it

    @schema
    class Failing(dj.Computed):
        definition = "-> Blob\nown : int32\n---\nvalue : int32"
        allow_new_key = True

        def make(self, key: dict[str, Any]) -> None:
            raise ValueError(f"{key}")

    made(schema)
    assert dj.Flow(schema).errors()["key"].to_list() == ['{"code":"00ff"}']
    assert dj.Flow(schema).plan()["possible"].to_list() == [None]


def test_workers_are_not_asked_for_what_they_cannot_see(schema: Schema, computed: Any) -> None:
    first = computed("A", "-> Item")
    schema.create()
    for call in (
        lambda: made(schema, executor="threads"),
        lambda: first.populate(reserve_jobs=True, executor="threads"),
    ):
        with schema.transaction, pytest.raises(QueryError, match="do not see"):
            call()
    with schema.transaction:
        assert made(schema) == {"A": 5}


def test_targets_and_numbers_are_checked(schema: Schema, computed: Any) -> None:
    first = computed("A", "-> Item")
    with pytest.raises(InvalidArgumentError, match="Whole tables"):
        dj.Flow(first & "item = 1")
    with pytest.raises(InvalidArgumentError, match="workers is a whole number from 1"):
        schema.populate(workers=0)
    with pytest.raises(InvalidArgumentError, match="max_calls is a whole number from 0"):
        schema.populate(max_calls=-1)
    with pytest.raises(InvalidArgumentError, match="No table has keys"):
        schema.populate({"itme": 1})
    with pytest.raises(ExecutorError, match="ftp"):
        schema.populate(executor="ftp")
    assert made(schema) == {"A": 5}


def test_conditions_narrow_the_tables_that_have_their_attributes(schema: Schema, computed: Any) -> None:
    @schema
    class Other(dj.Lookup):
        definition = "other : int32"
        contents = [(1,), (2,)]  # noqa: RUF012 - as users write it

    @schema
    class Apart(dj.Computed):
        definition = "-> Other\n---\nvalue : int32"

        def make(self, key: dict[str, Any]) -> None:
            self.insert1({**key, "value": 1})

    computed("A", "-> Item")
    assert made(schema, restrictions=("item < 2",)) == {"A": 2, "Apart": 2}
    assert made(schema, restrictions=(dj.Not({"item": 4}),)) == {"A": 2, "Apart": 0}


def test_errors_that_cannot_travel_are_raised_where_they_need_not(schema: Schema, computed: Any) -> None:
    class Local(Exception):  # noqa: N818 - a scientist's
        def __init__(self, lock: Any) -> None:
            super().__init__("local")
            self.lock = lock

    def fail(_: Any, __: Any) -> None:
        raise Local(threading.Lock())

    computed("A", "-> Item", then=fail)
    with pytest.raises(Local):
        made(schema, suppress_errors=False)


@pytest.mark.parametrize("nested", ["flow", "table"])
def test_a_make_that_populates_its_own_table_is_refused(computed: Any, nested: str) -> None:
    def within(table: Any, _: Any) -> None:
        if nested == "flow":
            dj.populate(type(table))
        else:
            table.populate()

    first = computed("A", "-> Item", then=within)
    found = first.populate(suppress_errors=True)
    assert found["error"] == 5
    assert "A make of A cannot populate A" in found["errors"][0][1]
