"""A move that kills itself: `python -m tests.tables.objects.moving_victim SCHEMA FOLDER STEP`."""

import os
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.tables.objects.two_stores import two_stores

from djflow.relation.database import Database
from djflow.tables.free import FreeTable
from djflow.tables.objects import movable, moving, transfer

STEPS = ("before the copy", "after the copy", "before the commit", "after the commit")
BATCH = 3


def die_at(step: str, wanted: str) -> None:
    if step == wanted:
        os.kill(os.getpid(), signal.SIGKILL)


def interrupt(module: ModuleType, name: str, *, before: str = "", after: str = "", wanted: str) -> None:
    """Have a function of a module die before or after it has done its work."""
    original = getattr(module, name)

    def dying(*arguments: Any) -> Any:
        die_at(before, wanted)
        done = original(*arguments)
        die_at(after, wanted)
        return done

    setattr(module, name, dying)


def main(schema: str, folder: str, step: str) -> None:
    settings = two_stores(Path(folder))
    database = Database(lambda: settings)
    movable.BATCH_OBJECTS = BATCH  # type: ignore[misc]
    interrupt(transfer, "copy_object", before="before the copy", after="after the copy", wanted=step)
    interrupt(moving, "_repoint", after="before the commit", wanted=step)
    interrupt(moving, "_step", before="after the commit", wanted=step)
    FreeTable(database, f"{schema}.recording").move_objects("archive", ["trace"], dry_run=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
