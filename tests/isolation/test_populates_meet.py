"""Clients who change what another one is computing from."""

from types import SimpleNamespace
from typing import Final

import pytest
from tests.isolation.pipeline import (
    Client,
    begin,
    check_whole_results,
    commit,
    delete,
    insert,
    populate,
    roll_back,
)
from tests.isolation.steps import Action, State

from djflow.errors import IntegrityError, RetryableError

pytestmark = pytest.mark.sampled(2)

PLACES: Final = ("before reading", "before inserting", "between inserts", "before committing")
KEY: Final = {"subject": 1, "session": 2}


def result(lab: SimpleNamespace) -> tuple[int, int] | None:
    """Of the session that is populated: the count, and the number of its items."""
    rows = lab.content()
    counts = [row[2] for row in rows["Count"] if row[:2] == (1, 2)]
    items = [row for row in rows["Item"] if row[:2] == (1, 2)]
    return (counts[0], len(items)) if counts else None


def check(lab: SimpleNamespace) -> None:
    lab.check()
    check_whole_results(lab.observer, lab.schema)


@pytest.mark.parametrize("place", PLACES)
def test_what_is_deleted_while_it_is_computed_from_takes_the_result_along(
    lab: SimpleNamespace, place: str
) -> None:
    lab.a.pauses_at(place, populate)
    assert lab.b.does(delete("Subject", subject=1)) == 1
    lab.a.goes_on()
    told = lab.a.finishes()
    assert (told["success"], told["skip"]) == (0, 1)
    assert result(lab) is None
    assert [row for row in lab.content()["Session"] if row[0] == 1] == []
    check(lab)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("end", [commit, roll_back])
def test_a_result_waits_for_who_is_deleting_what_it_refers_to(
    lab: SimpleNamespace, place: str, end: Action
) -> None:
    lab.a.pauses_at(place, populate)
    lab.b.does(begin)
    lab.b.tries(delete("Subject", subject=1))
    lab.a.goes_on()
    if lab.b.settled() is State.IDLE:
        lab.b.does(end)
    else:
        lab.a.finishes()
        lab.b.finishes()
        lab.b.does(end)
    error = lab.a.outcome()
    assert error is None or isinstance(error, IntegrityError | RetryableError)
    assert result(lab) == (None if end is commit else (1, 1))
    check(lab)


@pytest.mark.parametrize("place", PLACES)
def test_parts_that_come_while_a_result_is_made_are_in_all_of_it_or_in_nothing(
    lab: SimpleNamespace, place: str
) -> None:
    lab.a.pauses_at(place, populate)
    lab.b.does(insert("Trial", 1, 2, 2))
    lab.a.goes_on()
    assert lab.a.finishes()["success"] == 1
    assert result(lab) in ((1, 1), (2, 2))
    check(lab)


@pytest.mark.parametrize("place", PLACES)
def test_a_part_that_goes_while_a_result_is_made_leaves_no_half(lab: SimpleNamespace, place: str) -> None:
    lab.a.pauses_at(place, populate)
    lab.b.does(delete("Trial", "cascade", **KEY, trial=1))
    lab.a.goes_on()
    error = lab.a.outcome()
    assert error is None or isinstance(error, IntegrityError | RetryableError)
    check(lab)


def replace_inputs(client: Client) -> None:
    """Delete a session with all that was made of it, and insert another with the same key and more trials."""
    with client.database.transaction:
        (client["Session"] & KEY).delete(prompt=False)
        client["Session"].insert1((1, 2, 99))
        client["Trial"].insert([(1, 2, 1), (1, 2, 2)])


@pytest.mark.parametrize("place", PLACES)
def test_no_result_stands_for_inputs_that_were_replaced(lab: SimpleNamespace, place: str) -> None:
    lab.a.pauses_at(place, populate)
    lab.b.does(replace_inputs)
    lab.a.goes_on()
    assert lab.a.finishes()["success"] == 1
    assert result(lab) == (2, 2)
    check(lab)


# populate and populate


@pytest.mark.parametrize("place", PLACES)
def test_two_who_make_the_same_key_make_it_once(lab: SimpleNamespace, place: str) -> None:
    lab.a.pauses_at(place, populate)
    first = lab.b.does(populate)
    lab.a.goes_on()
    second = lab.a.finishes()
    assert [(each["success"], each["skip"]) for each in (first, second)] == [(1, 0), (0, 1)]
    assert result(lab) == (1, 1)
    check(lab)


def test_who_waits_for_a_result_that_fails_makes_it(lab: SimpleNamespace) -> None:
    lab.a.does(begin)
    assert lab.a.does(populate)["success"] == 1
    lab.b.blocks(populate)
    lab.a.does(roll_back)
    assert lab.b.finishes()["success"] == 1
    assert result(lab) == (1, 1)
    check(lab)
