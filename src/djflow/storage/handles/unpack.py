"""Files out of rows: copies in a folder of this machine that never replace another file."""

import os
import re
import secrets
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

from djflow.errors import StorageError

_UNSAFE: Final = re.compile(r"[/\\\x00-\x1f\x7f]|\A\.{0,2}\Z|\A[A-Za-z]:")


def is_safe_name(name: str) -> bool:
    r"""Whether a name is that of a file in a folder, wherever it is unpacked.

    >>> [is_safe_name(name) for name in ("report (1).pdf", "..", "../a", "a\\b", "C:a", "")]
    [True, False, False, False, False, False]
    """
    return _UNSAFE.search(name) is None


def unpack_file(folder: Path, name: str, content: bytes) -> Path:
    """Write a file into a folder, under another name if one with other content has this; returns its path.

    A file that is there with the same content is kept. The second file named `a.txt` is `a_1.txt`.

    Raises `StorageError` where the file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in count():
            target = folder / (name if not number else f"{Path(name).stem}_{number}{Path(name).suffix}")
            if _holds(target, content) or _write_new(target, content) or _holds(target, content):
                return target
    except OSError as error:
        raise StorageError(f"{name!r} cannot be written into {str(folder)!r}: {error.strerror}.").suggest(
            "Set download_path to a folder that you may write to."
        ) from error
    raise AssertionError


def _holds(target: Path, content: bytes) -> bool:
    with suppress(OSError):  # no file, or none that can be read
        return target.is_file() and target.stat().st_size == len(content) and target.read_bytes() == content
    return False


def _write_new(target: Path, content: bytes) -> bool:
    """Whether the name was free; where it was, the file is there now, whole."""
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        temporary.write_bytes(content)
        return _take_name(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _take_name(temporary: Path, target: Path) -> bool:
    try:
        os.link(temporary, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without links, where others may see the file empty for a moment
        try:
            target.touch(exist_ok=False)
        except FileExistsError:
            return False
        temporary.replace(target)
    return True
