"""Clients who write the same rows."""

from types import SimpleNamespace
from typing import Any

import pytest
from tests.isolation.pipeline import Client, begin, commit, delete, insert, roll_back, update
from tests.isolation.steps import Action, State, held_after_inserts

from djflow.errors import ConflictError, DuplicateError, IntegrityError, SerializationError

pytestmark = pytest.mark.sampled(2)


def session(lab: SimpleNamespace, key: tuple[int, int]) -> list[int]:
    """The weights of a session: one, or none."""
    return [row[2] for row in lab.content()["Session"] if row[:2] == key]


def inserting(policy: str, weight: int) -> Action:
    return insert("Session", 1, 9, weight, on_conflict=policy)


# the same key


@pytest.mark.parametrize("policy", ["error", "skip", "match", "update"])
@pytest.mark.parametrize("weight", [5, 6])
@pytest.mark.parametrize("end", [commit, roll_back])
def test_who_inserts_a_key_waits_for_who_has_inserted_it(
    lab: SimpleNamespace, policy: str, weight: int, end: Action
) -> None:
    lab.a.does(begin)
    lab.a.does(inserting("error", 5))
    lab.b.blocks(inserting(policy, weight))
    lab.a.does(end)
    if end is roll_back:
        lab.b.finishes()
        assert session(lab, (1, 9)) == [weight]
    elif policy == "error":
        lab.b.fails(DuplicateError)
        assert session(lab, (1, 9)) == [5]
    elif policy == "match" and weight == 6:
        error = lab.b.fails(ConflictError)
        assert isinstance(error, ConflictError)
        assert error.differences.rows() == [(1, 9, "weight", "5", "6")]
        assert session(lab, (1, 9)) == [5]
    else:
        lab.b.finishes()
        assert session(lab, (1, 9)) == [weight if policy == "update" else 5]
    lab.check()


@pytest.mark.parametrize("policy", ["skip", "match", "update"])
def test_policies_on_keys_that_exist_do_not_hide_changes_that_a_transaction_cannot_see(
    lab: SimpleNamespace, policy: str
) -> None:
    def insert_and_look(client: Client) -> Any:
        def both() -> Any:
            client.pauses.at("looked")
            inserting(policy, 6)(client)
            return (client["Session"] & {"subject": 1, "session": 9}).fetch1("weight")

        def looking() -> Any:
            assert client["Session"]
            return both()

        return client.database.run_in_transaction(looking, isolation="repeatable read")

    lab.a.pauses_at("looked", insert_and_look)
    lab.b.does(inserting("error", 6))
    lab.a.goes_on()
    assert lab.a.finishes() == 6


@pytest.mark.parametrize("given", [77, 10])
def test_a_match_with_a_row_that_is_deleted_before_it_is_compared_inserts_the_row(
    lab: SimpleNamespace, given: int
) -> None:
    with held_after_inserts(lab.observer, f'"{lab.schema}".session'):
        lab.a.blocks(insert("Session", 1, 1, given, on_conflict="match"))
        lab.b.does(delete("Session", subject=1, session=1))
    lab.a.finishes()
    assert session(lab, (1, 1)) == [given]
    lab.check()


def test_a_match_with_a_row_that_is_changed_before_it_is_compared_says_so(lab: SimpleNamespace) -> None:
    with held_after_inserts(lab.observer, f'"{lab.schema}".session'):
        lab.a.blocks(insert("Session", 1, 1, 10, on_conflict="match"))
        lab.b.does(update("Session", subject=1, session=1, weight=11))
    lab.a.fails(ConflictError)
    assert session(lab, (1, 1)) == [11]


def test_batches_of_one_insert_are_kept_together(lab: SimpleNamespace) -> None:
    def batches(client: Client) -> None:
        def rows() -> Any:
            for n in range(100, 40_000):
                if n == 30_000:
                    client.pauses.at("in the middle")
                yield {"subject": 2, "session": n, "weight": 0}

        client["Session"].insert(rows())

    before = lab.content()
    lab.a.pauses_at("in the middle", batches)
    assert lab.content() == before
    lab.b.does(insert("Session", 2, 35_000, 1))
    lab.a.goes_on()
    lab.a.fails(DuplicateError)
    assert lab.content()["Session"] == sorted([*before["Session"], (2, 35_000, 1)], key=repr)


# one row


def test_two_corrections_of_one_row_are_both_kept(lab: SimpleNamespace) -> None:
    lab.a.does(begin)
    lab.a.does(update("Note", note=1, subject=2, session=1))
    lab.b.blocks(update("Note", note=1, subject=1, session=2))
    lab.a.does(commit)
    lab.b.finishes()
    assert (1, 1, 2) in lab.content()["Note"]
    lab.check()


def test_a_row_referred_to_by_an_open_transaction_is_not_deleted_under_it(lab: SimpleNamespace) -> None:
    lab.a.does(begin)
    lab.a.does(update("Note", note=3, subject=1, session=2))
    lab.b.blocks(delete("Session", subject=1, session=2))
    lab.a.does(commit)
    assert lab.b.finishes() == 1
    assert [row[0] for row in lab.content()["Note"]] == [1, 2]
    lab.check()


def test_a_reference_to_a_row_that_is_being_deleted_waits_and_fails(lab: SimpleNamespace) -> None:
    lab.a.does(begin)
    lab.a.does(delete("Session", subject=1, session=2))
    lab.b.blocks(update("Note", note=3, subject=1, session=2))
    lab.a.does(commit)
    lab.b.fails(IntegrityError)
    assert (3, None, None) in lab.content()["Note"]
    lab.check()


# reading, then writing


def increment(client: Client) -> None:
    """Add one to the weight of a session, as read before."""
    key = {"subject": 1, "session": 1}
    weight = int((client["Session"] & key).fetch1("weight"))
    client.pauses.at("read")
    client["Session"].update1({**key, "weight": weight + 1})


def incrementing(isolation: str, attempts: int = 5) -> Action:
    def run(client: Client) -> None:
        client.database.run_in_transaction(
            lambda: increment(client),
            isolation=isolation,  # type: ignore[arg-type]
            attempts=attempts,
        )

    return run


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_an_update_of_what_another_changed_since_is_run_again(lab: SimpleNamespace, isolation: str) -> None:
    lab.a.pauses_at("read", incrementing(isolation))
    lab.b.does(incrementing(isolation))
    lab.a.goes_on()
    lab.a.finishes()
    assert session(lab, (1, 1)) == [12]


def test_an_update_that_is_not_run_again_is_refused_rather_than_lost(lab: SimpleNamespace) -> None:
    lab.a.pauses_at("read", incrementing("repeatable read", attempts=1))
    lab.b.does(increment)
    lab.a.goes_on()
    lab.a.fails(SerializationError)
    assert session(lab, (1, 1)) == [11]


def test_an_update_that_waits_for_another_is_run_again_once_that_commits(lab: SimpleNamespace) -> None:
    lab.b.does(begin)
    lab.b.does(increment)
    assert lab.a.tries(incrementing("repeatable read")) is State.BLOCKED
    lab.b.does(commit)
    lab.a.finishes()
    assert session(lab, (1, 1)) == [12]


def test_two_who_decide_by_what_they_read_do_not_both_decide(lab: SimpleNamespace) -> None:
    """Each inserts a note if there is none for the session: one of them finds the other's."""

    def note(number: int) -> Action:
        def unless_noted(client: Client) -> None:
            if not client["Note"] & {"subject": 1, "session": 2}:
                client.pauses.at("read")
                client["Note"].insert1((number, 1, 2))

        return lambda client: client.database.run_in_transaction(
            lambda: unless_noted(client), isolation="serializable"
        )

    lab.a.pauses_at("read", note(8))
    lab.b.does(note(9))
    lab.a.goes_on()
    lab.a.finishes()
    assert [row for row in lab.content()["Note"] if row[1:] == (1, 2)] == [(9, 1, 2)]
