"""A process that is killed amid a staged insert: `python -m tests.tables.staged.victim SCHEMA STORE`."""

import os
import signal
import sys
from typing import Any

from tests.tables.objects.victim import settings
from tests.tables.staged.conftest import DEFINITION

from djflow.relation.database import Database
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual


def main(schema_name: str, store: str) -> None:
    given = settings(store)
    schema = Schema(schema_name, connection=Database(lambda: given))
    recording = schema(type("Recording", (Manual,), {"definition": DEFINITION}))
    with recording().staged_insert1 as staged:
        staged.rec["recording"] = 9
        array: Any = staged.zarr("movie", shape=(0, 4), dtype="i4", chunks=(2, 4))
        for row in range(5):
            array.append([[row] * 4])
        staged.npy("trace", dtype="f8", shape=(None,)).append([1.5])
        staged.open("content").write(b"never read")
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
