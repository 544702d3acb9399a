"""Whatever goes wrong in a scientist's code becomes an error of its key, with the cause; the rest goes on."""

import asyncio
import ctypes
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import djflow as dj
from djflow.tables.schema import Schema


class Unpicklable(Exception):  # noqa: N818 - as users name theirs
    """An exception that cannot travel."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")
        self.lock = sys._getframe()


class Untellable(Exception):  # noqa: N818 - as users name theirs
    """An exception without a message."""

    def __str__(self) -> str:
        raise RuntimeError("no message")


class Beyond(BaseException):
    """What no `except Exception` catches."""


def endless(*arguments: Any) -> Any:
    return endless(*arguments)


def raising(error: Any, *arguments: Any) -> Any:
    def deed(*_: Any) -> Any:
        raise error(*arguments)

    return deed


DEEDS: dict[int, tuple[Any, str]] = {
    1: (raising(ValueError, "no signal"), "ValueError: no signal"),
    2: (lambda *_: {"value": "many"}, "DataTypeError"),
    3: (lambda table, _: (table & "item < 0").fetch1(), "found none"),
    4: (raising(MemoryError), "MemoryError"),
    5: (lambda *_: sys.exit(3), "SystemExit: 3"),
    6: (raising(Unpicklable, 1, 2), "Unpicklable: 1 and 2"),
    7: (raising(Untellable), "Untellable"),
    8: (lambda *_: {"item": 1000}, "IntegrityError"),
    9: (endless, "RecursionError"),
    10: (lambda *_: np.zeros(10**15), "MemoryError"),
    11: (lambda table, key: table.insert1({**key, "value": 1}), "DuplicateError"),
    12: (lambda *_: {"valeu": 1}, "valeu"),
    13: (lambda *_: {"value": 10**12}, "DataTypeError"),
    14: (raising(asyncio.CancelledError), "CancelledError"),
    15: (raising(Beyond, "end"), "Beyond: end"),
}
KEYS = 20


@pytest.fixture
def flow(schema: Schema, source: Any, computed: Any) -> Any:
    """Two tables, of which the first has a deed for some of its keys."""

    def declare(deeds: dict[int, tuple[Any, str]]) -> dj.Flow:
        told = {item: deed for item, (deed, _) in deeds.items()}

        def then(table: Any, key: dict[str, Any]) -> Any:
            return told[key["item"]](table, key) if key["item"] in told else None

        source.insert({"item": n} for n in range(5, KEYS))
        computed("A", "-> Item", then=then)
        computed("B", "-> A")
        return dj.Flow(schema)

    return declare


def check(flow: dj.Flow, told: Any, deeds: dict[int, tuple[Any, str]]) -> None:
    """The summary and the queue tell of each, and all other keys were made, here and downstream."""
    errors = {row["key"]: row for row in flow.errors().to_dicts()}
    assert sorted(errors) == sorted(f'{{"item":{item}}}' for item in deeds)
    for item, (_, message) in deeds.items():
        assert message in errors[f'{{"item":{item}}}']["message"]
    good = KEYS - len(deeds)
    assert told.select("made", "failed").rows() == [(good, len(deeds)), (good, 0)]
    assert [len(table()) for table in flow.tables] == [good, good]
    assert [table().jobs.progress()["total"] for table in flow.tables] == [len(deeds), 0]


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_what_a_scientists_code_raises_is_kept_and_the_rest_goes_on(
    flow: Any, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[3])  # where workers find this module
    filled = flow(DEEDS)
    told = filled.populate(executor=executor, workers=2, display_progress=False)
    check(filled, told, DEEDS)
    assert filled.populate(display_progress=False).select("made", "failed").sum().row(0) == (0, 0)


CRASHES: dict[int, tuple[Any, str]] = {
    **{item: DEEDS[item] for item in (1, 4, 5, 14)},
    16: (lambda *_: ctypes.string_at(0), "WorkerDiedError: The worker"),
}


@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_a_crash_in_compiled_code_costs_its_own_key(flow: Any, executor: str) -> None:
    filled = flow(CRASHES)
    told = filled.populate(executor=executor, workers=2, display_progress=False)
    check(filled, told, CRASHES)
    if executor == "processes":
        [crash] = [row for row in filled.errors().to_dicts() if row["key"] == '{"item":16}']
        assert "SIGSEGV" in crash["message"]
