"""Stores from their settings."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from djflow.errors import ConfigError, did_you_mean
from djflow.storage.local import LocalStore
from djflow.storage.paths import StoreLayout
from djflow.storage.store import Store

if TYPE_CHECKING:
    from djflow.configuration import StoreSettings


def open_store(settings: "StoreSettings") -> Store:
    """The store that the settings describe; nothing is read or written yet.

    Raises `ConfigError` for a protocol that djflow doesn't speak.

    >>> from djflow.configuration import StoreSettings
    >>> open_store(StoreSettings(name="main", protocol="file", location="/data/lab")).name
    'main'
    """
    opener = _OPENERS.get(settings.protocol)
    if opener is None:
        hint = did_you_mean(settings.protocol, list(_OPENERS))
        raise ConfigError(
            f"Store {settings.name!r} has protocol {settings.protocol!r}; "
            f"supported: {', '.join(map(repr, _OPENERS))}.{hint}"
        )
    return opener(settings)


def _open_folder(settings: "StoreSettings") -> Store:
    if not settings.location:
        raise ConfigError(f"Store {settings.name!r} has no location; give the path of its folder.")
    return LocalStore(Path(settings.location).expanduser().absolute(), settings.name, _layout(settings))


def _layout(settings: "StoreSettings") -> StoreLayout:
    return StoreLayout(
        hash_prefix=settings.hash_prefix,
        schema_prefix=settings.schema_prefix,
        subfolding=settings.subfolding,
        partition_pattern=settings.partition_pattern,
        token_length=settings.token_length,
    )


_OPENERS: Final[dict[str, Callable[["StoreSettings"], Store]]] = {"file": _open_folder}
