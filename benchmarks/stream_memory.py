"""How much memory a fresh process needs at most that streams all responses: prints it as JSON.

Run by `benchmarks.bench_stream`. Libraries are part of it.
"""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import djflow as dj
from benchmarks import star
from benchmarks.server import SCHEMA, open_database
from benchmarks.timing import memory, seconds
from djflow.engine.compile import compile_plan

Drain = Callable[[Any, Path], int]


def batches(response: Any, _home: Path) -> int:
    """The record batches of `to_batches`, each dropped for the next."""
    return sum(batch.num_rows for batch in response.to_batches())


def restricted(response: Any, _home: Path) -> int:
    """The record batches of a restriction, whose value is a parameter, that leaves all rows."""
    return batches(response & "rt > -1000", _home)


def parquet(response: Any, home: Path) -> int:
    """A Parquet file, written by Polars through `lazy`."""
    import pyarrow.parquet as pq

    file = home / "responses.parquet"
    response.lazy().sink_parquet(file)
    rows = int(pq.read_metadata(file).num_rows)
    file.unlink()
    return rows


def bare(response: Any, _home: Path) -> int:
    """The record batches of the bare driver for the same SQL."""
    from adbc_driver_postgresql import dbapi

    sql = compile_plan(response.logical_plan).statement.sql
    url = response.connection.session.conninfo()
    with closing(dbapi.connect(url, autocommit=True)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        return sum(batch.num_rows for batch in cursor.fetch_record_batch())


WAYS: Final[Mapping[str, Drain]] = {drain.__name__: drain for drain in (batches, restricted, parquet, bare)}


def main(home: str, way: str) -> None:
    database = open_database(Path(home))
    response = star.declared(dj.Schema(SCHEMA, connection=database), dj.Manual)["Response"]()
    expected = star.SUBJECTS * star.SESSIONS_OF_SUBJECT * star.responses_of_session()
    database.query("SELECT 1")  # the server runs, and psycopg is there
    rows = []
    elapsed = seconds(lambda: rows.append(WAYS[way](response, Path(home))))
    assert rows == [expected], f"{rows} rows instead of {expected}"
    database.close()
    print(json.dumps({"peak": memory("VmHWM"), "seconds": elapsed}))


if __name__ == "__main__":
    main(*sys.argv[1:])
