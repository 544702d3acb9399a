"""What DataJoint takes for the same tasks: prints seconds by name as JSON.

Run by `benchmarks.peer`, which tells DataJoint through the environment where the server is.
"""

import json
import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

import datajoint as dj
import numpy as np

from benchmarks import dag, rig, star, tables
from benchmarks.store_names import BUCKET, FOLDER
from benchmarks.timing import per_call, race, seconds

Times = dict[str, float]


def fetch(schema: Any) -> Times:
    """All rows of the table of trials as a Polars frame."""
    trial = _manual(schema, "Trial", tables.TRIAL)
    trial().to_polars(limit=10)
    return {"to_polars": seconds(trial().to_polars)}


def restrict(schema: Any, rows: int, count: int) -> Times:
    """The rows of some keys, held in a list of dicts."""
    trial = _manual(schema, "Trial", tables.TRIAL)
    keys = tables.some_keys(rows, count).to_dicts()

    def restricted() -> object:
        return (trial & keys).to_polars()

    (trial & keys[:10]).to_polars()
    return {"restrict": seconds(restricted)}


def fetch1(schema: Any, calls: int) -> Times:
    """One row by its key."""
    trial = _manual(schema, "Trial", tables.TRIAL)

    def one() -> object:
        return (trial & {"session": 0, "trial": 7}).fetch1()

    one()
    return {"fetch1": seconds(per_call(one, calls)) / calls}


def insert(schema: Any, rows: int) -> Times:
    """Rows from a Polars frame; the time of one row."""
    sample = _manual(schema, "PeerSample", tables.SAMPLE)
    frame = tables.samples(rows)

    def empty() -> None:
        sample().delete_quick()

    (whole,) = race(lambda: sample.insert(frame), repeats=3, prepare=empty)
    return {"insert": whole / rows}


def populate(schema: Any, keys: int) -> Times:
    """A table with one trivial row for each key; the time of one key, without and with a queue."""

    def make(self: Any, key: Mapping[str, Any]) -> None:
        self.insert1({**key, "twice": 2 * key["number"]})

    source = _manual(schema, "PeerSource", tables.SOURCE)
    body = {"definition": tables.RESULT.format(source="PeerSource"), "make": make}
    result = schema(type("PeerResult", (dj.Computed,), body), context={"PeerSource": source})
    source.insert([{"number": number} for number in range(keys)])

    def empty() -> None:
        result().delete_quick()

    (whole,) = race(result.populate, repeats=1, prepare=empty)
    (reserved,) = race(lambda: result.populate(reserve_jobs=True), repeats=1, prepare=empty)
    return {"populate": whole / keys, "reserved": reserved / keys}


def six_tables(schema: Any, keys: int, workers: int) -> Times:
    """Six tables, one after the other."""
    found = dag.declared(schema, dj, dag.SIX, "PeerDag")
    found["Source"]().insert([{"number": number} for number in range(keys)])

    def populate() -> None:
        for name in dag.SIX:
            found[name]().populate(processes=workers)

    return {"dag": seconds(populate)}


def delete(schema: Any, doomed: int) -> Times:
    """Some subjects with all that depends on them."""
    subject = rig.declared(schema, dj).RigSubject
    return {"delete": seconds(lambda: (subject & f"subject <= {doomed}").delete(prompt=False))}


def delete_by_keys(schema: Any, doomed: int) -> Times:
    """The sessions of some subjects, chosen by their keys, with all that depends on them."""
    session = rig.declared(schema, dj).RigSession
    keys = (session & f"subject <= {doomed}").keys()
    return {"delete_by_keys": seconds(lambda: (session & keys).delete(prompt=False))}


def blobs(schema: Any) -> Times:
    """All arrays of two tables of blobs."""
    counts, noise = (_manual(schema, name, tables.TRACE) for name in ("Counts", "Noise"))
    counts().to_arrays("voltage", limit=2)
    return {
        "compressed": seconds(lambda: counts().to_arrays("voltage")),
        "plain": seconds(lambda: noise().to_arrays("voltage")),
    }


def npy(schema: Any, count: int, in_bucket: int) -> Times:
    """Arrays written to a store, and read."""
    name, store = ("PeerBucket", BUCKET) if in_bucket else ("PeerFolder", FOLDER)
    table = _manual(schema, name, tables.ARRAY.format(store=store))

    def read() -> int:
        return sum(len(np.asarray(trace)) for trace in table().to_arrays("trace"))

    return {"write": seconds(lambda: table().insert(tables.arrays(count))), "read": seconds(read)}


def query(schema: Any, number: int) -> Times:
    """One of the queries over the star, once, and how many rows it gave."""
    classes = SimpleNamespace(**star.declared(schema, dj.Manual))
    written = list(star.QUERIES.values())[number]
    classes.Rig().to_polars()
    heights: list[int] = []

    def fetched() -> None:
        heights.append(written(dj, classes).to_polars().height)

    return {"query": seconds(fetched), "rows": float(heights[0])}


def _manual(schema: Any, name: str, definition: str) -> Any:
    """A class of the schema's table of this name, which djflow may have made."""
    return schema(type(name, (dj.Manual,), {"definition": definition}))


TASKS: Final[Mapping[str, Callable[..., Times]]] = {
    task.__name__: task
    for task in (
        *(fetch, restrict, fetch1, insert, delete, delete_by_keys),
        *(populate, six_tables, blobs, npy, query),
    )
}


def main(schema: str, task: str, *sizes: str) -> None:
    dj.config["safemode"] = False
    found = TASKS[task](dj.Schema(schema), *map(int, sizes))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
