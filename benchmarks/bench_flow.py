"""Whole pipelines: six tables on two processes, cheap and dear keys on Dask, a chain that is watched."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any, Final

import numpy as np
import polars as pl

import djflow as dj
from benchmarks import dag
from benchmarks.peer import datajoint_times
from benchmarks.report import AtMost, Row, as_size, limit
from benchmarks.server import SCHEMA, Bench, open_database
from benchmarks.timing import scaled, seconds
from djflow.pipeline.events import Ended

WORKERS: Final = 2
TRIVIAL: Final = 10_000
TOGETHER: Final = 64  # keys a task of the bare run on Dask
DEAR: Final = 400  # keys of 50 ms
WATCHED: Final = 20
FLOW_MEMORY: Final = (10_000, 100_000)  # keys


def measure(bench: Bench) -> Iterator[Row]:
    """Against what the processors could do at best."""
    yield from _six_tables(bench)
    yield from _on_dask(bench)
    yield _watched(bench)
    yield from _memory(bench)


def _sourced(bench: Bench, tables: Any, prefix: str, keys: int) -> dict[str, Any]:
    found = dag.declared(bench.schema, dj, tables, prefix)
    found["Source"]().insert(pl.DataFrame({"number": np.arange(keys, dtype="int32")}))
    return found


def _six_tables(bench: Bench) -> Iterator[Row]:
    keys = scaled(dag.KEYS)
    found = _sourced(bench, dag.SIX, "Dag", keys)
    flow = dj.Flow(found["Report"])
    taken = seconds(lambda: flow.populate(executor="processes", workers=WORKERS, display_progress=False))
    assert all(len(found[name]()) == keys for name in dag.SIX)
    peer = datajoint_times(bench, "six_tables", keys, WORKERS)
    bound = dag.work(keys) / WORKERS
    yield Row("six tables, two processes", taken, "work of the makes / 2", bound, AtMost(1.15))
    yield peer.row("six tables, two processes", taken, "dag", note=", table by table")


def _on_dask(bench: Bench) -> Iterator[Row]:
    from distributed import Client, LocalCluster

    trivial = _sourced(bench, {"Made": (("Source",), 0)}, "Trivial", scaled(TRIVIAL))["Made"]()
    dear = _sourced(bench, {"Made": (("Source",), 50)}, "Dear", scaled(DEAR))["Made"]()
    bench.run("CREATE TABLE bench.bare (number int PRIMARY KEY, value int)")
    make: Any = LocalCluster
    with (
        make(n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        dear.populate(executor=client, reserve_jobs=True, max_calls=8)  # workers import what they need
        trivial.populate(executor=client, reserve_jobs=True, max_calls=64)
        left = len(trivial.jobs.pending)
        by_hand = seconds(lambda: _bare(bench, client, left))
        ours = seconds(lambda: trivial.populate(executor=client, reserve_jobs=True))
        yield Row("populate on Dask, trivial keys", ours, "bare Dask, 64 a task", by_hand, AtMost(3))
        ideal = len(dear.jobs.pending) * 0.05 / WORKERS
        taken = seconds(lambda: dear.populate(executor=client, reserve_jobs=True))
        yield Row("populate on Dask, 50 ms a key", taken, "ideal of two processors", ideal, AtMost(1 / 0.95))


def _bare(bench: Bench, client: Any, keys: int) -> None:
    tasks = [list(range(start, min(start + TOGETHER, keys))) for start in range(0, keys, TOGETHER)]
    client.gather(client.map(bare_inserts, [bench.url] * len(tasks), tasks, pure=False))


def bare_inserts(url: str, keys: list[int]) -> None:
    """What a task does that knows nothing of tables: a connection, rows one by one, one commit."""
    import psycopg

    with psycopg.connect(url) as connection:
        for key in keys:
            connection.execute("INSERT INTO bench.bare VALUES (%s, %s)", (key, 1))


def _watched(bench: Bench) -> Row:
    """From an insert to the end of three tables, in a process of its own that watches."""
    source = dag.declared(bench.schema, dj, dag.CHAIN, "Watched")["Source"]()
    bench.schema.create()
    code = f"import sys; from benchmarks.bench_flow import watch; watch({str(bench.home)!r})"
    watching = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert watching.stdout is not None
    times = []
    for number in range(WATCHED + 1):
        begun = perf_counter()
        source.insert1({"number": number})
        assert watching.stdout.readline() == "done\n"
        times.append(perf_counter() - begun)
        sleep(0.1)
    watching.terminate()
    watching.wait()
    return limit("watch, insert to the end of three tables", median(times[1:]), 0.1)


def watch(home: str) -> None:
    """Watch the chain, and tell whenever its end was reached."""
    schema = dj.Schema(SCHEMA, connection=open_database(Path(home)))
    last = dag.declared(schema, dj, dag.CHAIN, "Watched")["Third"]
    for event in dj.Flow(last).events(watch=True):
        if isinstance(event, Ended) and event.table is last:
            print("done", flush=True)


def _memory(bench: Bench) -> Iterator[Row]:
    """Peak memory of processes that fill two tables, of few keys and of many."""
    few, many = (_peak(bench, scaled(keys)) for keys in FLOW_MEMORY)
    name, peer = (f"{scaled(keys):,} keys" for keys in reversed(FLOW_MEMORY))
    yield Row(f"memory of a flow, {name}", many, peer, few, AtMost(1.3), as_size)
    yield limit(f"memory of a flow, {name}", many, 300e6, as_size)


def _peak(bench: Bench, keys: int) -> int:
    code = f"from benchmarks.bench_flow import fill; fill({str(bench.home)!r}, {keys})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


def fill(home: str, keys: int) -> None:
    """Fill two tables, and tell the most memory that this process had."""
    import resource

    schema = dj.Schema(SCHEMA, connection=open_database(Path(home)))
    found = dag.declared(schema, dj, {"A": (("Source",), 0), "B": (("A",), 0)}, f"Of{keys}")
    found["Source"]().insert(pl.DataFrame({"number": np.arange(keys, dtype="int32")}))
    dj.Flow(found["B"]).populate(display_progress=False)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
