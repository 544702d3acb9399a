"""A key that takes longer than a lease is made once, whatever its `make` does meanwhile."""

import time
from typing import Any

import numpy as np
import pytest

import djflow as dj
from djflow.relation.database import Database
from djflow.tables.schema import Schema


@pytest.fixture
def database(database: Database) -> Any:
    """With leases of a second."""
    from djflow.configuration import changed

    settings = changed(database.settings, {"jobs": {"lease": 1}})
    with_leases = Database(lambda: settings)
    yield with_leases
    with_leases.close()


@pytest.mark.parametrize("way", ["holds back", "reads what it wrote", "stores objects"])
def test_a_make_may_take_longer_than_a_lease(schema: Schema, way: str) -> None:
    calls: list[Any] = []

    @schema
    class Number(dj.Lookup):
        definition = "number : int32"
        contents = [(n,) for n in range(2)]  # noqa: RUF012 - as users write it

    @schema
    class Slow(dj.Computed):
        definition = """
        -> Number
        ---
        trace = null : <npy@>
        """

        def make(self, key: dict[str, Any]) -> None:
            calls.append(key)
            self.insert1({**key, "trace": np.zeros(3) if way == "stores objects" else None})
            if way == "reads what it wrote":
                assert len(self & key) == 1
            time.sleep(1.5)

    assert dj.Flow(Slow).populate(display_progress=False)["made"].to_list() == [2]
    assert len(calls) == 2
