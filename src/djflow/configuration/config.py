"""`dj.config`: settings that can be read, changed and overridden."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from djflow.configuration.build import values_of
from djflow.configuration.given import DEFAULT
from djflow.configuration.holder import Holder
from djflow.configuration.settings import Settings
from djflow.configuration.template import write_template
from djflow.configuration.view import SettingsView
from djflow.errors import ConfigError, ThreadSafetyError


class Config(SettingsView):
    """The changeable face of a `Settings` value, loaded when first used.

    Settings are reached as attributes (`config.database.host`) and as items (`config["database.host"]`),
    for reading and for writing. Assignments are seen by all threads.

    >>> config = Config(Settings)
    >>> config.display.limit = 5
    >>> with config.override(display__limit=3, safemode=False):
    ...     config["display.limit"], config.safemode
    (3, False)
    >>> config["display.limit"], config.settings.safemode
    (5, True)
    """

    __slots__ = ()

    def __init__(
        self,
        loader: Callable[[], Settings],
        applied: Callable[[Settings | None, Settings], None] | None = None,
    ) -> None:
        super().__init__(Holder(loader, applied), "")

    @property
    def settings(self) -> Settings:
        """The current settings as an immutable value, overrides of this thread or task included."""
        return self._holder.current()

    def sources(self) -> dict[str, str]:
        """Where each setting's value was given, by dotted name: a file, a variable, an assignment...

        What nobody set is `"default"`. No value is told, so none that is secret.

        >>> config = Config(Settings)
        >>> config.display.limit = 5
        >>> config.sources()["display.limit"], config.sources()["display.width"]
        ('an assignment', 'default')
        """
        settings = self.settings
        return {name: settings.origins.get(name, DEFAULT) for name in values_of(settings)}

    @contextmanager
    def override(self, **changes: object) -> Iterator[Self]:
        """Have other settings inside a `with` block, for this thread or task only.

        A double underscore stands for a dot (`display__limit=5`); a dict changes part of a group
        (`jobs={"keep_completed": True}`). Raises `ConfigError`.
        """
        with self._holder.override(dotted(changes)):
            yield self

    def get_store_spec(
        self, name: str | None = None, *, use_filepath_default: bool = False
    ) -> dict[str, object]:
        """All settings of a store with its defaults, credentials masked; `None` means the default store.

        Raises `ConfigError` if there is no such store or it is incomplete.
        """
        stores = self.settings.stores
        return (stores.for_filepaths(name) if use_filepath_default else stores.named(name)).spec()

    def get_object_store_spec(self, name: str | None = None) -> dict[str, object]:
        """Another name of `get_store_spec`."""
        return self.get_store_spec(name)

    def clear(self) -> None:
        """Drop what was assigned and read all sources again at the next use."""
        with suppress(ConfigError):  # but in thread-safe mode there is nothing to drop
            self._holder.current()
        self._holder.forget()

    @staticmethod
    def save_template(path: str | Path = "datajoint.json", *, create_secrets_dir: bool = False) -> Path:
        """Write a configuration file to start from, and with `create_secrets_dir` a folder `.secrets`.

        `path` may be a `datajoint.json` or a `djflow.toml`. Nothing that exists is overwritten: raises
        `ConfigError` instead. Returns the file's path.
        """
        return write_template(Path(path), with_secrets=create_secrets_dir)

    def __repr__(self) -> str:
        try:
            return super().__repr__()
        except ThreadSafetyError:
            return "dj.config is closed in thread-safe mode"


def dotted(changes: Mapping[str, object]) -> dict[str, object]:
    """Names as keyword arguments have them turned into names of settings.

    >>> dotted({"database__reconnect": False, "safemode": False})
    {'database.reconnect': False, 'safemode': False}
    """
    return {name.replace("__", "."): value for name, value in changes.items()}
