"""What stands for an encoded value: all that its row tells of it, without a look at the value itself."""

import json
from collections.abc import Mapping
from typing import Any, Final

from djflow.display.values import counted, size_text

_LONG: Final = 40  # characters of a file's name
_SHAPED: Final = 8  # extents that are listed


def of_bytes(name: str, nbytes: int) -> str:
    """Of bytes in the table.

    >>> of_bytes("blob", 1_200_000)
    '<blob 1.2 MB>'
    """
    return f"<{name} {size_text(nbytes)}>"


def of_reference(name: str, text: str) -> str:
    """Of what a row keeps as JSON: a reference to an object of a store, or what a codec of the user's made.

    >>> of_reference("npy", '{"path": "a.npy", "shape": [3, 512, 512], "dtype": "float32", "size": 99}')
    '<npy 3x512x512 float32>'
    >>> of_reference("blob", '{"path": "b", "size": 1200}'), of_reference("graph", "[1, 2]")
    ('<blob 1.2 kB>', '<graph>')
    """
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return f"<{name}>"
    if not isinstance(told, dict):
        return f"<{name}>"
    parts = [part for part in (name, _content(told)) if part]
    return f"<{' '.join(parts)}>"


def _content(told: Mapping[str, Any]) -> str:
    found = _frame(told) or _array(told) or _group(told)
    return found or " ".join(part for part in (_file(told), _count(told), _size(told)) if part)


def _frame(told: Mapping[str, Any]) -> str:
    match told:
        case {"shape": [int(rows), int(columns)], "columns": list()}:
            return f"{counted(rows, 'row')}, {counted(columns, 'column')}"
        case _:
            return ""


def _array(told: Mapping[str, Any]) -> str:
    match told:
        case {"shape": [*extents], "dtype": dtype}:
            shape = "x".join(map(str, extents[:_SHAPED])) or "scalar"
            return f"{shape}{'x…' if len(extents) > _SHAPED else ''} {_dtype(dtype)}"
        case _:
            return ""


def _dtype(dtype: object) -> str:
    """The name of an array's type; of a structured one, that it is one."""
    return dtype if isinstance(dtype, str) and len(dtype) <= _LONG else "structured"


def _group(told: Mapping[str, Any]) -> str:
    match told:
        case {"zarr": {"node_type": "group", "consolidated_metadata": {"metadata": dict(members)}}}:
            arrays = sum(isinstance(m, dict) and m.get("node_type") == "array" for m in members.values())
            return f"group of {counted(arrays, 'array')}"
        case {"zarr": {"node_type": "group"}}:
            return "group"
        case _:
            return ""


def _file(told: Mapping[str, Any]) -> str:
    """The name that somebody gave a file; those that hashes and tokens make say nothing."""
    match told:
        case {"filename": str(name)}:
            return _end(name)
        case {"is_dir": True}:
            return "folder"
        case {"is_dir": False, "path": str(path)} if "ext" not in told:
            return _end(path)
        case _:
            return ""


def _end(name: str) -> str:
    return name if len(name) <= _LONG else f"…{name[-_LONG:]}"


def _count(told: Mapping[str, Any]) -> str:
    match told:
        case {"item_count": int(number)}:
            return counted(number, "file")
        case _:
            return ""


def _size(told: Mapping[str, Any]) -> str:
    match told:
        case {"size": int(size)}:
            return size_text(size)
        case _:
            return ""
