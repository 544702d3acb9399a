"""A pipeline that both libraries declare with the same text."""
# mypy: disallow-subclassing-any=False

from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np


def declare(dj: Any, schema: Any) -> SimpleNamespace:
    """Every tier, parts, a table of one row, each option of foreign keys, types, defaults and indexes."""

    @schema
    class Kind(dj.Lookup):
        definition = """
        # a kind of 'things', in "quotes" \\ <b>
        kind : varchar(20)   # it's a name
        """
        contents = (("cat",), ("dog",))

    @schema
    class Setup(dj.Lookup):
        definition = """
        # the only one
        ---
        rate : float64
        """

    @schema
    class Animal(dj.Manual):
        definition = """
        # all types
        animal : int32
        ---
        -> Kind
        tiny = null : int8
        small = 3 : int16
        large = null : int64
        single = null : float32
        double = null : float64
        alive = true : bool
        weight = null : decimal(8,3)
        code = null : char(4)
        name = "x" : varchar(30)
        side = 'l' : enum('l','r')
        born = null : date
        seen = CURRENT_TIMESTAMP : datetime
        told = null : datetime(3)
        uid = null : uuid
        meta = null : json
        raw = null : bytes
        trace = null : <blob>
        picture = null : <npy@local>
        notes = null : <blob@local>
        packed = null : <hash@local>
        unique index (name, born)
        index (born, side)
        """

    @schema
    class Pair(dj.Manual):
        definition = """
        -> Animal
        -> Kind.proj(food='kind')
        ---
        -> [nullable] Animal.proj(mate='animal')
        -> [nullable, unique] Animal.proj(twin='animal')
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Animal
        session : int16
        ---
        day : date
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int16
            ---
            rt = null : float64
            """

    @schema
    class Read(dj.Imported):
        definition = """
        -> Session
        ---
        x : float64
        """
        job_metadata = True

        def make(self, key: dict[str, Any]) -> None:
            self.insert1({**key, "x": 1.5})

    @schema
    class Score(dj.Computed):
        definition = """
        -> Read
        -> Kind
        ---
        y : float64
        """
        job_metadata = True

        class Step(dj.Part):
            definition = """
            -> master
            step : int32
            ---
            value : float32
            """

        def make(self, key: dict[str, Any]) -> None:
            x = (Read() & key).fetch1("x")
            self.insert1({**key, "y": 2 * x})
            self.Step().insert([{**key, "step": step, "value": step / 2} for step in range(3)])

    return SimpleNamespace(
        Kind=Kind, Setup=Setup, Animal=Animal, Pair=Pair, Session=Session, Read=Read, Score=Score
    )


def animal(number: int) -> dict[str, Any]:
    """A row with a value of every type, but for UUIDs, which DataJoint cannot read."""
    return {
        "animal": number,
        "kind": ("cat", "dog")[number % 2],
        "tiny": -number,
        "small": 300 + number,
        "large": 2**40 + number,
        "single": 0.5,
        "double": 1e300,
        "alive": number % 2 == 0,
        "weight": "12.125",
        "code": "abcd",
        "name": f"it's \\ %s \u00e9 {number}",
        "side": "r",
        "born": date(2024, 2, 29),
        "seen": datetime(2024, 5, 6, 7, 8, 9, 123456),
        "told": datetime(2024, 5, 6, 7, 8, 9, 123000),
        "meta": {"k": [1, None], "deep": {"x": "\u00fc"}},
        "raw": b"\x00\xff",
        "trace": np.arange(6, dtype=np.int16).reshape(2, 3),
        "picture": np.linspace(0, 1, 5),
        "notes": {"q": np.eye(2), "by": "ann"},
        "packed": b"packed",
    }


def fill(tables: SimpleNamespace) -> None:
    """Rows for all tables, which `make` fills for all sessions but the last."""
    tables.Setup.insert1({"rate": 2.5})
    tables.Animal.insert([animal(number) for number in range(4)])
    tables.Pair.insert(
        [
            {"animal": 0, "food": "cat", "mate": 1, "twin": None},
            {"animal": 0, "food": "dog", "mate": None, "twin": 2},
            {"animal": 3, "food": "dog", "mate": 1, "twin": 1},
        ]
    )
    days = [date(2024, 1, day) for day in (1, 2, 3)]
    tables.Session.insert([(0, 1, days[0]), (0, 2, days[1]), (1, 1, days[2]), (2, 1, days[0])])
    trials = [(animal, session, trial) for animal, session in ((0, 1), (0, 2), (1, 1)) for trial in range(3)]
    tables.Session.Trial.insert([(*key, None if key[2] == 2 else key[2] / 4) for key in trials])
    tables.Read.populate("animal < 2")
    tables.Score.populate()
