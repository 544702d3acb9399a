"""The setting `cache` of a store: a folder for local copies of what was read, and how large it may grow."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_UNITS: Final = {
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", start=1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", start=1)},
}
_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.IGNORECASE)
DEFAULT_SIZE: Final = 10 * 1000**3
EXPECTED: Final = 'a folder, or {"folder": "...", "size": "100GB"}'


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """Where copies of remote objects are kept on this machine, and how many bytes they may take in all."""

    folder: Path
    size: int = DEFAULT_SIZE


def read_cache(value: object) -> CacheSettings:
    """The setting from a folder's path or from an object. Raises `ValueError` for anything else.

    >>> read_cache({"folder": "/scratch", "size": "1.5 GB"}).size
    1500000000
    """
    if isinstance(value, CacheSettings):
        return value
    given = value if isinstance(value, Mapping) else {"folder": value}
    folder = given.get("folder")
    if set(given) - {"folder", "size"} or not isinstance(folder, str | Path) or not str(folder).strip("\0 "):
        raise ValueError
    size = read_size(given.get("size", DEFAULT_SIZE))
    return CacheSettings(Path(folder).expanduser().absolute(), size)


def read_size(value: object) -> int:
    """A number of bytes, from an integer or a text with a unit. Raises `ValueError` for anything else.

    >>> read_size("2 GB"), read_size("1KiB"), read_size(5)
    (2000000000, 1024, 5)
    """
    if isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        value = int(float(match[1]) * _UNITS.get(match[2].lower(), 0))
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError
    return value
