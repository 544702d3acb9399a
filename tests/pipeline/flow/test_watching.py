"""A flow that watches makes what inserted rows make possible, as a spreadsheet recalculates."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import djflow as dj
from djflow.pipeline.events import Ended
from djflow.tables.schema import Schema

PATIENCE = 30  # seconds


class Watching:
    """A flow in a thread of its own, and how many keys it has made of each table."""

    def __init__(self, flow: dj.Flow) -> None:
        self.flow, self.made = flow, dict.fromkeys((table.__name__ for table in flow.tables), 0)
        self.error: BaseException | None = None
        self.changed, self.over = threading.Condition(), False

    def run(self) -> None:
        try:
            events: Any = self.flow.events(watch=True)
            for event in events:
                with self.changed:
                    if isinstance(event, Ended):
                        self.made[event.table.__name__] += event.made
                    self.changed.notify_all()
                    if self.over and isinstance(event, Ended):
                        break
            events.close()
        except BaseException as error:  # noqa: BLE001 - told where the test looks
            self.error = error
            with self.changed:
                self.changed.notify_all()

    def wait_for(self, **made: int) -> None:
        def is_there() -> bool:
            return self.error is not None or all(self.made[name] >= n for name, n in made.items())

        with self.changed:
            assert self.changed.wait_for(is_there, PATIENCE), (self.made, made)
        assert self.error is None
        assert self.made == made


@pytest.fixture
def watching(source: Any) -> Any:
    """Watch a flow while a block runs; one more row ends it."""

    @contextmanager
    def watch(*targets: Any) -> Iterator[Watching]:
        watched = Watching(dj.Flow(*targets))
        thread = threading.Thread(target=watched.run)
        thread.start()
        try:
            yield watched
        finally:
            with watched.changed:
                watched.over = True
            source.insert1({"item": 1_000_000}, skip_duplicates=True)
            thread.join(PATIENCE)
            assert not thread.is_alive()

    return watch


def test_inserted_rows_are_followed_down_the_chain(
    schema: Schema, source: Any, computed: Any, watching: Any
) -> None:
    computed("A", "-> Item")
    computed("B", "-> A")
    computed("C", "-> B", "-> Item.proj(other='item')")
    with watching(schema) as watched:
        watched.wait_for(A=5, B=5, C=25)
        source.insert1({"item": 7})
        watched.wait_for(A=6, B=6, C=36)
        source.insert({"item": n} for n in range(100, 102))
        watched.wait_for(A=8, B=8, C=64)


def test_rows_are_followed_once_their_transaction_commits(
    schema: Schema, source: Any, computed: Any, watching: Any
) -> None:
    computed("A", "-> Item")
    with watching(schema) as watched:
        watched.wait_for(A=5)
        with pytest.raises(ZeroDivisionError), schema.transaction:
            source.insert1({"item": 1 // (source.insert1({"item": 8}) or 0)})
        with schema.transaction:
            source.insert1({"item": 9})
            assert watched.made == {"A": 5}
        watched.wait_for(A=6)


def test_what_waits_for_a_whole_table_waits_again(
    schema: Schema, source: Any, computed: Any, watching: Any, calls: list[Any]
) -> None:
    other = computed("Other", "-> Item")
    computed(
        "A",
        "-> Item",
        secondary="-> Other.proj(best='item')",
        then=lambda *_: {"best": max(other.to_arrays("item"))},
    )
    with watching(schema) as watched:
        watched.wait_for(Other=5, A=5)
        source.insert({"item": n} for n in (20, 30))
        watched.wait_for(Other=7, A=7)
    assert [name for name, _ in calls[10:14]] == ["Other", "Other", "A", "A"]


def test_many_rows_at_once_are_followed_too(
    schema: Schema, source: Any, computed: Any, watching: Any
) -> None:
    def make_batch(self: Any, keys: Any) -> None:
        self.insert(keys.with_columns(value=1))

    computed("A", "-> Item", make_batch=make_batch)
    with watching(schema) as watched:
        watched.wait_for(A=5)
        source.insert({"item": n} for n in range(1000, 4000))
        watched.wait_for(A=3005)


def test_nothing_is_left_behind(schema: Schema, source: Any, computed: Any, watching: Any) -> None:
    computed("A", "-> Item")
    with watching(schema) as watched:
        watched.wait_for(A=5)
    triggers = "SELECT tgname FROM pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal"
    assert schema.connection.query(triggers, (source.full_table_name,)) == []
