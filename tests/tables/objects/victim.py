"""A writer that kills itself: `python -m tests.tables.objects.victim SCHEMA STORE STEP`."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tests.tables.objects.lab import DEFINITION

from djflow.configuration import Settings, changed, load
from djflow.relation.database import Database
from djflow.storage.codecs.npy import NpyCodec
from djflow.storage.store import Store
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual

STEPS = ("before the object", "after the object", "before the commit", "after the commit")


def die_at(step: str, wanted: str) -> None:
    if step == wanted:
        os.kill(os.getpid(), signal.SIGKILL)


def settings(store: str) -> Settings:
    stores = {"default": "local", "local": {"protocol": "file", "location": store}}
    return changed(load(dict(os.environ), Path.cwd()), {"stores": stores})


def main(schema_name: str, store: str, step: str) -> None:
    given = settings(store)
    database = Database(lambda: given)
    schema = Schema(schema_name, connection=database)
    recording = schema(type("Recording", (Manual,), {"definition": DEFINITION}))
    write = NpyCodec.write

    def write_and_die(codec: NpyCodec, value: Any, store: Store, path: str) -> Mapping[str, Any]:
        die_at("before the object", step)
        metadata = write(codec, value, store, path)
        die_at("after the object", step)
        return metadata

    NpyCodec.write = write_and_die  # type: ignore[assignment, method-assign]
    with database.transaction:
        recording().insert([(9, np.arange(9), "last words")])
        die_at("before the commit", step)
    die_at("after the commit", step)


if __name__ == "__main__":
    main(*sys.argv[1:])
