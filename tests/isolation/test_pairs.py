"""Two clients at once, in many orders: what is there afterwards comes of one after the other."""

from collections.abc import Callable, Mapping
from functools import cache
from itertools import product
from types import SimpleNamespace
from typing import Any, Final, TypeAlias

import pytest
from tests.isolation.pipeline import (
    begin,
    check_nothing_left_open,
    commit,
    delete,
    delete_where,
    insert,
    populate,
    roll_back,
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

pytestmark = pytest.mark.sampled(2)

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
INTERRUPTING: Final = (*CHANGES, "delete subject", "delete trial with master")
# A delete stops at the first table that it cannot write to.
GATES: Final = (
    ("delete subject", "remark"),
    ("delete subject", "session"),
    ("delete by name", "__count__item"),
    ("delete by weight", "note"),
    ("delete trial with master", "session"),
    ("delete noted", "note"),
)
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


def check(lab: SimpleNamespace, serial: Serial, *ended: tuple[str, BaseException | None]) -> None:
    """What is there comes of one after the other, without those that were refused."""
    found = lab.content()
    lab.check()
    check_nothing_left_open(lab.observer)
    for _, error in ended:
        assert error is None or isinstance(error, EXPECTED), ended
    done = [name for name, error in ended if error is None]
    orders = (serial.of(*done), serial.of(*reversed(done)))
    assert found in orders, (ended, differences(found, orders))


def differences(found: _Rows, orders: tuple[_Rows | None, ...]) -> list[dict[str, Any]]:
    return [
        {name: (found[name], rows) for name, rows in order.items() if rows != found[name]}
        for order in orders
        if order is not None
    ]


def inside(action: Action) -> Action:
    """The same in a transaction of the user's."""

    def run(client: Any) -> Any:
        with client.database.transaction:
            return action(client)

    return run


@pytest.mark.parametrize("within", [lambda action: action, inside], ids=["alone", "in a transaction"])
@pytest.mark.parametrize(("first", "gate"), GATES)
def test_a_delete_that_others_interrupt_is_as_if_before_or_after_them(
    lab: SimpleNamespace, serial: Serial, first: str, gate: str, within: Callable[[Action], Action]
) -> None:
    for second in INTERRUPTING:
        lab.begin()
        with held(lab.observer, f'LOCK TABLE "{lab.schema}"."{gate}" IN SHARE MODE'):
            lab.a.blocks(within(ALL[first]))
            lab.b.tries(ALL[second])
        assert lab.a.outcome() is None, second
        check(lab, serial, (first, None), (second, lab.b.outcome()))


def beginning_with(action: Action) -> Action:
    """A transaction that stays open."""

    def run(client: Any) -> None:
        begin(client)
        action(client)

    return run


class Program:
    """The steps of one client; those behind one that waits wait as well, and one that fails undoes all."""

    def __init__(self, actor: Actor, steps: Mapping[str, Action]) -> None:
        self.actor, self._steps = actor, steps
        self._behind: list[str] = []
        self.error: BaseException | None = None
        self._is_open = False
        actor.does(lambda _: None)

    def take(self, name: str) -> None:
        """Do a step, now or when the one before has ended; none follows one that failed."""
        if self.error is None:
            self._behind.append(name)
            self.catch_up()

    def catch_up(self) -> bool:
        """Do what waits, as far as it goes; whether all is done."""
        while self.actor.settled() is State.IDLE:
            self._note()
            if not self._behind:
                return True
            name = self._behind.pop(0)
            self._is_open = name != "commit"
            self.actor.tries(self._steps[name])
        return False

    def _note(self) -> None:
        error = self.actor.outcome()
        if error is None:
            return
        self.error = error
        self._behind.clear()
        if self._is_open:
            self.actor.does(roll_back)
        self._is_open = False


CROSSING: Final = tuple(
    product(
        ("delete subject", "delete by name", "insert session", "move note here", "populate"),
        ("delete subject", "delete trial with master", "move note away", "insert note"),
    )
)


@pytest.mark.parametrize(("first", "second"), CROSSING)
def test_all_orders_of_two_transactions_are_as_if_one_came_after_the_other(
    lab: SimpleNamespace, serial: Serial, first: str, second: str
) -> None:
    for order in merged(("a begin", "a commit"), ("b begin", "b commit")):
        lab.begin()
        programs = {
            name: Program(actor, {"begin": beginning_with(ALL[action]), "commit": commit})
            for name, actor, action in (("a", lab.a, first), ("b", lab.b, second))
        }
        for step in order:
            name, _, what = step.partition(" ")
            programs[name].take(what)
        while [name for name, program in programs.items() if not program.catch_up()]:
            pass
        check(lab, serial, (first, programs["a"].error), (second, programs["b"].error))
