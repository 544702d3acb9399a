"""A remote file as Python reads files."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Final, cast

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined]

_BUFFER: Final = 1 << 20  # bytes asked for at least, since each request takes its time


def buffered(fetch: Callable[[int, int], bytes], size: int) -> BinaryIO:
    """A seekable file of `size` bytes, of which `fetch(start, stop)` gives any range.

    >>> buffered(lambda start, stop: b"0123456789"[start:stop], 10).read(3)
    b'012'
    """
    return cast("BinaryIO", io.BufferedReader(_RangeFile(fetch, size), _BUFFER))


class _RangeFile(io.RawIOBase):
    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch, self._size, self._position = fetch, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"a file has no position {start + offset}")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer).cast("B")
        data = self._next(self._position + len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self._next(self._size)

    def _next(self, stop: int) -> bytes:
        start, stop = self._position, min(stop, self._size)
        data = self._fetch(start, stop) if start < stop else b""
        self._position += len(data)
        return data
