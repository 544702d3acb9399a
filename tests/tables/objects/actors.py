"""Writers and collectors on threads of their own, who stop before each thing that they do with a store."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Any

import pyarrow as pa

from djflow.configuration import Settings
from djflow.relation.database import Database
from djflow.storage.codec import ColumnContext, Values
from djflow.storage.codecs.store_codec import StoreCodec
from djflow.storage.paths import content_hash, hash_path
from djflow.storage.store import Store

_LONGEST = 30.0  # seconds until a scenario hangs


class SharedText(StoreCodec):
    """Texts that are kept once for all rows of a schema, as simply as can be."""

    name = "shared_text_example"

    def encode_column(self, values: Values, context: ColumnContext) -> pa.Array:
        """Write what the store lacks."""
        store, schema = context.store, context.table.schema
        given = [hash_path(store.layout, schema, content_hash(text.encode())) for text in values]
        paths = context.share(store.name, given)
        for path, text in zip(paths, values, strict=True):
            if not store.exists(path):
                store.put(path, text.encode())
        return pa.array([json.dumps({"path": path, "store": store.name}) for path in paths])


class Killed(Exception):  # noqa: N818 - not an error
    """The scenario wants the actor to give up."""


@dataclass
class Gate:
    """Where a thread stops until it is told to go on."""

    arrived: Event = field(default_factory=Event)
    go: Event = field(default_factory=Event)
    one_at_a_time: Lock = field(default_factory=Lock)
    gives_up: bool = False

    def stop(self) -> None:
        """Stop here."""
        with self.one_at_a_time:
            self.arrived.set()
            assert self.go.wait(_LONGEST)
            self.go.clear()
            if self.gives_up:
                self.gives_up = False
                raise Killed


class GatedStore:
    """A store before each of whose actions there is a gate."""

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store, self._gate = store, gate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in ("exists", "list", "put", "remove", "size"):
            return found

        def gated(*arguments: Any) -> Any:
            self._gate.stop()
            return found(*arguments)

        return gated

    @contextmanager
    def batch(self) -> Iterator["GatedStore"]:
        """The store for many files, behind the same gate."""
        with self._store.batch() as batch:
            yield GatedStore(batch, self._gate)


class GatedDatabase(Database):
    """A database whose stores have gates, as has the way to them."""

    def __init__(self, settings: Callable[[], Settings], gate: Gate) -> None:
        super().__init__(settings)
        self._gate = gate

    def open_store(self, name: str) -> Store:
        """The store of a name, behind a gate."""
        self._gate.stop()
        return GatedStore(super().open_store(name), self._gate)


class Actor:
    """A thread that does something with a database of its own, from gate to gate."""

    def __init__(self, settings: Settings, action: Callable[[GatedDatabase, Gate], None]) -> None:
        self.gate = Gate()
        self.database = GatedDatabase(lambda: settings, self.gate)
        self.pid = 0
        self.error: BaseException | None = None
        self._thread = Thread(target=self._act, args=[action], daemon=True)
        self._thread.start()
        self._settle()

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return not self._thread.is_alive()

    def go_on(self) -> None:
        """Let it pass the gate at which it stands, and wait until it stands at the next one or has ended."""
        self.gate.arrived.clear()
        self.gate.go.set()
        self._settle()

    def give_up(self) -> None:
        """Have it raise an error where it stands."""
        self.gate.gives_up = True
        self.go_on()

    def finish(self) -> None:
        """Let it pass all of its gates."""
        while not self.is_done:
            self.go_on()
        self._thread.join()

    def _act(self, action: Callable[[GatedDatabase, Gate], None]) -> None:
        try:
            [(self.pid,)] = self.database.query("SELECT pg_backend_pid()")
            action(self.database, self.gate)
        except BaseException as error:  # noqa: BLE001 - it is told
            self.error = error
        finally:
            self.database.close()

    def _settle(self) -> None:
        while self._thread.is_alive() and not self.gate.arrived.wait(0.001):
            pass
