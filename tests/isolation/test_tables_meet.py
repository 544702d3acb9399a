"""Clients who change, drop and create tables that others use."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from tests.isolation.pipeline import (
    Client,
    archive,
    begin,
    check_nothing_left_open,
    commit,
    declare,
    delete,
    insert,
    populate,
    roll_back,
)
from tests.isolation.steps import Action, State, held

from djflow.errors import (
    AlterationError,
    DjflowError,
    DuplicateError,
    IntegrityError,
    MissingAttributeError,
    MissingTableError,
    RetryableError,
    UnknownAttributeError,
)

pytestmark = pytest.mark.sampled(2)

KEYED_BY_DAY = """
-> Subject
session : int32
day : int32
---
weight = 0 : int32
"""


@pytest.fixture(autouse=True)
def _nothing_stays_open(own_lab: SimpleNamespace) -> Iterator[None]:
    yield
    own_lab.check()
    check_nothing_left_open(own_lab.observer)


def add_attribute(table: str, name: str = "extra", **options: Any) -> Action:
    """Alter a table by an attribute that may be null."""

    def run(client: Client) -> None:
        cls = client.tables[table]
        before = cls.definition
        cls.definition = f"{before.rstrip()}\n{name} = null : int32\n"
        try:
            client[table].alter(prompt=False, **options)
        except DjflowError:
            cls.definition = before
            raise

    return run


def key_by_day(client: Client) -> None:
    """Alter the key of sessions, and so of all that depends on them."""
    client.tables["Session"].definition = KEYED_BY_DAY
    client["Session"].alter(prompt=False, fill={"day": 0})


def columns(lab: SimpleNamespace, table: str) -> list[str]:
    found = lab.observer.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
        "ORDER BY attnum",
        [f'"{lab.schema}"."{table}"'],
    )
    return [name for (name,) in found]


# alter and those who write


def test_an_alteration_does_not_wait_for_ever(own_lab: SimpleNamespace) -> None:
    lab = own_lab
    lab.a.does(begin)
    lab.a.does(insert("Subject", 3, "c"))
    error = lab.b.refuses(add_attribute("Subject", lock_timeout=0.05), AlterationError)
    assert "no lock within 0.05 s" in str(error)
    lab.a.does(insert("Subject", 4, "d"))
    lab.a.does(commit)
    assert columns(lab, "subject") == ["subject", "name"]
    lab.b.does(add_attribute("Subject"))
    assert len(lab.content()["Subject"]) == 4


def test_an_alteration_waits_for_who_has_written(own_lab: SimpleNamespace) -> None:
    lab = own_lab
    lab.a.does(begin)
    lab.a.does(insert("Subject", 3, "c"))
    lab.b.blocks(add_attribute("Subject"))
    lab.a.does(commit)
    lab.b.finishes()
    assert (3, "c", None) in lab.content()["Subject"]


@pytest.mark.parametrize("end", [commit, roll_back])
def test_who_inserts_waits_for_an_alteration(own_lab: SimpleNamespace, end: Action) -> None:
    lab = own_lab
    lab.b.does(begin)
    lab.b.does(add_attribute("Subject"))
    lab.a.blocks(insert("Subject", 3, "c"))
    lab.b.does(end)
    lab.a.finishes()
    assert [row[:2] for row in lab.content()["Subject"]] == [(1, "a"), (2, "b"), (3, "c")]


def test_who_inserts_by_a_former_key_is_refused(own_lab: SimpleNamespace) -> None:
    lab = own_lab
    lab.b.does(begin)
    lab.b.does(key_by_day)
    lab.a.blocks(insert("Session", 1, 9, 0))
    lab.b.does(commit)
    lab.a.fails(MissingAttributeError, IntegrityError)
    assert len(lab.content()["Session"]) == 3
    lab.b.does(insert("Session", 1, 9, 5, 0))


def test_an_alteration_waits_for_a_delete_and_changes_what_is_left(own_lab: SimpleNamespace) -> None:
    lab = own_lab
    with held(lab.observer, f'LOCK TABLE "{lab.schema}".subject IN SHARE MODE'):
        lab.a.blocks(delete("Subject", subject=1))
        lab.b.blocks(key_by_day)
    assert lab.a.finishes() == 1
    lab.b.finishes()
    assert "day" in columns(lab, "__count__item")
    assert len(lab.content()["Session"]) == 1


# alter and populate


@pytest.mark.parametrize("place", ["before reading", "before inserting", "between inserts"])
@pytest.mark.parametrize("table", ["Session", "Count"])
def test_an_alteration_during_a_make_waits_or_lets_it_go_on(
    own_lab: SimpleNamespace, place: str, table: str
) -> None:
    lab = own_lab
    lab.a.pauses_at(place, populate)
    lab.b.tries(add_attribute(table))
    lab.a.goes_on()
    assert lab.a.finishes()["success"] == 1
    lab.b.finishes()
    assert "extra" in columns(lab, "session" if table == "Session" else "__count")
    assert [row[:3] for row in lab.content()["Count"]] == [(1, 1, 2), (1, 2, 1), (2, 1, 1)]


@pytest.mark.parametrize("place", ["before reading", "before inserting", "between inserts"])
def test_a_new_key_during_a_make_leaves_no_result_without_it(own_lab: SimpleNamespace, place: str) -> None:
    lab = own_lab
    lab.a.pauses_at(place, populate)
    lab.b.tries(key_by_day)
    lab.a.goes_on()
    error = lab.a.outcome()
    lab.b.finishes()
    assert error is None or isinstance(
        error, MissingAttributeError | UnknownAttributeError | IntegrityError | RetryableError
    ), repr(error)
    assert len(lab.content()["Count"]) == (2 if error else 3)
    lab.b.does(populate)
    assert len(lab.content()["Count"]) == 3


# alter and alter


def test_the_same_alteration_twice_is_made_once(own_lab: SimpleNamespace) -> None:
    lab = own_lab
    lab.c.does(begin)
    lab.c.does(insert("Subject", 3, "c"))
    lab.a.blocks(add_attribute("Subject"))
    lab.b.blocks(add_attribute("Subject"))
    lab.c.does(commit)
    lab.a.finishes()
    lab.b.finishes()
    assert columns(lab, "subject") == ["subject", "name", "extra"]
    lab.b.does(insert("Subject", 4, "d", 5))
    lab.a.does(insert("Subject", 5, "e", 5))


def test_of_two_alterations_that_differ_the_second_is_refused(own_lab: SimpleNamespace) -> None:
    lab = own_lab
    lab.c.does(begin)
    lab.c.does(insert("Subject", 3, "c"))
    lab.a.blocks(add_attribute("Subject", "mine"))
    lab.b.blocks(add_attribute("Subject", "yours"))
    lab.c.does(commit)
    lab.a.finishes()
    lab.b.fails(AlterationError)
    assert columns(lab, "subject") == ["subject", "name", "mine"]


def test_alterations_of_different_tables_are_both_made(own_lab: SimpleNamespace) -> None:
    lab = own_lab
    lab.a.does(begin)
    lab.a.does(add_attribute("Session"))
    lab.b.blocks(add_attribute("Note"))
    lab.a.does(commit)
    lab.b.finishes()
    assert columns(lab, "session")[-1] == columns(lab, "note")[-1] == "extra"


# drop and declare


@pytest.fixture
def fewer_keys(own_lab: SimpleNamespace) -> SimpleNamespace:
    """A stage whose tables are going to be fewer."""
    own_lab.check = lambda: None
    return own_lab


def drop(table: str) -> Action:
    return lambda client: client[table].drop(prompt=False)


def test_a_drop_waits_for_who_has_written(fewer_keys: SimpleNamespace) -> None:
    lab = fewer_keys
    lab.a.does(begin)
    lab.a.does(insert("Session", 1, 9, 0))
    lab.b.blocks(drop("Session"))
    lab.a.does(commit)
    lab.b.finishes()
    lab.a.refuses(insert("Session", 1, 10, 0), MissingTableError)


@pytest.mark.parametrize("end", [commit, roll_back])
def test_who_inserts_waits_for_a_drop(fewer_keys: SimpleNamespace, end: Action) -> None:
    lab = fewer_keys
    lab.b.does(begin)
    lab.b.does(drop("Session"))
    lab.a.blocks(insert("Session", 1, 9, 0))
    lab.b.does(end)
    if end is commit:
        lab.a.fails(MissingTableError)
        lab.a.does(lambda client: client.schema.create())
        lab.a.does(insert("Session", 1, 9, 0))
    else:
        lab.a.finishes()
        assert len(lab.content()["Session"]) == 4


@pytest.mark.parametrize("end", [commit, roll_back])
def test_who_declares_a_table_that_is_being_dropped_can_use_it_or_is_told(
    fewer_keys: SimpleNamespace, end: Action
) -> None:
    lab = fewer_keys
    lab.b.does(begin)
    lab.b.does(drop("Session"))
    lab.a.tries(lambda _: Client(lab.settings, lab.schema, declare)["Session"].insert([(1, 9, 0)]))
    lab.b.does(end)
    error = lab.a.outcome()
    assert isinstance(error, MissingTableError) if end is commit else error is None


def test_who_declares_waits_for_who_declares_the_same(fewer_keys: SimpleNamespace) -> None:
    lab = fewer_keys
    lab.b.does(drop("Session"))
    lab.b.does(begin)
    lab.b.does(lambda client: client.schema.create())
    lab.a.blocks(lambda client: client.schema.create() or insert("Session", 1, 9, 0)(client))
    lab.b.does(commit)
    lab.a.finishes()
    assert lab.content()["Session"] == [(1, 9, 0)]


@pytest.mark.usefixtures("own_lab")
def test_many_who_declare_at_once_all_can_insert(observer: Any, settings: Any) -> None:
    name = f"test_{uuid4().hex[:12]}"
    clients = [Client(settings, name, declare) for _ in range(4)]

    def use(number: int) -> None:
        clients[number]["Subject"].insert1((number, "x"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use, range(4)))
    for client in clients:
        client.database.close()
    assert observer.execute(f"SELECT count(*) FROM {name}.subject".encode()).fetchone() == (4,)


# restore


@pytest.mark.parametrize("policy", ["skip", "match", "error"])
def test_two_who_restore_the_same_archive_put_it_back_once(
    own_lab: SimpleNamespace, tmp_path: Path, policy: Any
) -> None:
    lab = own_lab

    def restore(client: Client) -> Any:
        return client.schema.restore(tmp_path / "kept", on_conflict=policy)

    before = lab.content()
    lab.a.does(archive("Subject", tmp_path / "kept", subject=1))
    lab.a.does(begin)
    lab.a.does(restore)
    lab.b.blocks(restore)
    lab.a.does(commit)
    error = lab.b.outcome()
    assert error is None or isinstance(error, DuplicateError)
    assert lab.content() == before
    if policy != "error":
        assert set(lab.b.does(restore).inserted.values()) == {0}


def test_a_restore_waits_for_who_deletes_what_it_refers_to(own_lab: SimpleNamespace, tmp_path: Path) -> None:
    lab = own_lab
    lab.a.does(archive("Session", tmp_path / "kept", subject=1))
    lab.a.does(begin)
    lab.a.does(delete("Subject", subject=1))
    lab.b.blocks(lambda client: client.schema.restore(tmp_path / "kept"))
    lab.a.does(commit)
    lab.b.fails(IntegrityError)
    assert {row[0] for row in lab.content()["Session"]} == {2}


def test_who_writes_does_not_wait_for_a_dump(own_lab: SimpleNamespace, tmp_path: Path) -> None:
    lab = own_lab
    before = lab.content()
    with held(lab.observer, f'LOCK TABLE "{lab.schema}".subject IN ACCESS EXCLUSIVE MODE'):
        lab.a.blocks(lambda client: client.schema.dump(tmp_path / "whole"))
        assert lab.b.tries(insert("Note", 9, None, None)) is State.IDLE
        lab.b.finishes()
    lab.a.finishes()
    lab.b.does(delete("Subject"))
    lab.b.does(delete("Note"))
    lab.a.does(lambda client: client.schema.restore(tmp_path / "whole"))
    after = lab.content()
    assert after.pop("Note") == sorted([*before.pop("Note"), (9, None, None)], key=repr)
    assert after == before
