"""File systems that this process has opened, one for each store's settings."""

import os
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import fsspec

    from djflow.configuration import StoreSettings
    from djflow.storage.adapters import StorageAdapter

_opened: Final[dict[tuple[int, "StoreSettings"], "fsspec.AbstractFileSystem"]] = {}
_objects: Final[dict[tuple[int, "StoreSettings"], Any]] = {}
_locks: Final = [Lock()]


def files(adapter: "StorageAdapter", settings: "StoreSettings") -> Any:
    """What serves a store's operations: the adapter's faster way, where it has one, or the file system."""
    open_objects = getattr(adapter, "open_objects", None)
    if open_objects is None:
        return filesystem(adapter, settings)
    place = (os.getpid(), settings)
    if place not in _objects:
        with _locks[0]:
            if place not in _objects:
                _objects[place] = open_objects(settings.revealed())
    return _objects[place] or filesystem(adapter, settings)


def filesystem(adapter: "StorageAdapter", settings: "StoreSettings") -> "fsspec.AbstractFileSystem":
    """The file system of a store; its threads share it, a forked process opens its own."""
    place = (os.getpid(), settings)
    found = _opened.get(place)
    if found is None:
        with _locks[0]:
            found = _opened.get(place)
            if found is None:
                found = _opened[place] = _open(adapter, settings)
    return found


def _open(adapter: "StorageAdapter", settings: "StoreSettings") -> "fsspec.AbstractFileSystem":
    opened = adapter.create_filesystem(settings.revealed())
    with suppress(AttributeError):
        opened.dircache.use_listings_cache = False  # other processes write too
    return opened


def _renew_lock() -> None:
    """A thread that does not exist in a forked child may have held it."""
    _locks[0] = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
