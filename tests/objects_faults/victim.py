"""A process that writes rows with objects of all codecs until it is killed."""

from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import s3fs
import zarr
from tests.objects_faults.values import EXAMPLES

from djflow.configuration import Settings
from djflow.relation.database import Database
from djflow.tables.free import FreeTable

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

LOADED = (np, pl, s3fs, zarr)  # before processes are forked, of which none lives for long


def write(settings: Settings, schema: str, begun: "Event", first: int) -> None:
    """Insert rows, a few in each transaction; `begun` is set when the first one begins."""
    database = Database(lambda: settings)
    folder = Path(mkdtemp())
    tables = [(example, FreeTable(database, f"{schema}.{example.table}")) for example in EXAMPLES]
    begun.set()
    for number in range(first, first + 10_000, 2):
        for example, table in tables:
            with database.transaction:
                table.insert([(n, example.value(folder, n)) for n in (number, number + 1)])
