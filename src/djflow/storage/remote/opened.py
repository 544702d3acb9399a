"""File systems that this process has opened, one for each store's settings."""

import os
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import fsspec

    from djflow.configuration import StoreSettings
    from djflow.storage.adapters import StorageAdapter

_opened: Final[dict[tuple[int, "StoreSettings"], "fsspec.AbstractFileSystem"]] = {}
_locks: Final = [Lock()]


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
    cache = getattr(opened, "dircache", None)
    if hasattr(cache, "use_listings_cache"):
        cache.use_listings_cache = False  # other processes write too
    return opened


def _renew_lock() -> None:
    """A thread that does not exist in a forked child may have held it."""
    _locks[0] = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
