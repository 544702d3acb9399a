"""Object stores: where arrays, files and large blobs live."""

import re
from dataclasses import dataclass, field, fields
from itertools import permutations
from pathlib import Path
from typing import Final

from djflow.configuration.cache import CacheSettings
from djflow.configuration.frozen import FrozenMapping
from djflow.configuration.secret import revealed
from djflow.errors import ConfigError, did_you_mean

LOCAL: Final = "local"
# What the `stores` block holds besides stores.
DEFAULTS: Final = ("default", "filepath_default")

# Credentials are not demanded: without them the cloud's own chain (roles, profiles) applies.
_REQUIRED: Final = {
    "file": ("location",),
    "s3": ("location", "bucket"),
    "gcs": ("location", "bucket"),
    "azure": ("location", "container"),
}


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """One object store.

    `protocol` is `file`, `s3`, `gcs`, `azure` or a plug-in's; `location` a folder or a prefix in the bucket.
    Paths in it begin with `hash_prefix`, `schema_prefix` or, where one is set, `filepath_prefix`.
    `subfolding` are the lengths of the folder names that spread hash-addressed files, `partition_pattern`
    the attributes that lead schema-addressed paths (`"subject_id/session_date"`), `token_length` the
    characters of their random part. `cache` is where copies of what was read are kept on this machine.
    `options` is everything else that the protocol needs (`bucket`, `endpoint`, `access_key`...), its
    credentials wrapped in `Secret`.
    """

    name: str
    protocol: str = ""
    location: str = ""
    hash_prefix: str = "_hash"
    schema_prefix: str = "_schema"
    filepath_prefix: str | None = None
    subfolding: tuple[int, ...] = ()
    partition_pattern: str | None = None
    token_length: int = 8
    cache: CacheSettings | None = None
    options: FrozenMapping[object] = field(default_factory=FrozenMapping)

    def spec(self) -> dict[str, object]:
        """All settings in one dict, as `datajoint.json` has them, with credentials masked.

        >>> StoreSettings("main", "s3", "lab", options=FrozenMapping({"bucket": "b"})).spec()["bucket"]
        'b'
        """
        common = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in {"name", "options"}}
        return common | dict(self.options)

    def revealed(self) -> dict[str, object]:
        """The same with plain values, for the library that opens the store: keep it out of messages.

        Without the cache, of which that library knows nothing.
        """
        return {name: revealed(value) for name, value in self.spec().items() if name != "cache"}

    def check(self) -> None:
        """Raise `ConfigError` if a required setting is missing or sections overlap."""
        spec = self.spec()
        required = ("protocol", *_REQUIRED.get(self.protocol, ()))
        missing = [attribute for attribute in required if not spec.get(attribute)]
        if missing:
            keys = ", ".join(f"'stores.{self.name}.{attribute}'" for attribute in missing)
            raise ConfigError(
                f"Store {self.name!r} is incomplete: set {keys}.", key=f"stores.{self.name}.{missing[0]}"
            )
        if self.cache and self.protocol == "file":
            raise ConfigError(
                f"Store {self.name!r} is a folder of this machine, which is read without a cache. "
                f"Remove 'stores.{self.name}.cache'.",
                key=f"stores.{self.name}.cache",
            )
        if self.protocol == "file":
            self._check_names(spec)
        self._check_sections()

    def _check_names(self, spec: dict[str, object]) -> None:
        # What adapters need is theirs to check; a folder has none, and takes what it does not know.
        known = [name for name in spec if name not in self.options]
        for name in self.options:
            if hint := did_you_mean(name, known):
                key = f"stores.{self.name}.{name}"
                raise ConfigError(f"Store {self.name!r} has no setting {name!r}.{hint}", key=key)

    def _check_sections(self) -> None:
        sections = {
            attribute: prefix
            for attribute in ("hash_prefix", "schema_prefix", "filepath_prefix")
            if (prefix := getattr(self, attribute)) is not None
        }
        for (outer, outside), (inner, inside) in permutations(sections.items(), 2):
            if f"{inside}/".startswith(f"{outside}/"):
                raise ConfigError(
                    f"Store {self.name!r}: {inner} {inside!r} lies inside {outer} {outside!r}. "
                    "Give each section a path of its own.",
                    key=f"stores.{self.name}.{inner}",
                )


@dataclass(frozen=True, slots=True)
class StoresSettings:
    """All stores by name, and which are meant where a definition names none.

    `default` serves blobs, attachments, objects and arrays; `filepath_default` file references.
    """

    default: str | None = None
    filepath_default: str | None = None
    by_name: FrozenMapping[StoreSettings] = field(default_factory=FrozenMapping)

    def named(self, name: str | None = None) -> StoreSettings:
        """A store that is ready to be opened; `None` is the default one.

        Raises `ConfigError` if there is no such store or it is incomplete.
        """
        return self._find(name or self.default, "stores.default")

    def for_filepaths(self, name: str | None = None) -> StoreSettings:
        """The same with `filepath_default` for `None`."""
        return self._find(name or self.filepath_default, "stores.filepath_default")

    def with_local(self, home: Path) -> "StoresSettings":
        """With a store "local" in `home`, which is the default where no other store is configured.

        It stays within reach when others are configured later: rows may refer to it.
        """
        if LOCAL in self.by_name:
            return self
        default = self.default if self.by_name or self.default else LOCAL
        stores = FrozenMapping({**self.by_name, LOCAL: local_store(home)})
        return StoresSettings(default, self.filepath_default, stores)

    def _find(self, name: str | None, setting: str) -> StoreSettings:
        known = sorted(self.by_name)
        if name is None:
            raise ConfigError(
                f"No store is named and there is no default: set {setting!r} to one of {known}.", key=setting
            )
        store = self.by_name.get(name)
        if store is None:
            raise ConfigError(
                f"No store is named {name!r}.{did_you_mean(name, known)} Configured: {', '.join(known)}.",
                key=f"stores.{name}",
            )
        store.check()
        return store


def local_store(home: Path) -> StoreSettings:
    """The store that needs no configuration.

    >>> local_store(Path("lab")).protocol
    'file'
    """
    return StoreSettings(LOCAL, "file", str(home / "store"))


def is_store_name(name: str) -> bool:
    """Whether a store may have this name: letters, digits, `_` and `-`, beginning with a letter or `_`.

    >>> is_store_name("raw-2"), is_store_name("raw.2"), is_store_name("default")
    (True, False, False)
    """
    return name not in DEFAULTS and re.fullmatch(r"[A-Za-z_][\w-]*", name) is not None
