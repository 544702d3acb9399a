"""Handles from what a column of references tells, which is less than a row keeps."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from djflow.errors import CorruptObjectError
from djflow.storage.handles import ObjectRef
from djflow.storage.handles.npy_file import corrupt, parse_dtype, read_header
from djflow.storage.handles.stored import StoredHandle
from djflow.storage.store import Store

Open: TypeAlias = Callable[[Mapping[str, Any], Store], StoredHandle]

_TREE: Final = "/tree:"  # in the checksum of a folder
_ZARR: Final = f"crc32c{_TREE}"  # of the trees that `<zarr@>` writes


def open_reference(reference: Mapping[str, Any], store: Store) -> StoredHandle:
    """The handle of an object: `NpyRef` for `.npy`, `FrameRef` for frames, Zarr's for what `<zarr@>` wrote.

    All else is an `ObjectRef`. `reference` has the fields of a struct in a column, `path` at least; what its
    kind needs besides is read from the object.

    Raises `MissingExternalFile` for an absent object, `CorruptObjectError` for one of another content.
    """
    path = str(reference["path"])
    told = {name: value for name, value in reference.items() if value is not None} | {"path": path}
    open_one = _KINDS.get(path[path.rfind(".") :], _open_object)
    try:
        return open_one(told, store)
    except (ValueError, KeyError, TypeError, EOFError) as error:
        raise CorruptObjectError(f"The object cannot be opened: {error}", path=path) from error


def _open_npy(told: Mapping[str, Any], store: Store) -> StoredHandle:
    from djflow.storage.codecs.npy_ref import NpyRef

    if "dtype" in told and "shape" in told:
        dtype, shape = parse_dtype(told["dtype"]), tuple(told["shape"])
    else:
        with store.open(told["path"]) as file:
            try:
                header = read_header(file)
            except (ValueError, EOFError) as error:
                raise corrupt(told["path"], error) from error
        dtype, shape = header.dtype, header.shape
    return NpyRef(
        store, told["path"], dtype, shape, file_size=told.get("size"), checksum=told.get("checksum")
    )


def _open_zarr(told: Mapping[str, Any], store: Store) -> StoredHandle:
    if not str(told.get("checksum", "")).startswith(_ZARR):
        return _open_object(told, store)  # written by others, who may leave out chunks
    from djflow.storage.handles.zarr_ref import open_node

    document = told.get("zarr") or json.loads(store.get(f"{told['path']}/zarr.json"))
    return open_node(store, {**told, "zarr": document})


def _open_frame(told: Mapping[str, Any], store: Store) -> StoredHandle:
    from djflow.storage.handles.frame_ref import open_frame

    return open_frame(told, store)


def _open_object(told: Mapping[str, Any], store: Store) -> StoredHandle:
    path = told["path"]
    name = path.rpartition("/")[2]
    ext = name[name.rfind(".") :] if "." in name else None
    is_dir = _TREE in told["checksum"] if "checksum" in told else _is_tree(path, store)
    return ObjectRef.from_json({"ext": ext, "is_dir": is_dir, **told}, store)


def _is_tree(path: str, store: Store) -> bool:
    return any(file.path != path for file in store.list(path))


_KINDS: Final[Mapping[str, Open]] = {
    ".npy": _open_npy,
    ".zarr": _open_zarr,
    ".parquet": _open_frame,
    ".arrow": _open_frame,
}
