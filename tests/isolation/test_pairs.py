"""Two clients at once, one of them stopped in the middle of what it does: as if one had come after the other."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any, Final, TypeAlias

import pytest
from tests.isolation.pipeline import (
    TABLES,
    begin,
    check_nothing_left_open,
    commit,
    delete,
    delete_where,
    insert,
    populate,
    update,
)
from tests.isolation.steps import Action, Actor, State, held, merged

from djflow.errors import (
    DuplicateError,
    IntegrityError,
    MissingRowError,
    PartIntegrityError,
    RetryableError,
)

_Rows: TypeAlias = Mapping[str, list[tuple[Any, ...]]]

DELETES: Final[Mapping[str, Action]] = {
    "delete subject": delete("Subject", subject=1),
    "delete by name": delete_where("Subject", "name = 'a'"),
    "delete by weight": delete_where("Session", "weight < 15"),
    "delete trial with master": delete("Trial", "cascade", subject=1, session=1, trial=1),
    "delete noted": delete_where("Note", "subject = 1"),
}
CHANGES: Final[Mapping[str, Action]] = {
    "insert session": insert("Session", 1, 9, 0),
    "insert trial": insert("Trial", 1, 1, 3),
    "insert note": insert("Note", 9, 1, 1),
    "insert remark": insert("Remark", 1, 9),
    "insert pair": insert("Pair", 2, 1),
    "replace session": insert("Session", 1, 1, 50, on_conflict="update"),
    "match session": insert("Session", 1, 1, 10, on_conflict="match"),
    "skip session": insert("Session", 1, 9, 7, on_conflict="skip"),
    "rename subject": update("Subject", subject=1, name="z"),
    "weigh session": update("Session", subject=1, session=1, weight=99),
    "move note away": update("Note", note=1, subject=2, session=1),
    "move note here": update("Note", note=2, subject=1, session=1),
    "populate": populate,
}
ALL: Final = {**DELETES, **CHANGES}
EXPECTED: Final = (IntegrityError, DuplicateError, MissingRowError, PartIntegrityError, RetryableError)


class Serial:
    """What comes of steps that are done one after the other."""

    def __init__(self, lab: SimpleNamespace) -> None:
        self._lab = lab
        self.of = cache(self._of)

    def _of(self, *names: str) -> _Rows | None:
        """The rows after some steps, or None where one of them fails."""
        lab = self._lab
        lab.begin()
        for name in names:
            lab.c.tries(ALL[name])
            if lab.c.outcome() is not None:
                return None
        return lab.content()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def serial(cast: SimpleNamespace) -> Serial:
    return Serial(cast)


def check(lab: SimpleNamespace, serial: Serial, first: str, second: str) -> None:
    """Both have ended: what is there comes of one after the other, without those that were refused."""
    errors = [(first, lab.a.outcome()), (second, lab.b.outcome())]
    found = lab.content()
    lab.check()
    check_nothing_left_open(lab.observer)
    for _, error in errors:
        assert error is None or isinstance(error, EXPECTED), errors
    done = [name for name, error in errors if error is None]
    orders = (serial.of(*done), serial.of(*reversed(done)))
    assert found in orders, (first, second, errors, differences(found, orders))


def differences(found: _Rows, orders: tuple[_Rows | None, ...]) -> list[dict[str, Any]]:
    return [
        {name: (found[name], rows) for name, rows in order.items() if rows != found[name]}
        for order in orders
        if order is not None
    ]


@pytest.mark.parametrize("gate", TABLES)
@pytest.mark.parametrize("first", DELETES)
def test_a_delete_that_others_interrupt(
    lab: SimpleNamespace, serial: Serial, first: str, gate: str
) -> None:
    for second in ALL:
        lab.begin()
        with held(lab.observer, f'LOCK TABLE "{lab.schema}"."{gate}" IN SHARE MODE'):
            if lab.a.tries(ALL[first]) is State.IDLE:
                lab.a.finishes()
                pytest.skip("never writes there")
            lab.b.tries(ALL[second])
        assert lab.a.outcome() is None, second
        check(lab, serial, first, second)


def inside(action: Action) -> Action:
    """The same in a transaction of the user's."""

    def run(client: Any) -> Any:
        with client.database.transaction:
            return action(client)

    return run


@pytest.mark.parametrize("gate", TABLES)
@pytest.mark.parametrize("first", DELETES)
def test_a_delete_in_a_transaction_that_others_interrupt(
    lab: SimpleNamespace, serial: Serial, first: str, gate: str
) -> None:
    bad = []
    for second in ALL:
        lab.begin()
        with held(lab.observer, f'LOCK TABLE "{lab.schema}"."{gate}" IN SHARE MODE'):
            if lab.a.tries(inside(ALL[first])) is State.IDLE:
                lab.a.finishes()
                pytest.skip("never writes there")
            lab.b.tries(ALL[second])
        try:
            check(lab, serial, first, second)
        except AssertionError as e:
            bad.append(str(e)[:600])
    assert not bad, "\n\n".join(bad)
