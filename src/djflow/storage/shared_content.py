"""Contents that rows share: whether a store has one, and how rows refer to it."""

import json

from djflow.storage.store import Store


def holds(store: Store, path: str, size: int) -> bool:
    """Whether a store has a content, whole."""
    # A size that differs is damage, which writing again mends.
    return store.exists(path) and store.size(path) == size


def content_reference(store: str, schema: str, path: str, name: str, size: int) -> str:
    """What a row keeps of a content whose hash is `name`, as JSON text.

    >>> content_reference("main", "lab", "_hash/lab/x", "x", 3)
    '{"hash": "x", "path": "_hash/lab/x", "size": 3, "store": "main", "schema": "lab"}'
    """
    return json.dumps({"hash": name, "path": path, "size": size, "store": store, "schema": schema})
