"""Values as somebody gave them, with where they come from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from djflow.configuration.keys import KEYS, OTHER_NAMES, SECTIONS, STORES, WITHOUT_MEANING
from djflow.configuration.kinds import Kind
from djflow.configuration.secret import MASK, Secret, is_secret_name
from djflow.configuration.stores import DEFAULTS, is_store_name
from djflow.errors import ConfigError, did_you_mean

DEFAULT: Final = "default"
"""The source of what nobody set."""

_SHOWN_LENGTH: Final = 60


@dataclass(frozen=True, slots=True)
class Given:
    """A value that is not checked yet. `source` is for messages; `is_secret` keeps the value out of them."""

    value: object
    source: str
    is_secret: bool = False

    def read(self, key: str, kind: Kind) -> object:
        """The value as its kind has it. Raises `ConfigError` naming key, value and source."""
        try:
            return kind.read(self.value)
        except ValueError:
            # The reader's own message may quote a secret, so it is not chained.
            raise self.refused(key, kind.expected) from None

    def refused(self, key: str, expected: str) -> ConfigError:
        """The error for a value of the wrong kind."""
        return ConfigError(
            f"Setting {key!r} must be {expected}, got {self._shown(key)}. It comes from {self.source}.",
            key=key,
            source=self.source,
        )

    def _shown(self, key: str) -> str:
        value = self.value
        if not isinstance(value, bool | int | float | str | None):
            return MASK if isinstance(value, Secret) else f"a {type(value).__name__}"
        # A text with an @ may be a URL with a password in it.
        if self.is_secret or is_secret_name(key.rpartition(".")[2]) or "@" in str(value):
            return MASK
        shown = repr(value)
        return shown if len(shown) <= _SHOWN_LENGTH else f"{shown[: _SHOWN_LENGTH - 3]}..."


Layer: TypeAlias = dict[str, Given]


def flatten(document: Mapping[str, object], source: str, *, is_secret: bool = False) -> Layer:
    """A document's values by dotted name, whether it nests them or dots their names.

    Names that begin with `_` or `$` are remarks. Raises `ConfigError` for a name that is no setting, and
    where a group of settings is not an object.

    >>> sorted(flatten({"database": {"host": "db"}, "stores.main.location": "/data"}, "here"))
    ['database.host', 'stores.main.location']
    """
    return {
        key: Given(value, source, is_secret)
        for name, content in document.items()
        if not name.startswith(("_", "$"))
        for key, value in _leaves(OTHER_NAMES.get(name, name), content, source)
    }


def _leaves(name: str, value: object, source: str) -> Iterator[tuple[str, object]]:
    if _is_group(name):
        for inner, content in _members(name, value, source).items():
            full = f"{name}.{inner}"
            yield from _leaves(OTHER_NAMES.get(full, full), content, source)
    elif name not in WITHOUT_MEANING:
        _require_known(name, source)
        yield name, value


def _is_group(name: str) -> bool:
    top, _, rest = name.partition(".")
    return name in SECTIONS or name == STORES or (top == STORES and is_store_name(rest))


def _members(name: str, value: object, source: str) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Given(value, source).refused(name, "an object of settings")
    return value


def _require_known(name: str, source: str) -> None:
    if name not in KEYS and not is_store_key(name):
        raise unknown(name, source)


def unknown(name: str, source: str) -> ConfigError:
    """The error for a name that is no setting."""
    return ConfigError(
        f"There is no setting {name!r}, which {source} gives.{closest_setting(name)}",
        key=name,
        source=source,
    )


def closest_setting(name: str) -> str:
    """A hint that names the closest setting, or nothing.

    >>> closest_setting("database.hots"), closest_setting("limit")
    (" Did you mean 'database.host'?", " Did you mean 'display.limit'?")
    """
    candidates = (*KEYS, *SECTIONS, STORES, *(f"{STORES}.{default}" for default in DEFAULTS))
    # People forget the group more often than they misspell it.
    inside = [candidate for candidate in candidates if candidate.endswith(f".{name}")]
    return f" Did you mean {inside[0]!r}?" if inside else did_you_mean(name, candidates)


def is_store_key(name: str) -> bool:
    """Whether a dotted name is of the block `stores`: a default, or an attribute of a store.

    >>> is_store_key("stores.default"), is_store_key("stores.main.bucket"), is_store_key("stores.main")
    (True, True, False)
    """
    top, _, rest = name.partition(".")
    store, _, attribute = rest.partition(".")
    return top == STORES and (rest in DEFAULTS or (is_store_name(store) and attribute.isidentifier()))
