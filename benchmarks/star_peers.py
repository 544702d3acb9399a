"""The sides of the race over the star's queries: each gives the rows of a query as a Polars frame."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from psycopg.conninfo import conninfo_to_dict

from benchmarks import star, star_ibis
from benchmarks.server import Bench
from benchmarks.star_sql import HAND, finished, with_keys
from benchmarks.timing import scaled

if TYPE_CHECKING:
    import polars as pl

Fetch = Callable[[], "pl.DataFrame"]
_EXTENSION: Final = "duckdb_extension_postgres_scanner"


class HandWritten:
    """SQL by hand over the bare ADBC driver, without parameters, so that rows travel by COPY."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def fetch(self, name: str) -> Fetch:
        """What gives the rows of a query, exactly as djflow does."""
        hand, keys = HAND[name], star.some_keys(scaled(star.KEYS))

        def rows() -> "pl.DataFrame":
            import polars as pl

            sql = with_keys(hand.sql, keys) if "{keys}" in hand.sql else hand.sql
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                frame = pl.from_arrow(cursor.fetch_arrow_table())
            assert isinstance(frame, pl.DataFrame)
            return finished(frame, hand)

        return rows


class Ibis:
    """Ibis on the same server."""

    def __init__(self, connection: Any) -> None:
        self._connection, self._tables = connection, star_ibis.tables(connection)

    def fetch(self, name: str) -> Fetch:
        """What builds and runs a query, as users write it."""
        import ibis

        keys = star.some_keys(scaled(star.KEYS))

        def rows() -> "pl.DataFrame":
            if name in star_ibis.QUERIES:
                query = star_ibis.QUERIES[name](ibis, self._tables)
            else:
                query = star_ibis.by_keys(ibis, self._tables, keys)
            frame: pl.DataFrame = self._connection.to_polars(query)
            return frame

        return rows


class DuckDb:
    """DuckDB's scanner of PostgreSQL: reads the tables, and does the rest itself."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        connection.register("keys", star.some_keys(scaled(star.KEYS)))

    def fetch(self, name: str) -> Fetch:
        """What gives the rows of a query, in any order."""
        sql = HAND[name].duckdb or HAND[name].sql

        def rows() -> "pl.DataFrame":
            frame: pl.DataFrame = self._connection.execute(sql).pl()
            return frame

        return rows


@contextmanager
def hand_written(bench: Bench) -> Iterator[HandWritten]:
    """An open connection of the bare driver."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(bench.url, autocommit=True) as connection:
        yield HandWritten(connection)


@contextmanager
def ibis_or_reason(bench: Bench) -> Iterator[Ibis | str]:
    """An open connection of Ibis, or why there is none."""
    if find_spec("ibis") is None:
        yield "ibis not installed"
        return
    import ibis

    given = conninfo_to_dict(bench.url)
    connection = ibis.postgres.connect(
        host=given["host"],
        port=given["port"],
        user=given["user"],
        password="unused",  # noqa: S106 - the server asks for none, but Ibis
        database=given["dbname"],
    )
    try:
        yield Ibis(connection)
    finally:
        connection.disconnect()


@contextmanager
def duckdb_or_reason(bench: Bench) -> Iterator[DuckDb | str]:
    """A DuckDB that reads the server's tables, or why there is none."""
    import duckdb

    connection = duckdb.connect()
    try:
        _load_scanner(connection)
    except duckdb.Error as error:
        connection.close()
        yield f"duckdb's scanner not installed: {str(error).splitlines()[0]}"
        return
    with connection:
        connection.execute(f"ATTACH '{bench.url}' AS pg (TYPE postgres, READ_ONLY)")
        connection.execute("USE pg")
        yield DuckDb(connection)


def _load_scanner(connection: Any) -> None:
    """Load the extension from its wheel where there is one, since a download may be impossible."""
    found = find_spec(_EXTENSION)
    if found is None or found.origin is None:
        connection.execute("INSTALL postgres")
        connection.execute("LOAD postgres")
    else:
        (file,) = Path(found.origin).parent.rglob("*.duckdb_extension")
        connection.execute(f"LOAD '{file}'")
