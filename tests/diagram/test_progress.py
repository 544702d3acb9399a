"""How far a pipeline is, as a diagram tells it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

import djflow as dj
from djflow.diagram.state import State
from djflow.errors import QueryError
from djflow.relation.database import Database
from djflow.sql.identifiers import qualified
from djflow.tables.schema import Schema

numbers = st.integers(0, 10**6)


@given(numbers, numbers, numbers, st.none() | numbers)
def test_shares_are_shares(rows: int, missing: int, errors: int, keys: int | None) -> None:
    total = None if keys is None else missing + keys
    state = State(rows, missing=missing, errors=errors, keys=total)
    assert state.made is not None
    assert 0 <= state.made <= 1
    assert state.failed >= 0
    assert state.made + state.failed <= 1 + 1e-9
    assert (state.made == 1) == (missing == 0)


def test_a_table_that_nothing_is_made_for_has_no_bar() -> None:
    assert (State(3).made, State(3).failed, State(3).words) == (None, 0, ("3 rows",))
    assert State(1, missing=0, errors=2, running=1).words == ("1 row", "2 errors, 1 running")


def declare(schema: Schema) -> Any:
    @schema
    class Recording(dj.Manual):
        definition = "recording : int32"

    @schema
    class Fit(dj.Computed):
        definition = """
        -> Recording
        ---
        value : float64
        """

        class Item(dj.Part):
            definition = """
            -> master
            item : int32
            """

        def make(self, key: dict[str, Any]) -> None:
            if key["recording"] == 3:
                raise ValueError("noise")
            self.insert1({**key, "value": 1.0})
            self.Item().insert([{**key, "item": n} for n in (1, 2)])

    @schema
    class Event(dj.Imported):
        definition = """
        -> Recording
        event : int32
        """
        allow_new_key = True

        @property
        def key_source(self) -> Any:
            return Recording & "recording <= 4"

        def make(self, key: dict[str, Any]) -> None:
            self.insert([{**key, "event": n} for n in range(5)])

    return Recording, Fit, Event


def test_one_picture_tells_what_is_made_and_what_is_not(schema: Schema, database: Database) -> None:
    Recording, _, Event = declare(schema)  # noqa: N806 - classes
    Recording().insert([(n,) for n in range(10)])
    Event().populate("recording < 2")
    dj.Diagram(schema).populate("recording < 6 and recording > 1", max_calls=3)
    plain, told = dj.Diagram(schema), dj.Diagram(schema).progress()
    assert told == plain
    assert str(told) == snapshot("""\
Recording  manual  10 rows
├── Fit  computed  2 rows · 8 missing (1 error)
│   └── Item  part  4 rows
└── Event  imported  25 rows\
""")
    status = told.status()
    assert status.drop("bytes", "table").to_dict(as_series=False) == snapshot(
        {
            "tier": ["manual", "computed", "part", "imported"],
            "rows": [10, 2, 4, 25],
            "is_estimate": [False, False, False, False],
            "missing": [None, 8, None, 0],
            "errors": [0, 1, 0, 0],
            "running": [0, 0, 0, 0],
        }
    )
    assert status["table"].to_list() == [
        f"{schema.database}.{name}" for name in ("Recording", "Fit", "Fit.Item", "Event")
    ]
    assert (status["bytes"] > 0).all()
    assert plain.status().equals(status)
    picture = told.make_svg()
    assert picture.count("8 missing (1 error)") == 1
    assert "missing" not in plain.make_svg()
    assert "missing" in (told - Recording).make_dot()
    # Somebody else, who has no classes, still sees rows and errors.
    stranger = Database(lambda: database.settings)
    try:
        seen = dj.Diagram(Schema(schema.database, connection=stranger)).status()
    finally:
        stranger.close()
    assert seen["missing"].null_count() == 4
    assert seen["errors"].to_list() == status["errors"].to_list()


def test_of_many_rows_an_estimate_is_told(schema: Schema, database: Database) -> None:
    Recording, *_ = declare(schema)  # noqa: N806 - a class
    schema.create()
    name = qualified(Recording().table_model.name)
    database.query(f"INSERT INTO {name} SELECT generate_series(1, 300000)")
    database.query(f"ANALYZE {name}")
    first = dj.Diagram(Recording).status().row(0, named=True)
    assert (first["rows"], first["is_estimate"]) == (300_000, True)
    assert first["bytes"] > 10**7
    assert "≈300 k rows" in str(dj.Diagram(Recording).progress())


def test_progress_is_of_whole_tables(schema: Schema) -> None:
    Recording, *_ = declare(schema)  # noqa: N806 - a class
    with pytest.raises(QueryError, match=r"whole tables, not of .*cascade.*counts\(\)"):
        dj.Diagram.cascade(Recording & {"recording": 1}).progress()
