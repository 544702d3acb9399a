"""The current settings of one configuration, changed by assignment or for a while."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from threading import RLock
from typing import Final
from weakref import WeakSet

from djflow.configuration.build import changed
from djflow.configuration.given import flatten
from djflow.configuration.settings import Settings

_OVERRIDE: Final = "an override"
_of_this_process: Final["WeakSet[Holder]"] = WeakSet()


class Holder:
    """Loads settings when first asked, keeps them, and lays the overrides of the running context over them.

    Assignments are seen by all threads, overrides only by the thread or task that made them. An assignment
    to what is being overridden lasts as long as the override. `applied` is told the settings of the process
    before and after each change, overrides apart.
    """

    def __init__(
        self,
        loader: Callable[[], Settings],
        applied: Callable[[Settings | None, Settings], None] | None = None,
    ) -> None:
        self._loader = loader
        self._applied = applied
        self._lock = RLock()
        self._loaded: Settings | None = None
        self._kept: Settings | None = None
        self._overrides: ContextVar[tuple[Mapping[str, object], ...]] = ContextVar("overrides", default=())
        _of_this_process.add(self)

    def current(self) -> Settings:
        """The settings that hold here and now. Raises what the loader raises."""
        settings = self._base()
        for updates in self._overrides.get():
            settings = changed(settings, updates, source=_OVERRIDE)
        return settings

    def assign(self, updates: Mapping[str, object]) -> None:
        """Change settings. Raises `ConfigError` and changes nothing if one is refused."""
        overrides = self._overrides.get()
        overridden = {name for override in overrides for name in flatten(override, _OVERRIDE)}
        if overridden & flatten(updates, "an assignment").keys():
            changed(self.current(), updates)
            self._overrides.set((*overrides, dict(updates)))
            return
        with self._lock:
            self._keep(changed(self._base(), updates))

    def remove(self, name: str) -> None:
        """Forget a setting, or all below a name: defaults hold again."""
        with self._lock:
            self._keep(changed(self._base(), {}, without=name))

    def forget(self) -> None:
        """Drop everything assigned: the next use loads the settings anew."""
        with self._lock:
            self._loaded = None

    @contextmanager
    def override(self, updates: Mapping[str, object]) -> Iterator[None]:
        """Have other settings inside a `with` block. Raises `ConfigError` before it if one is refused."""
        changed(self.current(), updates, source=_OVERRIDE)
        token = self._overrides.set((*self._overrides.get(), dict(updates)))
        try:
            yield
        finally:
            self._overrides.reset(token)

    def _base(self) -> Settings:
        with self._lock:
            return self._loaded or self._keep(self._loader())

    def _keep(self, settings: Settings) -> Settings:
        if self._applied:
            self._applied(self._kept, settings)
        self._kept = self._loaded = settings
        return settings


def _renew_locks() -> None:
    """A thread that does not exist in a forked child may have held one."""
    for holder in list(_of_this_process):
        holder._lock = RLock()  # noqa: SLF001 - the same file


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
