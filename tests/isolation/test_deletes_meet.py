"""Clients who delete, and clients who use what is deleted."""

from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest
from tests.isolation.pipeline import Client, archive, begin, commit, delete, insert, roll_back, update
from tests.isolation.steps import Action, State, first_to_end, held

import djflow as dj
from djflow.errors import DeadlockError, IntegrityError, PartIntegrityError, SerializationError

pytestmark = pytest.mark.sampled(2)

SUBJECT: Final = delete("Subject", subject=1)


# a child


def test_a_child_committed_before_goes_along(lab: SimpleNamespace) -> None:
    lab.b.does(insert("Session", 1, 9, 0))
    assert lab.a.does(SUBJECT) == 1
    lab.check()


def test_a_delete_waits_for_a_child_that_is_not_committed_and_takes_it(lab: SimpleNamespace) -> None:
    lab.b.does(begin)
    lab.b.does(insert("Session", 1, 9, 0))
    lab.a.blocks(SUBJECT)
    lab.b.does(commit)
    assert lab.a.finishes() == 1
    assert {row[0] for row in lab.content()["Session"]} == {2}
    lab.check()


@pytest.mark.parametrize("end", [commit, roll_back])
def test_a_child_waits_for_the_delete_of_its_parent(lab: SimpleNamespace, end: Action) -> None:
    lab.a.does(begin)
    lab.a.does(SUBJECT)
    lab.b.blocks(insert("Session", 1, 9, 0))
    lab.a.does(end)
    if end is commit:
        error = lab.b.fails(IntegrityError)
        assert isinstance(error, IntegrityError)
        assert error.table.endswith(".session")
    else:
        lab.b.finishes()
    assert {row[0] for row in lab.content()["Session"]} == ({2} if end is commit else {1, 2})
    lab.check()


@pytest.mark.parametrize("table", ["remark", "__count", "note", "session", "subject"])
def test_a_child_that_comes_between_looking_and_deleting_goes_along(lab: SimpleNamespace, table: str) -> None:
    with held(lab.observer, f'LOCK TABLE "{lab.schema}"."{table}" IN SHARE MODE'):
        lab.a.blocks(SUBJECT)
        assert lab.b.tries(insert("Pair", 2, 1)) is State.IDLE
        lab.b.finishes()
    assert lab.a.finishes() == 1
    assert lab.content()["Pair"] == [(2, 2)]
    lab.check()


def test_a_delete_gives_up_when_children_never_end_and_leaves_everything(lab: SimpleNamespace) -> None:
    """Each time that it is about to delete the subject, another session of it has been committed."""
    gate, following = lab.b, lab.c

    def lock(client: Client) -> None:
        begin(client)
        client.database.query(f'LOCK TABLE "{lab.schema}".subject IN SHARE MODE')

    gate.does(lock)
    lab.a.blocks(SUBJECT)
    for n in range(5):
        lab.observer.execute(f'INSERT INTO "{lab.schema}".session VALUES (1, {10 + n}, 0)'.encode())
        following.blocks(lock)  # behind the delete, and before its next attempt
        gate.does(roll_back)
        following.finishes()
        gate, following = following, gate
        if n < 4:
            lab.a.is_blocked()
    lab.a.fails(SerializationError)
    gate.does(roll_back)
    found = lab.content()
    lab.begin()
    expected = lab.content()
    expected["Session"] = sorted([*expected["Session"], *((1, 10 + n, 0) for n in range(5))], key=repr)
    assert found == expected


# two deletes


def test_two_deletes_that_wait_for_each_other_end_with_one_of_them_undone(lab: SimpleNamespace) -> None:
    lab.a.does(begin)
    lab.b.does(begin)
    lab.a.does(delete("Session", subject=1, session=1))
    lab.b.does(delete("Session", subject=2))
    lab.a.blocks(delete("Session", subject=2))
    lab.b.tries(delete("Session", subject=1, session=1))
    loser, winner = first_to_end(lab.a, lab.b)
    loser.fails(DeadlockError)
    loser.does(roll_back)
    assert winner.finishes() == 1
    winner.does(commit)
    assert lab.content()["Session"] == [(1, 2, 20)]
    lab.check()


@pytest.mark.parametrize("table", ["remark", "session__trial", "session", "subject"])
def test_two_deletes_of_overlapping_rows_both_succeed(lab: SimpleNamespace, table: str) -> None:
    with held(lab.observer, f'LOCK TABLE "{lab.schema}"."{table}" IN SHARE MODE'):
        lab.a.blocks(SUBJECT)
        lab.b.tries(delete("Session", subject=1))
    assert lab.a.finishes() == 1
    assert lab.b.finishes() in (0, 2)
    lab.check()
    assert {row[0] for row in lab.content()["Session"]} == {2}


# masters and parts


@pytest.mark.parametrize("policy", ["cascade", "enforce"])
def test_another_part_that_comes_while_its_master_is_deleted_goes_along(
    lab: SimpleNamespace, policy: str
) -> None:
    table, key = ("Trial", {"trial": 1}) if policy == "cascade" else ("Session", {})
    with held(lab.observer, f'LOCK TABLE "{lab.schema}".session IN SHARE MODE'):
        lab.a.blocks(delete(table, policy, subject=1, session=1, **key))
        lab.b.does(insert("Trial", 1, 1, 7))
    lab.a.finishes()
    assert [row for row in lab.content()["Trial"] if row[:2] == (1, 1)] == []
    lab.check()


@pytest.mark.parametrize("policy", ["cascade", "enforce"])
def test_a_part_waits_for_the_delete_of_its_master(lab: SimpleNamespace, policy: str) -> None:
    table, key = ("Trial", {"trial": 1}) if policy == "cascade" else ("Session", {})
    lab.a.does(begin)
    lab.a.does(delete(table, policy, subject=1, session=1, **key))
    lab.b.blocks(insert("Trial", 1, 1, 7))
    lab.a.does(commit)
    lab.b.fails(IntegrityError)
    lab.check()


def test_a_refused_delete_holds_nothing(lab: SimpleNamespace) -> None:
    lab.a.does(begin)
    lab.a.refuses(delete("Trial", subject=1), PartIntegrityError)
    lab.b.does(insert("Trial", 1, 1, 7))
    lab.b.does(SUBJECT)
    lab.a.does(commit)
    lab.check()


# archives


@pytest.mark.parametrize("is_inside", [False, True])
@pytest.mark.parametrize("table", ["remark", "session__trial", "session", "subject"])
def test_an_archive_holds_exactly_what_was_deleted(
    lab: SimpleNamespace, tmp_path: Path, table: str, *, is_inside: bool
) -> None:
    changes = (
        insert("Trial", 1, 1, 7),
        insert("Pair", 2, 1),
        update("Session", subject=1, session=1, weight=99),
        update("Note", note=1, subject=2, session=1),
    )
    if is_inside:
        lab.a.does(begin)
    with held(lab.observer, f'LOCK TABLE "{lab.schema}"."{table}" IN SHARE MODE'):
        lab.a.blocks(archive("Subject", tmp_path / "kept", subject=1))
        others = dict(zip((lab.b, lab.c), changes, strict=False))
        for actor, change in others.items():
            actor.tries(change)
    assert lab.a.finishes() == 1
    if is_inside:
        lab.a.does(commit)
    errors = [actor.outcome() for actor in others]
    assert all(error is None or isinstance(error, IntegrityError) for error in errors)
    lab.a.does(lambda client: client.schema.restore(tmp_path / "kept"))
    found = lab.content()
    lab.check()
    lab.begin()
    for change, error in zip(others.values(), errors, strict=True):
        if error is None:
            lab.a.does(change)
    assert found == lab.content()


def test_no_archive_stays_of_a_delete_that_was_undone(lab: SimpleNamespace, tmp_path: Path) -> None:
    def delete_and_think(client: Client) -> None:
        with client.database.transaction:
            archive("Subject", tmp_path / "kept", subject=1)(client)
            raise dj.DataJointError("Not today.")

    before = lab.content()
    lab.a.refuses(delete_and_think, dj.DataJointError)
    assert lab.content() == before
    assert list(tmp_path.iterdir()) == []
