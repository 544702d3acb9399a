"""A pipeline that both libraries declare with the same text."""

from types import SimpleNamespace
from typing import Any


def declare(dj: Any, schema: Any) -> SimpleNamespace:
    """Every tier, parts, a table of one row, each option of foreign keys, types, defaults and indexes."""

    @schema
    class Kind(dj.Lookup):
        definition = """
        # a kind of 'things', in "quotes" \\ <b>
        kind : varchar(20)   # it's a "name"
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
