"""A database with two stores, and a look at what its rows refer to."""

import json
import os
from pathlib import Path
from typing import Any

from tests.tables.objects.lab import Lab

from djflow.configuration import Settings, changed, load
from djflow.errors import BucketInaccessible
from djflow.storage.store import Store


def two_stores(folder: Path, **more: object) -> Settings:
    """Settings with the stores "local" and "archive", which divides its space in another way, and others."""
    local = {"protocol": "file", "location": str(folder / "store")}
    archive = {"protocol": "file", "location": str(folder / "archive"), "subfolding": [2, 2]}
    archive |= {"schema_prefix": "rows", "hash_prefix": "contents"}
    stores = {"default": "local", "local": local, "archive": archive, "same": local, **more}
    return changed(load(dict(os.environ), folder), {"stores": stores})


def archive_of(lab: Lab) -> Store:
    return lab.database.open_store("archive")


def files_of(store: Store) -> set[str]:
    try:
        return {file.path for file in store.list("")}
    except BucketInaccessible:  # nothing was written yet
        return set()


def references(lab: Lab, attribute: str = "trace") -> dict[int, dict[str, Any]]:
    """What the rows keep, by their keys; null ones are left out."""
    sql = f'SELECT recording, "{attribute}"::text FROM "{lab.schema.database}".recording ORDER BY 1'
    return {key: json.loads(text) for key, text in lab.database.query(sql) if text is not None}


def stores_of(lab: Lab, attribute: str = "trace") -> list[str]:
    """The store of each row's object."""
    return [reference["store"] for reference in references(lab, attribute).values()]
