"""Objects out of a store, for as long as it can be reached."""

from collections.abc import Sequence
from math import inf
from time import time
from typing import TYPE_CHECKING, Final

from djflow.errors import BucketInaccessible, StorageError
from djflow.storage.parallel import map_many, threads_for

if TYPE_CHECKING:
    from djflow.storage.store import Store

_NOWHERE: Final = "~"  # where nothing lies, so that asking for it is soon done


def remove_each(store: "Store", paths: Sequence[str], until: float = inf) -> list[str | None]:
    """Remove objects, several at a time; why each of them stays, None for those that are gone.

    Once the store cannot be reached, the others stay: each would take as long to fail as the first one. So
    do those whose turn comes after the moment `until`, in seconds as of `time.time()`.
    """
    lost: list[str] = []

    def remove(path: str) -> str | None:
        if lost:
            return lost[0]
        if time() >= until:
            return "it took too long"
        try:
            store.remove(path)
        except (StorageError, OSError) as error:
            if isinstance(error, BucketInaccessible) and not is_reached(store):
                lost.append(str(error))
            return str(error)
        return None

    return map_many(remove, paths, threads_for([store]))


def is_reached(store: "Store") -> bool:
    """Whether a store answers; one that refuses a single object may."""
    try:
        next(iter(store.list(_NOWHERE)), None)
    except StorageError:
        return False
    return True
