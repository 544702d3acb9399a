"""What DataJoint sees of tables that djflow declared and filled."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.interop.peer import Peer
from tests.interop.pipeline import animal

import djflow as dj

TABLES = [
    "#kind", "#setup", "animal", "pair", "session", "session__trial", "_read", "__score", "__score__step"
]  # fmt: skip


def sees(dj: Any, schema: str) -> dict[str, Any]:
    known = dj.Schema(schema)
    lab = dj.VirtualModule("lab", schema)
    tables = (lab.Animal, lab.Pair, lab.Session, lab.Session.Trial, lab.Read, lab.Score, lab.Score.Step)
    return {
        "listed": known.list_tables(),
        "iterated": [table.table_name for table in known],
        "classes": [name for name in dir(lab) if name[0].isupper()],
        "tiers": [table.__mro__[1].__name__ for table in (*tables, lab.Kind, lab.Setup)],
        "keys": [table.primary_key for table in tables],
        "headings": [list(table.heading.names) for table in tables],
        "animal": lab.Animal.describe().splitlines(),
        "pair": lab.Pair.describe().splitlines(),
        "diagram": dj.Diagram(known).make_mermaid().splitlines(),
        "setup": lab.Setup.fetch1(),
        "parents": lab.Pair.parents(),
        "children": sorted(lab.Animal.children()),
    }


def edges(lines: list[str]) -> set[tuple[str, str]]:
    """The pairs of tables between which a flowchart has an arrow; those of renamed keys are doubled."""
    arrows = (line.split("-->") for line in lines if "-->" in line)
    return {(start.strip(), end.strip()) for start, end in arrows}


@pytest.fixture
def place(schema: dj.Schema, ours: SimpleNamespace) -> str:
    """The schema's name, once it has all that djflow keeps for itself: hidden tables and columns."""
    keep_books(schema, ours)
    return schema.database


def keep_books(schema: dj.Schema, ours: SimpleNamespace) -> None:
    schema.grant(schema.connection.query("SELECT current_user::text")[0][0], "reader")
    schema.protect_rows(ours.Animal, ours.Session)
    definition = ours.Setup.definition
    for text in (definition.replace("the only one", "the one"), definition):
        ours.Setup.definition = text
        ours.Setup.alter(prompt=False)
    hidden = schema.connection.query(
        "SELECT relname::text FROM pg_class WHERE relnamespace = $1::text::regnamespace "
        "AND relkind = 'r' AND relname LIKE '~%' ORDER BY 1",
        [schema.database],
    )
    assert [name for (name,) in hidden] == ["~grants", "~lineage", "~migrations", "~objects"]


def test_bookkeeping_of_djflow_is_not_seen(ours: SimpleNamespace, schema: dj.Schema, peer: Peer) -> None:
    before = peer(sees, schema=schema.database)
    keep_books(schema, ours)
    after = peer(sees, schema=schema.database)
    for seen in (before, after):
        seen["diagram"] = edges(seen["diagram"])  # it numbers the nodes of renamed keys anew each time
        for order in ("listed", "iterated"):  # children behind their parents, the rest by chance
            seen[order] = sorted(seen[order])
    assert after == before


def test_tables_keys_and_foreign_keys_are_seen_as_declared(
    ours: SimpleNamespace, peer: Peer, place: str
) -> None:
    seen = peer(sees, schema=place)
    assert sorted(seen["listed"]) == sorted(seen["iterated"]) == sorted(TABLES)
    assert seen["classes"] == sorted(vars(ours))
    assert seen["tiers"] == [
        "Manual", "Manual", "Manual", "Part", "Imported", "Computed", "Part", "Lookup", "Lookup"
    ]  # fmt: skip
    declared = (ours.Animal, ours.Pair, ours.Session, ours.Session.Trial, ours.Read, ours.Score)
    tables = [table() for table in (*declared, ours.Score.Step)]
    assert seen["keys"] == [table.primary_key for table in tables]
    assert seen["headings"] == [list(table.heading.names) for table in tables]
    assert seen["setup"] == {"rate": 2.5}
    assert edges(seen["diagram"]) == {
        ("lab_Kind", "lab_Animal"),
        ("lab_Kind", "lab_Pair"),
        ("lab_Kind", "lab_Score"),
        ("lab_Animal", "lab_Pair"),
        ("lab_Animal", "lab_Session"),
        ("lab_Session", "lab_Read"),
        ("lab_Session", "lab_Session_Trial"),
        ("lab_Read", "lab_Score"),
        ("lab_Score", "lab_Score_Step"),
    }
    own = [f'"{place}"."{name}"' for name in ("#kind", "animal", "pair", "session")]
    assert seen["parents"] == [own[1]] * 3 + [own[0]]
    assert seen["children"] == [own[2]] * 3 + [own[3]]


def test_types_and_options_are_described_as_declared(ours: SimpleNamespace, peer: Peer, place: str) -> None:
    seen = peer(sees, schema=place)
    assert seen["animal"][0] == "# all types"
    described = [line.rsplit(" : ", 1) for line in seen["animal"] if " : " in line]
    types = {line[0].partition("=")[0].strip(): line[1].strip() for line in described}
    heading = ours.Animal().heading
    assert types == {name: str(heading[name].type) for name in heading.names if name != "kind"}
    # It leaves out [unique] from what it declared itself, too.
    assert seen["pair"] == [
        "-> lab.Animal",
        '-> lab.Kind.proj(food="kind")',
        "---",
        '-> [nullable] lab.Animal.proj(mate="animal")',
        '-> [nullable] lab.Animal.proj(twin="animal")',
    ]


def reads(dj: Any, schema: str) -> dict[str, Any]:
    import numpy as np

    lab = dj.VirtualModule("lab", schema)
    row = (lab.Animal & {"animal": 2}).fetch1()
    trace, picture, notes = row.pop("trace"), row.pop("picture"), row.pop("notes")
    raw, packed = row.pop("raw"), row.pop("packed")
    born = lab.Animal.to_arrays("born", order_by="animal")
    return {
        "row": row,
        "trace": [np.asarray(trace).tolist(), str(trace.dtype)],
        "picture": np.asarray(picture).tolist(),
        "notes": [notes["q"].tolist(), notes["by"]],
        "bytes": [bytes(raw).hex(), bytes(packed).decode()],
        "born": [str(day) for day in born],
        "polars": lab.Session.Trial.to_polars().sort("animal", "session", "trial").to_dicts(),
        "nulls": lab.Pair.to_dicts(order_by="KEY"),
        "jobs": [
            (schema + "." + table.table_name, names)
            for table in (lab.Read(), lab.Score())
            for names in [[name for name in table.heading.names if name.startswith("_")]]
        ],
    }


def test_values_of_every_type_are_read(ours: SimpleNamespace, peer: Peer, place: str) -> None:
    found = peer(reads, schema=place)
    row = animal(2)
    for name in ("trace", "picture", "notes", "raw", "packed"):
        del row[name]
    assert found["row"] == {
        **row,
        "uid": None,
        "born": "2024-02-29",
        "seen": "2024-05-06 07:08:09.123456",
        "told": "2024-05-06 07:08:09.123000",
    }
    assert found["trace"] == [[[0, 1, 2], [3, 4, 5]], "int16"]
    assert found["picture"] == np.linspace(0, 1, 5).tolist()
    assert found["notes"] == [np.eye(2).tolist(), "ann"]
    assert found["bytes"] == ["00ff", "packed"]
    assert found["born"] == ["2024-02-29"] * 4
    assert found["polars"] == ours.Session.Trial.to_dicts()
    assert found["nulls"] == ours.Pair.to_dicts()
    assert [names for _, names in found["jobs"]] == [[], []]  # hidden there as here


def asks(dj: Any, schema: str) -> dict[str, Any]:
    lab = dj.VirtualModule("lab", schema)
    mates = lab.Animal.proj(..., mate="animal")

    try:
        unrelated = len(lab.Session.proj(trial="session") * lab.Session.Trial)
    except dj.DataJointError:
        unrelated = None
    return {
        "dict": (lab.Animal & {"side": "r", "kind": "dog"}).keys(order_by="KEY"),
        "text": (lab.Animal & "tiny < -1 AND alive").keys(order_by="KEY"),
        "join": (lab.Session * lab.Session.Trial * lab.Animal.proj("side")).keys(order_by="KEY"),
        "renamed": (lab.Pair * mates.proj(mate_kind="kind")).to_dicts(order_by="KEY"),
        "matching": (lab.Animal & lab.Pair).keys(order_by="KEY"),
        "except": (lab.Session - lab.Read).keys(order_by="KEY"),
        "grouped": lab.Session.aggr(lab.Session.Trial, n="count(trial)", m="avg(rt)").to_dicts(
            order_by="KEY"
        ),
        "union": len(lab.Session.proj() + lab.Read.proj()),
        "universal": dj.U("kind").aggr(lab.Animal, n="count(*)").to_dicts(order_by="kind"),
        "scored": len(lab.Score * lab.Animal.proj(..., other="animal")),
        "unrelated": unrelated,
    }


def test_queries_there_give_what_they_give_here(ours: SimpleNamespace, peer: Peer, place: str) -> None:
    there = peer(asks, schema=place)
    mates = ours.Animal.proj(..., mate="animal")
    here = {
        "dict": (ours.Animal & {"side": "r", "kind": "dog"}).keys(),
        "text": (ours.Animal & "tiny < -1 AND alive").keys(),
        "join": (ours.Session * ours.Session.Trial * ours.Animal.proj("side")).keys(),
        "renamed": (ours.Pair * mates.proj(mate_kind="kind")).to_dicts(),
        "matching": (ours.Animal & ours.Pair).keys(),
        "except": (ours.Session - ours.Read).keys(),
        "grouped": ours.Session.aggr(ours.Session.Trial, n="count(trial)", m="avg(rt)").to_dicts(),
        "union": len(ours.Session.proj() + ours.Read.proj()),
        "universal": dj.U("kind").aggr(ours.Animal, n="count(*)").to_dicts(),
        "scored": len(ours.Score * ours.Animal.proj(..., other="animal")),
        "unrelated": None,
    }
    assert there == here
    with pytest.raises(dj.DataJointError, match="trial"):
        _ = ours.Session.proj(trial="session") * ours.Session.Trial
