"""Rows that DataJoint wrote go with all that depends on them, by classes and without."""

from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from tests.interop.peer import Peer

import djflow as dj
from djflow.errors import IntegrityError, PartIntegrityError


def tables_of(lab: Any) -> dict[str, Any]:
    """The tables, parents first."""
    return {
        "species": lab.Species,
        "subject": lab.Subject,
        "session": lab.Session,
        "trial": lab.Session.Trial,
        "cfg": lab.Cfg,
        "spec": lab.Spec,
        "ana": lab.Ana,
        "p": lab.Ana.P,
    }


ALL = {"species": 2, "subject": 3, "session": 3, "trial": 4, "cfg": 1, "spec": 3, "ana": 4, "p": 12}


def rows_in(lab: Any) -> dict[str, int]:
    return {name: len(table()) for name, table in tables_of(lab).items()}


def hidden(url: str) -> list[Any]:
    """What DataJoint keeps beside the tables: lineage, and the errors of jobs."""
    with psycopg.connect(url) as connection:
        lineage = connection.execute('SELECT * FROM lab."~lineage" ORDER BY 1, 2').fetchall()
        return [*lineage, *connection.execute('SELECT * FROM lab."~~ana" ORDER BY 1, 2, 3').fetchall()]


BELOW = ("trial", "spec", "ana", "p")  # sessions
CASES = [
    ("subject", "subject_id = 0", "enforce", {"subject": 2, "session": 0, **dict.fromkeys(BELOW, 0)}),
    (
        "subject",
        "subject_id = 1",
        "enforce",
        {"subject": 2, "session": 1, "trial": 0, "spec": 1, "ana": 2, "p": 6},
    ),
    ("subject", "subject_id = 2", "enforce", {"subject": 2}),
    ("species", "species = 'rat'", "enforce", {"species": 1, "ana": 2, "p": 6}),
    ("species", True, "enforce", dict.fromkeys(ALL, 0) | {"cfg": 1}),
    ("spec", "session_idx = 2", "enforce", {"spec": 2}),
    ("cfg", True, "enforce", {"cfg": 0}),
    ("trial", "trial = 2", "ignore", {"trial": 3}),
    ("trial", "trial = 2", "cascade", {"session": 2, "trial": 0, "spec": 2, "ana": 2, "p": 6}),
    ("p", "i = 1 AND species = 'rat'", "cascade", {"ana": 2, "p": 6}),
]


@pytest.mark.parametrize(("table", "condition", "policy", "left"), CASES)
def test_a_delete_takes_what_depends_on_the_rows_and_a_diagram_tells_so_before(
    any_lab: Any, lab_url: str, table: str, condition: Any, policy: str, left: dict[str, int]
) -> None:
    tables, kept = tables_of(any_lab), hidden(lab_url)
    chosen = tables[table] & condition
    diagram = dj.Diagram.cascade(chosen, part_integrity=policy)
    told = {name: diagram.counts().get(one().full_table_name, 0) for name, one in tables.items()}
    chosen.delete(prompt=False, part_integrity=policy)
    assert rows_in(any_lab) == ALL | left
    assert told == {name: ALL[name] - left.get(name, ALL[name]) for name in ALL}
    assert hidden(lab_url) == kept


def test_parts_are_kept_with_their_masters(any_lab: Any) -> None:
    for table in (any_lab.Session.Trial, any_lab.Ana.P):
        with pytest.raises(PartIntegrityError):
            table.delete(prompt=False)
    with pytest.raises(IntegrityError):
        (any_lab.Subject & {"subject_id": 1}).delete_quick()
    assert rows_in(any_lab) == ALL
    assert (any_lab.Subject & {"subject_id": 2}).delete_quick(get_count=True) == 1


def test_rows_are_traced_to_all_that_they_come_from(any_lab: Any) -> None:
    trace = dj.Diagram.trace(any_lab.Ana & {"session_idx": 1, "species": "rat"})
    assert trace[any_lab.Subject].to_arrays("subject_id").tolist() == [0, 1]  # the mate, too
    assert trace["Session"].keys() == [{"subject_id": 0, "session_idx": 1}]
    assert trace["Species"].to_arrays("species").tolist() == ["mouse", "rat"]
    assert len(trace[any_lab.Spec]) == 1
    restricted = dj.Diagram(any_lab.schema).restrict(any_lab.Session & {"session_idx": 1})
    assert len(restricted[any_lab.Ana.P]) == 6


def test_a_delete_that_is_taken_back_leaves_every_value_as_it_was(
    any_lab: Any, lab_url: str, tmp_path: Path
) -> None:
    def everything() -> list[Any]:
        with psycopg.connect(lab_url) as connection:
            names = [table().full_table_name for table in tables_of(any_lab).values()]
            return [sorted(map(str, connection.execute(f"TABLE {name}".encode()))) for name in names]

    before = everything()
    any_lab.Species.delete(prompt=False, archive=tmp_path / "kept")
    assert rows_in(any_lab) == dict.fromkeys(ALL, 0) | {"cfg": 1}
    dj.restore(tmp_path / "kept", connection=any_lab.schema.connection)
    assert everything() == before
    row = (any_lab.Session & {"session_idx": 2}).fetch1()
    np.testing.assert_array_equal(np.asarray(row["arr"]), np.arange(10))


def test_a_delete_in_a_transaction_that_fails_is_undone(any_lab: Any) -> None:
    def fail() -> None:
        with any_lab.schema.transaction:
            any_lab.Subject.delete(prompt=False)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert rows_in(any_lab) == ALL


def test_a_dropped_table_takes_its_queue_and_its_origins_along(any_lab: Any) -> None:
    any_lab.Spec.drop(prompt=False)
    assert sorted(any_lab.schema.list_tables()) == [
        "#cfg",
        "#species",
        "session",
        "session__trial",
        "subject",
    ]
    query = any_lab.schema.connection.query
    relations = query("SELECT relname::text FROM pg_class WHERE relnamespace = 'lab'::regnamespace")
    assert "~~ana" not in {name for (name,) in relations}
    origins = query('SELECT DISTINCT table_name FROM lab."~lineage" ORDER BY 1')
    assert [name for (name,) in origins] == ["#cfg", "#species", "session", "session__trial", "subject"]


def counted(dj: Any, cases: list[list[Any]]) -> list[dict[str, int]]:
    lab = dj.VirtualModule("lab", "lab")
    tables = {"subject": lab.Subject, "species": lab.Species, "spec": lab.Spec}
    tables |= {"trial": lab.Session.Trial, "p": lab.Ana.P, "cfg": lab.Cfg}
    return [
        dj.Diagram.cascade(tables[table] & condition, part_integrity=policy).counts()
        for table, condition, policy in cases
    ]


def test_both_tell_the_same_of_a_delete(lab: Any, lab_peer: Peer) -> None:
    tables = tables_of(lab)
    cases = [case[:3] for case in CASES if case[0] != "cfg"]  # it cannot count a table of one row
    here = [
        dj.Diagram.cascade(tables[table] & condition, part_integrity=policy).counts()
        for table, condition, policy in cases
    ]
    there = lab_peer(counted, cases=cases)
    assert [positive(counts) for counts in here] == [positive(counts) for counts in there]


def positive(counts: dict[str, int]) -> dict[str, int]:
    return {name: number for name, number in counts.items() if number}
