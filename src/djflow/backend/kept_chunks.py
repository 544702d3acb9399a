"""Rows of a COPY that wait for those who read them, while the connection does something else."""

from collections import deque
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Final

import numpy as np

_IN_MEMORY: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows one behind the other, without padding, and the length of each in bytes."""

    payload: bytearray
    lengths: list[int]


class KeptChunks:
    """Pieces in the order in which they are put, the first ones in memory and the others in a file."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - lives as long as the object
        self._sizes: deque[tuple[int, int]] = deque()
        self._place = 0

    def put(self, chunk: Chunk) -> None:
        """Add a piece behind the others."""
        lengths = np.array(chunk.lengths, np.int64).tobytes()
        self._file.write(lengths)
        self._file.write(chunk.payload)
        self._sizes.append((len(lengths), len(chunk.payload)))

    def take(self) -> Chunk | None:
        """Remove the first piece; None, for good, where there is none."""
        if not self._sizes:
            return None
        numbers, size = self._sizes.popleft()
        self._file.seek(self._place)
        lengths = np.frombuffer(self._file.read(numbers), np.int64).tolist()
        payload = bytearray(self._file.read(size))
        self._place = self._file.tell()
        return Chunk(payload, lengths)

    def close(self) -> None:
        """Forget all pieces."""
        self._sizes.clear()
        self._file.close()
