"""Settings from values given one by one, and back."""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any, Final

from djflow.configuration.database import DatabaseSettings
from djflow.configuration.frozen import FrozenMapping
from djflow.configuration.given import DEFAULT, Given, Layer, flatten
from djflow.configuration.keys import KEYS, SECTIONS, STORE_KINDS, STORES
from djflow.configuration.kinds import TEXT
from djflow.configuration.secret import Secret, sealed
from djflow.configuration.settings import ConnectionSettings, DisplaySettings, JobsSettings, Settings
from djflow.configuration.stores import DEFAULTS, LOCAL, StoreSettings, StoresSettings, local_store

_SECTION_TYPES: Final = {
    "database": DatabaseSettings,
    "connection": ConnectionSettings,
    "jobs": JobsSettings,
    "display": DisplaySettings,
}


def build(layer: Layer) -> Settings:
    """The settings that a layer of values makes; what is absent or `None` has its default.

    Raises `ConfigError` for a value of the wrong kind.

    >>> build({"display.limit": Given("5", "a test")}).display.limit
    5
    """
    given = {name: value for name, value in layer.items() if value.value is not None}
    read: dict[str, Any] = {
        name: given[name].read(name, key.kind) for name, key in KEYS.items() if name in given
    }
    sections = {section: _SECTION_TYPES[section](**_below(section, read)) for section in SECTIONS}
    top = {name: value for name, value in read.items() if "." not in name}
    origins = {name: value.source for name, value in given.items() if value.source != DEFAULT}
    return Settings(
        **sections, stores=_build_stores(_below(STORES, given)), **top, origins=FrozenMapping(origins)
    )


def values_of(settings: Settings) -> dict[str, object]:
    """Every setting by its dotted name, stores included.

    >>> values_of(Settings())["display.limit"]
    12
    """
    values = {name: attrgetter(name)(settings) for name in KEYS}
    stores = settings.stores
    values |= {f"{STORES}.{name}": getattr(stores, name) for name in DEFAULTS}
    for name, store in stores.by_name.items():
        values |= {f"{STORES}.{name}.{attribute}": value for attribute, value in store.spec().items()}
    return values


def changed(
    settings: Settings,
    updates: Mapping[str, object],
    *,
    source: str = "an assignment",
    without: str | None = None,
) -> Settings:
    """The settings with some changed. `updates` has dotted or nested names.

    A group is updated by what is given of it, but the whole of `stores` or of one store is replaced; `None`
    restores a default. Settings below the name `without` are forgotten first.
    Raises `ConfigError`.

    >>> changed(Settings(), {"safemode": False, "jobs": {"keep_completed": True}}).jobs.keep_completed
    True
    """
    layer = _explicit(settings)
    if without is not None:
        layer = _outside(without, layer)
    for name, value in updates.items():
        fresh = flatten({name: value}, source)
        if _is_replaced(name, value):
            layer = _outside(name, layer)
        layer |= fresh
    return build(layer)


def _is_replaced(name: str, value: object) -> bool:
    return name == STORES or (
        name.startswith(f"{STORES}.") and isinstance(value, Mapping) and name.count(".") == 1
    )


def _explicit(settings: Settings) -> Layer:
    """All values but those of the store that follows from `home` by itself."""
    implied = settings.stores.by_name.get(LOCAL) == local_store(settings.home)
    values = values_of(settings)
    if implied:
        values = {name: value for name, value in values.items() if not name.startswith(f"{STORES}.{LOCAL}.")}
        if len(settings.stores.by_name) == 1 and settings.stores.default == LOCAL:
            del values[f"{STORES}.default"]
    return {name: Given(value, settings.origins.get(name, DEFAULT)) for name, value in values.items()}


def _outside(prefix: str, layer: Layer) -> Layer:
    return {name: value for name, value in layer.items() if not f"{name}.".startswith(f"{prefix}.")}


def _below(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.removeprefix(f"{prefix}."): value
        for name, value in values.items()
        if name.startswith(f"{prefix}.")
    }


def _build_stores(given: Layer) -> StoresSettings:
    defaults: dict[str, Any] = {
        name: given[name].read(f"{STORES}.{name}", TEXT) for name in DEFAULTS if name in given
    }
    by_store: dict[str, Layer] = {}
    for name, value in given.items():
        if name not in DEFAULTS:
            store, _, attribute = name.partition(".")
            by_store.setdefault(store, {})[attribute] = value
    stores = {name: _build_store(name, attributes) for name, attributes in by_store.items()}
    return StoresSettings(**defaults, by_name=FrozenMapping(stores))


def _build_store(store: str, given: Layer) -> StoreSettings:
    common: dict[str, Any] = {
        attribute: value.read(f"{STORES}.{store}.{attribute}", STORE_KINDS[attribute])
        for attribute, value in given.items()
        if attribute in STORE_KINDS
    }
    options = dict(_options(given))
    return StoreSettings(store, **common, options=FrozenMapping(options))


def _options(given: Layer) -> Iterator[tuple[str, object]]:
    for attribute, value in given.items():
        if attribute not in STORE_KINDS:
            secret = value.is_secret and isinstance(value.value, str)
            yield attribute, Secret(str(value.value)) if secret else sealed(attribute, value.value)
