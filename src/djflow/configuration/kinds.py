"""Kinds of setting: what each accepts and what it makes of it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from djflow.configuration.cache import EXPECTED, read_cache
from djflow.configuration.database import TlsFiles
from djflow.configuration.secret import Secret, sealed

TRUE: Final = frozenset({"true", "1", "yes", "on"})
FALSE: Final = frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True, slots=True)
class Kind:
    """A reader of values and, for messages, the words for what it accepts.

    `read` takes what JSON, an environment variable or an assignment holds, and raises `ValueError`
    for anything else.
    """

    expected: str
    read: Callable[[object], object]


def read_boolean(value: object) -> bool:
    """A truth value from a bool or from a word.

    >>> read_boolean("Yes"), read_boolean(False)
    (True, False)
    """
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise ValueError


def integer(low: int, high: int | None = None) -> Kind:
    """Integers from `low` to `high`, also as decimal text; `None` is no upper bound.

    >>> integer(1, 65535).read("5432")
    5432
    """

    def read(value: object) -> int:
        # bool is an int to Python, never to the person who wrote `true` for a port.
        number = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
        if number is None or number < low or (high is not None and number > high):
            raise ValueError
        return number

    return Kind(f"an integer of at least {low}" if high is None else f"an integer from {low} to {high}", read)


def one_of(*words: str) -> Kind:
    """One of these words, in any case.

    >>> one_of("LR", "TB").read("tb")
    'TB'
    """
    by_folded = {word.lower(): word for word in words}

    def read(value: object) -> str:
        if not isinstance(value, str) or value.lower() not in by_folded:
            raise ValueError
        return by_folded[value.lower()]

    return Kind(f"one of {', '.join(words)}", read)


def _read_text(value: object) -> str:
    # The server's library ends texts at a zero byte.
    if not isinstance(value, str | Path) or "\0" in str(value):
        raise ValueError
    return str(value)


def _read_host(value: object) -> str:
    text = _read_text(value)
    if not re.fullmatch(r"/[^\0]*|[^\s/@,?#]*", text):
        raise ValueError
    return text


def _read_secret(value: object) -> Secret:
    return value if isinstance(value, Secret) else Secret(_read_text(value))


def _read_home(value: object) -> Path:
    return Path(_read_text(value)).expanduser().absolute()


def _read_tls(value: object) -> bool | TlsFiles:
    if isinstance(value, TlsFiles):
        return value
    if not isinstance(value, Mapping):
        return read_boolean(value)
    files = value.get("ssl", value)
    if isinstance(files, bool):
        return files
    if not isinstance(files, Mapping) or not set(files) <= {"ca", "cert", "key"}:
        raise ValueError
    return TlsFiles(**{name: _read_text(path) for name, path in files.items()}) if files else True


def _read_parameters(value: object) -> object:
    if not isinstance(value, Mapping) or not all(isinstance(item, str | Secret) for item in value.values()):
        raise ValueError
    return sealed("", dict(value))


def _read_lengths(value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not all(type(n) is int and n > 0 for n in value):
        raise ValueError
    return tuple(value)


def _read_prefix(value: object) -> str:
    text = _read_text(value).strip("/")
    if not text or ".." in text.split("/"):
        raise ValueError
    return text


TEXT: Final = Kind("a text", _read_text)
BACKEND: Final = Kind("postgresql (djflow speaks PostgreSQL only)", one_of("postgresql").read)
BOOLEAN: Final = Kind("true or false", read_boolean)
SECRET: Final = Kind("a text", _read_secret)
HOST: Final = Kind("one host name, address or socket folder (put a URL in DATABASE_URL)", _read_host)
HOME: Final = Kind("a folder", _read_home)
TLS: Final = Kind('true, false or {"ssl": {"ca": file, "cert": file, "key": file}}', _read_tls)
PARAMETERS: Final = Kind("an object of connection parameters, each a text", _read_parameters)
LENGTHS: Final = Kind("a list of positive integers such as [2, 2]", _read_lengths)
PREFIX: Final = Kind("a relative path inside the store", _read_prefix)
CACHE: Final = Kind(EXPECTED, read_cache)
