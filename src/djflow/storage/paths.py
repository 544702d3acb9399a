"""Where objects lie in a store: pure construction and checking of paths."""

import hashlib
import re
import secrets
import string
from base64 import b32encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Final
from urllib.parse import quote

from djflow.errors import StorageError
from djflow.model.names import TableName

_TOKEN_ALPHABET: Final = string.ascii_letters + string.digits + "-_"
_UNFINISHED: Final = re.compile(r"(.*/|)\.([^/]+)\.tmps?", re.DOTALL)
_MAX_SEGMENT: Final = 200  # bytes; file systems allow 255, and a temporary name is longer than its file's


@dataclass(frozen=True, slots=True)
class StoreLayout:
    """How a store divides its space.

    `subfolding` cuts hashes into folders, `(2, 2)` to `ab/cd/abcd...`; `partition_pattern` names key
    attributes, separated by slashes, whose values come before the schema; `token_length` counts the random
    characters of a name. Where `filepath_prefix` is given, the files that users refer to lie below it.
    """

    hash_prefix: str = "_hash"
    schema_prefix: str = "_schema"
    subfolding: tuple[int, ...] = ()
    partition_pattern: str | None = None
    token_length: int = 8
    filepath_prefix: str | None = None

    @property
    def partition(self) -> tuple[str, ...]:
        """The attributes of the partition pattern, whether written `a/b` or `{a}/{b}`."""
        pieces = (self.partition_pattern or "").split("/")
        return tuple(name for piece in pieces if (name := piece.strip(" {}")))


DEFAULT_LAYOUT: Final = StoreLayout()


def content_hash(data: bytes | memoryview) -> str:
    """The name of content: the base32 of its MD5, 26 lower-case characters.

    >>> content_hash(b"")
    '2qoyzwmpaczaj2mabgmoz6ccpy'
    """
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    return b32encode(digest).decode().lower().rstrip("=")


def hash_path(layout: StoreLayout, schema: str, content: str) -> str:
    """The path of content with a hash, shared by all rows of a schema that hold it.

    >>> hash_path(StoreLayout(subfolding=(2, 3)), "lab", "4gd3ocv245")
    '_hash/lab/4g/d3o/4gd3ocv245'
    """
    edges = [0, *accumulate(layout.subfolding)]
    folders = [content[start:stop] for start, stop in pairwise(edges)]
    return "/".join([layout.hash_prefix, _segment(schema), *folders, content])


def schema_path(
    layout: StoreLayout,
    table: TableName,
    key: Mapping[str, Any],
    attribute: str,
    *,
    token: str,
    extension: str = "",
) -> str:
    """The path of one row's object; it tells the row's table, key and attribute.

    >>> table = TableName("lab", "session")
    >>> schema_path(StoreLayout(), table, {"subject": "a/b"}, "arr", token="x1", extension=".npy")
    '_schema/lab/session/subject=a%2Fb/arr_x1.npy'

    The partition applies to tables whose key has all of its attributes:

    >>> schema_path(StoreLayout(partition_pattern="s"), table, {"k": 1, "s": 2}, "arr", token="x1")
    '_schema/s=2/lab/session/k=1/arr_x1'
    """
    partition = layout.partition if set(layout.partition) <= set(key) else ()
    before = [_key_segment(name, key[name]) for name in partition]
    after = [_key_segment(name, value) for name, value in key.items() if name not in partition]
    name = f"{attribute}_{token}{extension}"
    return "/".join(
        [layout.schema_prefix, *before, _segment(table.schema), _segment(table.table), *after, name]
    )


def new_token(length: int) -> str:
    """Random characters that may stand in a URL and a file name.

    >>> len(new_token(8))
    8
    """
    # The alphabet has 64 characters, so that each byte chooses one as likely as any other.
    return "".join([_TOKEN_ALPHABET[byte % 64] for byte in secrets.token_bytes(length)])


def unfinished(path: str) -> tuple[str, str]:
    """Where an object's writer puts what is not whole yet, and the folder for others who write the same.

    Both follow from the object's path, so that what a killed writer left behind is found with the object.

    >>> unfinished("_schema/lab/a.npy")
    ('_schema/lab/.a.npy.tmp', '_schema/lab/.a.npy.tmps')
    """
    folder, slash, name = path.rpartition("/")
    if len(name.encode("utf-8", "surrogateescape")) > _MAX_SEGMENT:
        name = content_hash(name.encode("utf-8", "surrogateescape"))
    return f"{folder}{slash}.{name}.tmp", f"{folder}{slash}.{name}.tmps"


def finished(path: str) -> str:
    """The object to which an unfinished file, or a folder of them, belongs; other paths are their own.

    >>> finished("_schema/lab/.a.npy.tmps"), finished("_schema/lab/a.npy")
    ('_schema/lab/a.npy', '_schema/lab/a.npy')
    """
    found = _UNFINISHED.fullmatch(path)
    return f"{found[1]}{found[2]}" if found else path


def check_path(path: str) -> str:
    """The path itself, if it stays within any store: relative, with `/` between plain names.

    >>> check_path("_schema/lab/a.npy")
    '_schema/lab/a.npy'
    >>> check_path("../secret")
    Traceback (most recent call last):
    djflow.errors.StorageError: '../secret' is no path in a store: it has the segment '..'.
    Paths are relative to the store's location and use '/', for example 'folder/file.npy'.
    """
    reason = _fault(path)
    if reason:
        raise StorageError(f"{path!r} is no path in a store: {reason}.").suggest(
            "Paths are relative to the store's location and use '/', for example 'folder/file.npy'."
        )
    return path


def _fault(path: str) -> str:
    if not path:
        return "it is empty"
    if path.startswith("/") or path[1:2] == ":":
        return "it is absolute"
    for forbidden in ("\\", "\0"):
        if forbidden in path:
            return f"it has the character {forbidden!r}"
    return _faulty_segment(path.split("/"))


def _faulty_segment(segments: Iterable[str]) -> str:
    for segment in segments:
        if segment in ("", ".", ".."):
            return f"it has the segment {segment!r}"
    return ""


def _key_segment(name: str, value: Any) -> str:
    return _segment(f"{name}=", value.hex() if isinstance(value, bytes) else str(value))


def _segment(*texts: str) -> str:
    quoted = "".join(quote(text, safe="=") for text in texts)
    if len(quoted) <= _MAX_SEGMENT:
        return quoted
    # Longer than file systems allow: still readable, and still different for different values.
    digest = content_hash("".join(texts).encode())
    return f"{quoted[: _MAX_SEGMENT - len(digest) - 1]}~{digest}"
