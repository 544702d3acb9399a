"""What DataJoint changes in tables that djflow declared is right, here and there."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from psycopg.conninfo import make_conninfo
from tests.interop.peer import Peer
from tests.interop.pipeline import declare

import djflow as dj
from djflow.errors import IntegrityError


def rows_in(ours: SimpleNamespace) -> dict[str, int]:
    """The number of rows of every table, parts included."""
    tables = [*vars(ours).values(), ours.Session.Trial, ours.Score.Step]
    return {table.__name__: len(table()) for table in tables}


def inserts(dj: Any, schema: str) -> None:
    import datetime as dt

    import numpy as np

    lab = dj.VirtualModule("lab", schema)
    lab.Animal.insert1(
        {
            "animal": 7,
            "kind": "dog",
            "tiny": -128,
            "large": 2**62,
            "single": 0.1,
            "double": -1e300,
            "alive": False,
            "weight": "-12345.678",
            "code": "abcd",
            "name": "it's \\ %s é\n",
            "side": "r",
            "born": dt.date(2024, 2, 29),
            "seen": dt.datetime(2024, 5, 6, 7, 8, 9, 123456),
            "told": "2024-05-06 07:08:09.123",
            "meta": {"k": [1, None], "deep": {"x": "ü"}},
            "raw": b"\x00\xff",
            "trace": {"a": np.arange(6, dtype=np.int16).reshape(2, 3), "b": [1, "two", None, {"c": 2.5}]},
            "picture": np.linspace(0, 1, 5),
            "notes": {"q": np.eye(2), "by": ("ann", 3)},
            "packed": b"packed",
        }
    )
    lab.Animal.insert1({"animal": 8, "kind": "cat"})
    lab.Pair.insert1({"animal": 7, "food": "cat", "mate": 8, "twin": None})
    lab.Session.insert([(7, session, "2024-01-01") for session in (1, 2)])
    lab.Session.Trial.insert([(7, 1, trial, trial / 4) for trial in range(3)])


def test_rows_that_datajoint_inserts_are_read(ours: SimpleNamespace, schema: dj.Schema, peer: Peer) -> None:
    schema.protect_rows(ours.Animal, ours.Session)  # rows have owners that it does not see
    peer(inserts, schema=schema.database)
    row = (ours.Animal & {"animal": 7}).fetch1()
    trace, picture, notes = row.pop("trace"), row.pop("picture"), row.pop("notes")
    assert row == {
        "animal": 7,
        "kind": "dog",
        "tiny": -128,
        "small": 3,
        "large": 2**62,
        "single": float(np.float32(0.1)),
        "double": -1e300,
        "alive": False,
        "weight": Decimal("-12345.678"),
        "code": "abcd",
        "name": "it's \\ %s é\n",
        "side": "r",
        "born": dt.date(2024, 2, 29),
        "seen": dt.datetime(2024, 5, 6, 7, 8, 9, 123456),
        "told": dt.datetime(2024, 5, 6, 7, 8, 9, 123000),
        "uid": None,
        "meta": {"k": [1, None], "deep": {"x": "ü"}},
        "raw": b"\x00\xff",
        "packed": b"packed",
    }
    np.testing.assert_array_equal(trace["a"], np.arange(6, dtype=np.int16).reshape(2, 3))
    assert trace["b"] == [1, "two", None, {"c": 2.5}]
    np.testing.assert_array_equal(np.asarray(picture), np.linspace(0, 1, 5))
    np.testing.assert_array_equal(notes["q"], np.eye(2))
    assert notes["by"] == ("ann", 3)
    sparse = (ours.Animal & {"animal": 8}).fetch1()
    assert (sparse["small"], sparse["alive"], sparse["name"], sparse["side"]) == (3, True, "x", "l")
    assert isinstance(sparse["seen"], dt.datetime)
    assert (ours.Pair & {"animal": 7}).fetch1("mate", "twin") == (8, None)
    assert len(ours.Session & {"animal": 7}) == 2
    assert (ours.Session.Trial & {"animal": 7}).to_arrays("rt").tolist() == [0, 0.25, 0.5]
    assert ours.Read.populate({"animal": 7})["success"] == 2


def updates(dj: Any, schema: str) -> None:
    import numpy as np

    lab = dj.VirtualModule("lab", schema)
    lab.Animal.update1({"animal": 0, "name": "new", "small": None, "trace": np.arange(2), "side": "l"})
    lab.Pair.update1({"animal": 3, "food": "dog", "mate": None})


def test_rows_that_datajoint_updates_are_read(ours: SimpleNamespace, schema: dj.Schema, peer: Peer) -> None:
    peer(updates, schema=schema.database)
    row = (ours.Animal & {"animal": 0}).fetch1()
    assert (row["name"], row["small"], row["trace"].tolist(), row["side"]) == ("new", 3, [0, 1], "l")
    assert (ours.Pair & {"animal": 3}).fetch1("mate", "twin") == (None, 1)


def deletes(dj: Any, schema: str, table: str, key: dict[str, Any]) -> int:
    lab = dj.VirtualModule("lab", schema)
    return int((getattr(lab, table) & key).delete())


def trials(number: int) -> dict[str, int]:
    """What goes with a session that has trials: they, what was read, and what was computed from that."""
    return {"Session": number, "Trial": 3 * number, "Read": number, "Score": 2 * number, "Step": 6 * number}


@pytest.mark.parametrize(
    ("table", "key", "gone"),
    [
        ("Session", {"animal": 0, "session": 1}, trials(1)),
        ("Animal", {"animal": 2}, {"Animal": 1, "Session": 1, "Pair": 1}),
        ("Animal", {"animal": 1}, {"Animal": 1, "Pair": 2, **trials(1)}),
        # the scores of the other animals for this kind, too
        ("Kind", {"kind": "dog"}, {"Kind": 1, "Animal": 2, "Pair": 3, **trials(1), "Score": 4, "Step": 12}),
    ],
)
def test_both_delete_the_same_rows(
    ours: SimpleNamespace,
    schema: dj.Schema,
    peer: Peer,
    table: str,
    key: dict[str, Any],
    gone: dict[str, int],
) -> None:
    before = rows_in(ours)

    class Undo(Exception):  # noqa: N818 - no error
        pass

    with pytest.raises(Undo), schema.transaction:  # noqa: PT012 - that it is undone is the point
        assert (getattr(ours, table) & key).delete(prompt=False) == gone[table]
        here = rows_in(ours)
        raise Undo
    assert rows_in(ours) == before
    assert peer(deletes, schema=schema.database, table=table, key=key) == gone[table]
    assert here == rows_in(ours) == {name: rows - gone.get(name, 0) for name, rows in before.items()}


def tries_to_delete(dj: Any, schema: str) -> list[str]:
    lab = dj.VirtualModule("lab", schema)
    lab.Animal.insert1({"animal": 50, "kind": "cat"})
    lab.Session.insert1((50, 1, "2024-01-01"))
    told = []
    for action in (
        (lab.Animal & {"animal": 2}).delete,
        lambda: lab.Animal.update1({"animal": 2, "name": "mine"}),
        (lab.Animal & {"animal": 50}).delete,
    ):
        try:
            action()
            told.append("done")
        except Exception as error:  # noqa: BLE001 - whatever it makes of what the server says
            told.append(str(error))
    return told


def test_a_colleagues_rows_are_safe_from_datajoint_too(
    ours: SimpleNamespace, schema: dj.Schema, peer: Peer, connection: Any
) -> None:
    role = f"{schema.database}_ann"
    connection.execute(f'CREATE ROLE "{role}" LOGIN')
    try:
        schema.grant(role, "writer")
        schema.protect_rows(ours.Animal, ours.Session)
        before = rows_in(ours)
        told = replace(peer, url=make_conninfo(peer.url, user=role))(tries_to_delete, schema=schema.database)
        assert "belong" in told[0]
        assert "belong" in told[1]
        assert told[2] == "done"
        assert rows_in(ours) == before
        assert (ours.Animal & {"animal": 2}).fetch1("name") != "mine"
    finally:
        connection.execute(f'DROP OWNED BY "{role}"')
        connection.execute(f'DROP ROLE "{role}"')


def populates(dj: Any, schema: str, *, reserve_jobs: bool) -> dict[str, Any]:
    known = dj.Schema(schema)
    tables = declare(dj, known)
    tables.Read.populate(reserve_jobs=reserve_jobs)
    tables.Score.populate(reserve_jobs=reserve_jobs)
    return {"progress": tables.Score.progress(display=False), "tables": known.list_tables()}


@pytest.mark.parametrize("reserve_jobs", [False, True])
def test_tables_of_djflow_are_populated_there(
    ours: SimpleNamespace, schema: dj.Schema, peer: Peer, *, reserve_jobs: bool
) -> None:
    assert (ours.Read.progress(), ours.Score.progress()) == ((1, 4), (0, 6))
    listed = schema.list_tables()
    found = peer(populates, declare, schema=schema.database, reserve_jobs=reserve_jobs)
    assert (found["progress"], sorted(found["tables"])) == ([0, 8], sorted(listed))
    assert (ours.Read.progress(), ours.Score.progress()) == ((0, 4), (0, 8))
    assert ours.Score.populate()["success"] == 0
    assert (ours.Score & {"animal": 2}).to_arrays("y").tolist() == [3, 3]
    assert (ours.Score.Step & {"animal": 2}).to_arrays("value").tolist() == [0, 0.5, 1] * 2
    names = "_job_start_time, _job_duration, _job_version"
    for table in ("_read", "__score"):
        rows = schema.connection.query(f'SELECT {names} FROM "{schema.database}"."{table}" WHERE animal = 2')
        assert rows
        for start, duration, version in rows:
            assert abs(dt.datetime.now(dt.UTC).replace(tzinfo=None) - start) < dt.timedelta(days=1)
            assert 0 <= duration < 60
            assert isinstance(version, str)


def fails(dj: Any, schema: str) -> list[Any]:
    tables = declare(dj, dj.Schema(schema))

    def boom(self: Any, key: dict[str, Any]) -> None:  # noqa: ARG001 - as declared
        raise ValueError("boom")

    tables.Read.make = boom
    tables.Read.populate(reserve_jobs=True, suppress_errors=True)
    return [
        (job["animal"], job["session"], job["error_message"]) for job in tables.Read.jobs.errors.to_dicts()
    ]


def test_queues_of_datajoint_are_left_alone_and_go_with_their_tables(
    ours: SimpleNamespace, schema: dj.Schema, peer: Peer
) -> None:
    assert peer(fails, declare, schema=schema.database) == [[2, 1, "ValueError: boom"]]
    assert schema.list_tables() == [table.table_name for table in schema]
    assert "~~" not in "".join([*schema.list_tables(), schema.save(), str(dj.Diagram(schema))])
    assert ours.Read.populate()["success"] == 1
    (ours.Session & {"animal": 2}).delete(prompt=False)
    query = f'SELECT animal, session, status FROM "{schema.database}"."~~read"'
    assert [tuple(row) for row in schema.connection.query(query)] == [(2, 1, "error")]
    ours.Read.drop(prompt=False)
    relations = "SELECT relname::text FROM pg_class WHERE relnamespace = $1::text::regnamespace"
    assert "~~read" not in {name for (name,) in schema.connection.query(relations, [schema.database])}
    origins = schema.connection.query(f'SELECT DISTINCT table_name FROM "{schema.database}"."~lineage"')
    assert {"~~read", "_read", "__score", "__score__step"}.isdisjoint(name for (name,) in origins)


def extends(dj: Any, schema: str, own: str) -> None:
    lab = dj.VirtualModule("lab", schema)
    mine = dj.Schema(own)

    @mine
    class Review(dj.Manual):  # type: ignore[misc]
        definition = """
        -> lab.Session.proj(reviewed='session')
        ---
        -> [nullable] lab.Score
        verdict : enum('good','bad')
        """

    keys = lab.Session.keys()
    Review.insert([{"animal": k["animal"], "reviewed": k["session"], "verdict": "good"} for k in keys])


def test_tables_of_datajoint_that_depend_on_ours_are_found(
    ours: SimpleNamespace, schema: dj.Schema, peer: Peer
) -> None:
    own = f"{schema.database}_own"
    (ours.Animal & "animal = 99").delete(prompt=False)  # the graph is known now, and then no longer true
    peer(extends, schema=schema.database, own=own)
    other = dj.Schema(own, connection=schema.connection)
    review = other["Review"]
    assert len(ours.Session.proj(reviewed="session") * review) == 4
    counts = dj.Diagram.cascade(ours.Animal & {"animal": 0}).counts()
    assert counts[f'"{own}"."review"'] == 2
    with pytest.raises(IntegrityError):
        (ours.Session & {"animal": 0}).delete_quick()
    (ours.Animal & {"animal": 0}).delete(prompt=False)
    assert sorted(review.to_arrays("animal").tolist()) == [1, 2]
    with pytest.raises(dj.DataJointError, match="review"):
        schema.drop(prompt=False)
    other.drop(prompt=False)
