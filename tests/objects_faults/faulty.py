"""Stores that fail at a chosen moment of a write."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from djflow.relation.database import Database
from djflow.storage.store import Store

Strike = Callable[[], None]


@dataclass
class Fault:
    """What happens, and the moment of a write when it does: "before", "in the middle" or "after"."""

    moment: str
    strike: Strike
    every: int = 1
    calls: Iterator[int] = field(default_factory=lambda: count(1))
    lock: Lock = field(default_factory=Lock)

    def at(self, moment: str) -> None:
        """Strike, if this is the moment."""
        if moment == self.moment:
            with self.lock:
                strikes = next(self.calls) % self.every == 0
            if strikes:
                self.strike()


class FaultyStore:
    """A store with a fault."""

    def __init__(self, store: Store, fault: Fault) -> None:
        self._store, self._fault = store, fault

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def called(*arguments: Any, **options: Any) -> Any:
            self._fault.at("any call")
            return found(*arguments, **options)

        return called

    @contextmanager
    def batch(self) -> Iterator["FaultyStore"]:
        with self._store.batch() as batch:
            yield FaultyStore(batch, self._fault)

    def put(self, path: str, data: bytes | memoryview) -> None:
        with self.create(path) as file:
            file.write(data)

    def put_file(self, path: str, source: Path) -> None:
        with self.create(path) as file:
            file.write(source.read_bytes())

    @contextmanager
    def create(self, path: str) -> Iterator[BinaryIO]:
        self._fault.at("any call")
        self._fault.at("before")
        with self._store.create(path) as file:
            yield _Halving(file, self._fault)  # type: ignore[misc]
        self._fault.at("after")

    def zarr_store(self, path: str, *, read_only: bool) -> Any:
        from zarr.storage import WrapperStore

        fault = self._fault
        fault.at("any call")
        if not read_only:
            fault.at("before")

        class Failing(WrapperStore):  # type: ignore[type-arg]
            async def set(self, key: str, value: Any) -> None:
                fault.at("any call")
                if "/c/" in key:
                    fault.at("in the middle")
                await super().set(key, value)

        return Failing(self._store.zarr_store(path, read_only=read_only))

    def sync(self, path: str) -> None:
        self._fault.at("any call")
        self._store.sync(path)
        self._fault.at("after")


class _Halving:
    """A file that receives half of what is written before the fault strikes."""

    def __init__(self, file: BinaryIO, fault: Fault) -> None:
        self._file, self._fault = file, fault

    def write(self, data: bytes | memoryview) -> int:
        whole = memoryview(data).cast("B")
        self._file.write(whole[: len(whole) // 2])
        self._file.flush()
        self._fault.at("in the middle")
        self._file.write(whole[len(whole) // 2 :])
        return len(whole)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


NO_FAULT = Fault("never", lambda: None)


class FaultyDatabase(Database):
    """A database whose stores have a fault."""

    fault = NO_FAULT

    def open_store(self, name: str) -> Store:
        """The store of a name, with the fault."""
        return FaultyStore(super().open_store(name), self.fault)
