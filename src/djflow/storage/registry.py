"""Stores from their settings."""

from pathlib import Path
from typing import TYPE_CHECKING

from djflow.errors import ConfigError, DjflowError
from djflow.storage.local import LocalStore
from djflow.storage.paths import StoreLayout
from djflow.storage.store import Store

if TYPE_CHECKING:
    from djflow.configuration import StoreSettings


def open_store(settings: "StoreSettings") -> Store:
    """The store that the settings describe; nothing is read or written yet.

    Raises `ConfigError` where nothing installed speaks the protocol, or it does not understand the settings.

    >>> from djflow.configuration import StoreSettings
    >>> open_store(StoreSettings(name="main", protocol="file", location="/data/lab")).name
    'main'
    """
    return _open_folder(settings) if settings.protocol == "file" else _open_remote(settings)


def _open_folder(settings: "StoreSettings") -> Store:
    if not settings.location:
        raise ConfigError(f"Store {settings.name!r} has no location; give the path of its folder.")
    return LocalStore(Path(settings.location).expanduser().absolute(), settings.name, _layout(settings))


def _open_remote(settings: "StoreSettings") -> Store:
    from djflow.storage.adapters import get_storage_adapter
    from djflow.storage.cached import with_cache
    from djflow.storage.remote.refusals import masked
    from djflow.storage.remote.store import RemoteStore

    try:
        adapter = get_storage_adapter(settings.protocol)
        adapter.validate_spec(settings.revealed())
    except DjflowError as error:
        raise ConfigError(f"Store {settings.name!r}: {error}", key=f"stores.{settings.name}") from error
    except Exception as error:  # noqa: BLE001 - plug-ins have errors of their own, and they know the keys
        reason = masked(f"{type(error).__name__}: {error}", settings)
        raise ConfigError(f"Store {settings.name!r}: {reason}", key=f"stores.{settings.name}") from None
    return with_cache(RemoteStore(settings, adapter, _layout(settings)), settings)


def _layout(settings: "StoreSettings") -> StoreLayout:
    return StoreLayout(
        hash_prefix=settings.hash_prefix,
        schema_prefix=settings.schema_prefix,
        subfolding=settings.subfolding,
        partition_pattern=settings.partition_pattern,
        token_length=settings.token_length,
        filepath_prefix=settings.filepath_prefix,
    )
