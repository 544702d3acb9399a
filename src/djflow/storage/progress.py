"""Bars that show how much has gone to or come from a store, for transfers that take long."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from djflow.display.bars import progress_bar
from djflow.storage.files import copying_to
from djflow.storage.store import Store

if TYPE_CHECKING:
    import zarr.abc.store

DELAY: Final = 1.0  # seconds after which a bar appears
_PIECE: Final = 1 << 22  # bytes copied at a time

Advance = Callable[[int], object]
Done = Callable[[], object]


@contextmanager
def watched(store: Store, label: str, count: int) -> Iterator[tuple[Store, Done]]:
    """A store whose transfers are shown, and what to call when one of `count` objects is done.

    There is one bar for all of them, in bytes, where somebody can see it: in a terminal or a notebook. The
    environment variable `TQDM_DISABLE` keeps it away.

    >>> from djflow.testing.stores import MemoryStore
    >>> with watched(MemoryStore(), "lab.recording.trace", 1) as (store, done):
    ...     store.put("a", b"text")
    ...     done()
    """
    if not _has_viewer():
        yield store, lambda: None
        return
    lock, ended = Lock(), 0
    with progress_bar(desc=label, unit="B", unit_scale=True, delay=DELAY, leave=False) as bar:

        def advance(number: int) -> None:
            with lock:
                bar.update(number)

        def done() -> None:
            nonlocal ended
            with lock:
                ended += 1
                bar.set_postfix_str(f"{ended} of {count} objects", refresh=False)

        yield cast("Store", _WatchedStore(store, advance)), done


def _has_viewer() -> bool:
    if sys.stderr is not None and sys.stderr.isatty():
        return True
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"  # a notebook's


class _WatchedStore:
    """Another store, of which the methods that move much tell how much they have moved."""

    def __init__(self, store: Store, advance: Advance) -> None:
        self._store, self._advance = store, advance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _itself, (self._store,)  # the bar is of this process

    def put(self, path: str, data: bytes | memoryview) -> None:
        self._store.put(path, data)
        self._advance(memoryview(data).nbytes)

    def put_file(self, path: str, source: Path) -> None:
        self._store.put_file(path, source)
        self._advance(source.stat().st_size)

    def get_file(self, path: str, target: Path) -> None:
        if self._store.local_path(path) is None:
            self._store.get_file(path, target)
            self._advance(target.stat().st_size)
            return
        with self._store.open(path) as source, copying_to(target) as file:
            shutil.copyfileobj(source, _WatchedFile(file, self._advance), _PIECE)

    @contextmanager
    def create(self, path: str) -> Iterator[BinaryIO]:
        with self._store.create(path) as file:
            yield cast("BinaryIO", _WatchedFile(file, self._advance))

    def zarr_store(self, path: str, *, read_only: bool) -> "zarr.abc.store.Store":
        from djflow.storage.watched_zarr import WatchedZarrStore

        return WatchedZarrStore(self._store.zarr_store(path, read_only=read_only), self._advance)


class _WatchedFile:
    """A file that tells what is written to it."""

    def __init__(self, file: BinaryIO, advance: Advance) -> None:
        self._file, self._advance = file, advance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: bytes | memoryview) -> int:
        written = self._file.write(data)
        self._advance(written)
        return written


def _itself(store: Store) -> Store:
    return store
