"""A small laboratory with awkward values, shared by the tests of queries."""

import datetime as dt
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

import djflow as dj
from djflow.tables.schema import Schema


@pytest.fixture
def lab(schema: Schema) -> Any:
    @schema
    class Subject(dj.Manual):
        definition = """
        # animals
        subject : int32   # number on the cage
        ---
        name : varchar(30)
        sex = 'U' : enum('M', 'F', 'U')
        born : date
        weight = null : decimal(8,3)
        uid = null : uuid
        meta = null : json
        seen = null : datetime
        alive = true : bool
        raw = null : bytes
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int16
        ---
        duration : float32
        -> [nullable] Subject.proj(mate='subject')
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int8
            ---
            rt = null : float64
            """

    Subject().insert(
        [
            {"subject": 3, "name": 'it\'s \\ "odd" é', "sex": "F", "born": "2024-02-29"},
            {
                "subject": 1,
                "name": "ann",
                "sex": "M",
                "born": dt.date(2024, 1, 1),
                "weight": Decimal("1.500"),
                "uid": UUID("12345678-1234-5678-1234-567812345678"),
                "meta": {"k": [1, 2], "age": 7, "deep": {"x": "y"}},
                "seen": dt.datetime(2024, 5, 6, 7, 8, 9, 123456),
                "alive": False,
                "raw": b"\x00\xff",
            },
            {"subject": 2, "name": "ben", "born": "2024-01-02", "meta": {"age": 8}},
        ]
    )
    Session().insert([(s, n, 50.0 * n, None if n else 2) for s in (1, 2, 3) for n in (0, 1, 2)])
    Session.Trial().insert(
        [{"subject": 1, "session": 1, "trial": t, "rt": None if t == 0 else t / 2} for t in range(4)]
    )
    return SimpleNamespace(schema=schema, Subject=Subject, Session=Session, Trial=Session.Trial)
