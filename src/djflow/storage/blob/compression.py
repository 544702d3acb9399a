"""Whole blobs compressed with zlib, and when that is worth it."""

import zlib
from typing import Final, TypeAlias

from djflow.errors import CorruptObjectError
from djflow.storage.blob.layout import u64

Buffer: TypeAlias = bytes | memoryview

MARK: Final = b"ZL123\0"
PREFIX_SIZE: Final = len(MARK) + 8
THRESHOLD: Final = 1000  # bytes; smaller blobs stay as they are
MAX_EXPANDED: Final = 1 << 32  # 4 GiB
_MAX_RATIO: Final = 1040  # deflate cannot exceed 1032
_SAMPLE: Final = 1 << 15
_SAMPLES: Final = 4


def compress(blob: bytes) -> bytes:
    """The compressed form of a blob, or the blob itself where that saves less than a third.

    >>> len(compress(bytes(10_000))) < 100, compress(b"short")
    (True, b'short')
    """
    if not (THRESHOLD < len(blob) <= MAX_EXPANDED and _promises(blob)):
        return blob
    stream = zlib.compress(blob)
    return MARK + u64(len(blob)) + stream if saves_a_third(len(stream), len(blob)) else blob


def saves_a_third(compressed: int, plain: int) -> bool:
    """Whether a stream of `compressed` bytes is worth the time to inflate it."""
    return 3 * compressed <= 2 * plain


def expand(data: Buffer) -> Buffer:
    """The plain form of a blob. Raises `CorruptObjectError` for a stream that is not what its length says.

    >>> expand(compress(bytes(10_000))) == bytes(10_000)
    True
    """
    if data[: len(MARK)] != MARK:
        return data
    return inflate(data[PREFIX_SIZE:], int.from_bytes(data[len(MARK) : PREFIX_SIZE], "little"))


def inflate(stream: Buffer, length: int) -> bytes:
    """Exactly `length` bytes from a zlib stream; never allocates much more, whatever the stream claims."""
    if not is_plausible(len(stream), length):
        raise CorruptObjectError(f"A compressed blob claims {length} bytes from a stream of {len(stream)}")
    inflator = zlib.decompressobj()
    try:
        # One byte more than promised, so that the end of the stream and any excess are seen.
        plain = inflator.decompress(stream, length + 1)
    except zlib.error as error:
        raise CorruptObjectError(f"A compressed blob cannot be inflated ({error})") from error
    if len(plain) != length or not inflator.eof or inflator.unused_data:
        raise CorruptObjectError(f"A compressed blob does not hold the {length} bytes that it claims")
    return plain


def is_plausible(compressed: int, length: int) -> bool:
    """Whether a stream can expand to `length` bytes at all, and to no more than 4 GiB."""
    return length <= min(compressed * _MAX_RATIO, MAX_EXPANDED)


def _promises(blob: bytes) -> bool:
    # Trying a few pieces of a large blob is cheap; deflating noise is the slowest thing that zlib does.
    if len(blob) <= _SAMPLE * _SAMPLES:
        return True
    step = (len(blob) - _SAMPLE) // (_SAMPLES - 1)
    pieces = [blob[start : start + _SAMPLE] for start in range(0, step * _SAMPLES, step)]
    return saves_a_third(sum(len(zlib.compress(piece)) for piece in pieces), _SAMPLE * _SAMPLES)
