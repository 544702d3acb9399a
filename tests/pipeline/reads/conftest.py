"""A pipeline of sessions, and a table of which each test says what its `make` reads."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

import djflow as dj
from djflow.pipeline.make.hand import Ended, Hand
from djflow.pipeline.reads import Reads
from djflow.tables.schema import Schema

Reading = Callable[[Any, Any], object]
"""Gets the table and its key, or for `make_batch` its keys."""


@dataclass
class World:
    """Tables by name, and what the `make` of `Score` does before it inserts."""

    schema: str
    tables: dict[str, Any]
    reading: list[Reading] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return self.tables[name]

    def make(
        self,
        reading: Reading,
        reads: Reads | str = Reads.STRICT,
        table: str = "Score",
        most: int | None = None,
    ) -> list[Ended]:
        """What became of the keys of a table, whose `make` reads so."""
        self.reading[:] = [reading]
        target = self.tables[table]()
        keys = target.key_source.keys(limit=most)
        hand = Hand(target, {}, reads=Reads.of(reads))
        size = len(keys) if hasattr(target, "make_batch") else 1
        ended = [each for i in range(0, len(keys), size) for each in hand.make(*keys[i : i + size])]
        return [*ended, *hand.settle()]

    def errors(self, *args: Any, **named: Any) -> list[BaseException]:
        """The errors of keys that failed."""
        return [each.error for each in self.make(*args, **named) if each.error is not None]


@pytest.fixture
def world(schema: Schema) -> World:
    reading: list[Reading] = []

    def read(table: Any, key: Any) -> None:
        for each in reading:
            each(table, key)

    @schema
    class Rig(dj.Lookup):
        definition = """
        rig : varchar(10)
        """
        contents = [("left",), ("right",)]  # noqa: RUF012 - as users write it

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : uuid
        """

    @schema
    class Probe(dj.Manual):
        definition = """
        probe : int32
        ---
        -> Subject
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session_date : date
        dose : decimal(6,2)
        ---
        -> Rig
        -> Probe
        minutes : float64
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int16
            ---
            rt : float64
            """

    @schema
    class Label(dj.Lookup):
        definition = """
        label : varchar(10)
        """
        contents = [("good",), ("bad",)]  # noqa: RUF012 - as users write it

    @schema
    class Weather(dj.Manual):
        definition = """
        day : date
        """

    @schema
    class Score(dj.Computed):
        definition = """
        -> Session
        ---
        score : float64
        """

        class Item(dj.Part):
            definition = """
            -> master
            -> Label
            """

        def make(self, key: dict[str, Any]) -> None:
            read(self, key)
            self.insert1({**key, "score": 1.0})

    @schema
    class Split(dj.Computed):
        definition = """
        -> Session
        ---
        score : float64
        """

        def make_fetch(self, key: dict[str, Any]) -> tuple[float]:
            return ((Session() & key).fetch1("minutes"),)

        def make_compute(self, _key: dict[str, Any], minutes: float) -> tuple[float]:
            return (minutes,)

        def make_insert(self, key: dict[str, Any], minutes: float) -> None:
            read(self, key)
            self.insert1({**key, "score": minutes})

    @schema
    class Batched(dj.Computed):
        definition = """
        -> Session
        ---
        score : float64
        """

        def make_batch(self, keys: Any) -> None:
            read(self, keys)
            self.insert(keys.with_columns(score=1.0))

    @schema
    class Pair(dj.Computed):
        definition = """
        -> Session
        -> Session.proj(other_date='session_date', other_dose='dose')
        """

        def make(self, key: dict[str, Any]) -> None:
            read(self, key)
            self.insert1(key)

    subjects = [UUID(int=1), UUID(int=2)]
    Subject().insert([(subject,) for subject in subjects])
    Probe().insert([(n, subject) for n, subject in enumerate(subjects)])
    keys = [(subject, dt.date(2024, 1, day), Decimal("1.20")) for subject in subjects for day in (1, 2)]
    Session().insert([(*key, "left", subjects.index(key[0]), 60.0) for key in keys])
    Session.Trial().insert([(*key, n, n / 10) for key in keys for n in range(2)])
    names = [Rig, Subject, Probe, Session, Label, Weather, Score, Split, Batched, Pair]
    return World(schema.database, {cls.__name__: cls for cls in names}, reading)
