"""Settings as users handle them: by attribute or by item, nested or dotted."""

from collections.abc import Iterator, MutableMapping
from typing import Any

from djflow.configuration.build import values_of
from djflow.configuration.holder import Holder
from djflow.configuration.keys import SECTIONS, STORES
from djflow.errors import UnknownSettingError


class SettingsView(MutableMapping[str, Any]):
    """The settings below one name; `config.database`, `config["stores"]["main"]`.

    Reading gives the current value, or a view of a group; writing checks the value and takes effect at once;
    deleting restores the default. A view compares equal to a dict of the same content.

    Reading what is no setting raises `UnknownSettingError` (a `KeyError` and an `AttributeError`); writing
    it, or a value that a setting cannot have, raises `ConfigError`.
    """

    __slots__ = ("_holder", "_path")

    _holder: Holder
    _path: str

    def __init__(self, holder: Holder, path: str) -> None:
        object.__setattr__(self, "_holder", holder)
        object.__setattr__(self, "_path", path)

    def __getitem__(self, name: str) -> Any:
        path = self._below(name)
        values = values_of(self._holder.current())
        if path in values:
            return values[path]
        if any(known.startswith(f"{path}.") for known in values):
            return SettingsView(self._holder, path)
        raise UnknownSettingError(path, (*SECTIONS, STORES, *values))

    def __setitem__(self, name: str, value: object) -> None:
        self._holder.assign({self._below(name): value})

    def __delitem__(self, name: str) -> None:
        self[name]
        self._holder.remove(self._below(name))

    def __iter__(self) -> Iterator[str]:
        prefix = self._below("")
        names = (
            name.removeprefix(prefix) for name in values_of(self._holder.current()) if name.startswith(prefix)
        )
        return iter(dict.fromkeys(name.partition(".")[0] for name in names))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        prefix = self._below("")
        values = values_of(self._holder.current())
        shown = [
            f"{name.removeprefix(prefix)}: {value!r}"
            for name, value in values.items()
            if name.startswith(prefix)
        ]
        return "\n".join(shown)

    def _below(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name
