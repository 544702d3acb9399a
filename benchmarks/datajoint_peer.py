"""What DataJoint takes for the same tasks: prints seconds by name as JSON.

Run by `benchmarks.peer`, which tells DataJoint through the environment where the server is.
"""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import datajoint as dj

from benchmarks import tables
from benchmarks.timing import per_call, seconds

Times = dict[str, float]


def fetch(schema: Any) -> Times:
    """All rows of the table of trials as a Polars frame."""
    trial = _trial(schema)
    trial().to_polars(limit=10)
    return {"to_polars": seconds(lambda: trial().to_polars())}


def restrict(schema: Any, rows: int, count: int) -> Times:
    """The rows of some keys, held in a list of dicts."""
    trial, keys = _trial(schema), tables.some_keys(rows, count).to_dicts()
    (trial & keys[:10]).to_polars()
    return {"restrict": seconds(lambda: (trial & keys).to_polars())}


def fetch1(schema: Any, calls: int) -> Times:
    """One row by its key."""
    trial = _trial(schema)

    def one() -> object:
        return (trial & {"session": 0, "trial": 7}).fetch1()

    one()
    return {"fetch1": seconds(per_call(one, calls)) / calls}


def insert(schema: Any, rows: int) -> Times:
    """Rows from a Polars frame, the time of one row; and one row at a time."""

    class PeerSample(dj.Manual):
        definition = tables.SAMPLE

    schema(PeerSample)
    frame = tables.samples(rows)
    PeerSample.insert(frame[:10])
    PeerSample().delete_quick()
    return {"insert": seconds(lambda: PeerSample.insert(frame)) / rows}


def populate(schema: Any, keys: int) -> Times:
    """A table with one trivial row for each key."""

    class PeerSource(dj.Manual):
        definition = tables.SOURCE

    class PeerResult(dj.Computed):
        definition = tables.RESULT.format(source="PeerSource")

        def make(self, key: Mapping[str, Any]) -> None:
            self.insert1({**key, "twice": 2 * key["number"]})

    schema(PeerSource, context=locals())
    schema(PeerResult, context=locals())
    PeerSource.insert([{"number": number} for number in range(keys)])
    PeerResult.populate(max_calls=10)
    PeerResult().delete_quick()
    return {"populate": seconds(PeerResult.populate) / keys}


def blobs(schema: Any) -> Times:
    """All arrays of a table of blobs."""

    class Counts(dj.Manual):
        definition = tables.TRACE

    class Noise(dj.Manual):
        definition = tables.TRACE

    schema(Counts)
    schema(Noise)
    Counts().to_arrays("voltage", limit=2)
    return {
        "compressed": seconds(lambda: Counts().to_arrays("voltage")),
        "plain": seconds(lambda: Noise().to_arrays("voltage")),
    }


def _trial(schema: Any) -> Any:
    class Trial(dj.Manual):
        definition = tables.TRIAL

    return schema(Trial)


TASKS: Final[Mapping[str, Callable[..., Times]]] = {
    task.__name__: task for task in (fetch, restrict, fetch1, insert, populate, blobs)
}


def main(schema: str, task: str, *sizes: str) -> None:
    dj.config["safemode"] = False
    found = TASKS[task](dj.Schema(schema), *map(int, sizes))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
