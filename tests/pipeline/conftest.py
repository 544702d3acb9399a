"""A small pipeline: numbers, and what is computed from them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import djflow as dj
from djflow.tables.schema import Schema


@pytest.fixture
def pipeline(schema: Schema) -> Any:
    """Six numbers; `fail` holds those for which `make` raises after its inserts, `calls` what it got."""
    fail: dict[int, BaseException] = {}
    calls: list[dict[str, Any]] = []

    @schema
    class Number(dj.Lookup):
        definition = """
        number : int32
        ---
        parity : enum('even', 'odd')
        """
        contents = [(n, ("even", "odd")[n % 2]) for n in range(6)]  # noqa: RUF012 - as users write it

    @schema
    class Square(dj.Computed):
        definition = """
        -> Number
        ---
        square : int64
        trace : <npy@>
        """

        class Digit(dj.Part):
            definition = """
            -> master
            place : int8
            ---
            digit : int8
            """

        def make(self, key: dict[str, Any]) -> None:
            calls.append(key)
            number = int((Number() & key).fetch1("number"))
            self.insert1({**key, "square": number**2, "trace": np.arange(number)})
            digits = enumerate(str(number**2))
            self.Digit().insert({**key, "place": place, "digit": int(digit)} for place, digit in digits)
            if number in fail:
                raise fail[number]

    return SimpleNamespace(schema=schema, Number=Number, Square=Square, fail=fail, calls=calls)
