"""Keys as the server reads them: one parameter for all, whatever their types."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from djflow.errors import MissingAttributeError
from djflow.planner.parameters import as_travelling


def keys_as_json(keys: Iterable[Mapping[str, Any]], names: Sequence[str], table: str) -> str:
    """Keys as an array of JSON with an object a key; other attributes are left out.

    >>> keys_as_json([{"id": 1, "ok": True, "x": 0}], ["id", "ok"], "lab.scan")
    '[{"id": "1", "ok": "true"}]'

    Raises `MissingAttributeError` for a key that lacks one.
    """
    return json.dumps([{name: _text(key, name, table) for name in names} for key in keys])


def _text(key: Mapping[str, Any], name: str, table: str) -> str:
    if name not in key:
        raise MissingAttributeError(name, table=table)
    value = key[name]
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    text = as_travelling(value, pa.string())
    assert isinstance(text, str)  # noqa: S101 - a key has no null
    return text
