"""The objects of a bucket through `obstore`, which is faster than `s3fs`. Imports it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

_PART: Final = 1 << 23  # bytes of a part, of which a transfer has this many in memory:
_PARTS_AT_ONCE: Final = 4
_PAGE: Final = 1_000  # objects of a listing, as many as the server tells at once
_MOST_PARTS: Final = 9_000  # S3 allows 10,000
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")
_STATUS: Final = re.compile(r"status code: (\d{3})")
_NOBODY: Final = re.compile(r"tcp connect error|dns error|Connection refused", re.IGNORECASE)
_LONGEST: Final = 200  # characters of a message


class S3Objects:
    """What a store needs of a file system, with its methods' names, for one bucket."""

    def __init__(self, bucket: S3Store) -> None:
        self._bucket = bucket

    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        """The content of an object, or a range of it."""
        with told():
            if start is None or end is None:
                return bytes(obstore.get(self._bucket, _key(path)).bytes())
            return bytes(obstore.get_range(self._bucket, _key(path), start=start, end=end))

    def pipe_file(self, path: str, data: bytes) -> None:
        """Write an object."""
        with told():
            obstore.put(self._bucket, _key(path), data, chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE)

    def put_file(self, source: str, path: str) -> None:
        """Copy a file into the bucket, in parts."""
        part = max(_PART, Path(source).stat().st_size // _MOST_PARTS)
        with told():
            obstore.put(
                self._bucket, _key(path), Path(source), chunk_size=part, max_concurrency=_PARTS_AT_ONCE
            )

    def get_file(self, path: str, target: str) -> None:
        """Copy an object into a file."""
        with told():
            pieces = obstore.get(self._bucket, _key(path)).stream(min_chunk_size=_PART)
            with Path(target).open("wb") as file:
                file.writelines(pieces)

    def rm_file(self, path: str) -> None:
        """Remove an object."""
        with told():
            obstore.delete(self._bucket, _key(path))

    def info(self, path: str) -> dict[str, Any]:
        """The type and size of an object or a folder."""
        with told():
            try:
                return _details(obstore.head(self._bucket, _key(path)))
            except FileNotFoundError:
                first = next(obstore.list(self._bucket, prefix=_key(path), chunk_size=1), None)
                if not first:
                    raise
                return {"type": "directory", "size": 0}

    def find(self, path: str, **_: Any) -> dict[str, dict[str, Any]]:
        """The objects below a path, or the one at it."""
        return {name: details for page in self.find_pages(path) for name, details in page.items()}

    def find_pages(self, path: str) -> Iterator[dict[str, dict[str, Any]]]:
        """The same in pieces, as the server tells them."""
        bucket = path.partition("/")[0]
        with told():
            is_empty = True
            for page in obstore.list(self._bucket, prefix=_key(path) or None, chunk_size=_PAGE):
                is_empty = False
                yield {f"{bucket}/{each['path']}": _details(each) for each in page}
            if is_empty and _key(path):
                yield {path: _details(obstore.head(self._bucket, _key(path)))}

    @staticmethod
    def _strip_protocol(path: str) -> str:
        return path


class Answer(Exception):  # noqa: N818 - what the server said; it is always translated
    """A refusal in the form in which other libraries of S3 raise it."""

    response: dict[str, dict[str, Any]]

    def __init__(self, message: str, status: int, code: str) -> None:
        super().__init__(message)
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


def usable() -> bool:
    """Whether this process may use `obstore`: in a forked child its threads are gone, and it would hang."""
    return _first.setdefault("process", os.getpid()) == os.getpid()


_first: Final[dict[str, int]] = {}


@contextmanager
def told() -> Iterator[None]:
    """Only the reason of an error, since the rest repeats the request, with its credentials' names."""
    try:
        yield
    except (BaseError, FileNotFoundError, PermissionError) as error:
        raise _failure(error) from None
    except BaseException as error:
        # What the library does not expect is no Exception, and would pass by all who clean up after one.
        if type(error).__name__ != "PanicException":
            raise
        raise RuntimeError(f"obstore failed: {str(error)[:_LONGEST]}") from None


def _failure(error: Exception) -> Exception:
    text = str(error)
    reason = text.partition("\n")[0].rpartition(" - ")[2]
    message = reason.partition(": <")[0].rstrip(": ")[:_LONGEST]  # without the document that was answered
    code, status = _CODE.search(text), _STATUS.search(text)
    if code or status:
        told = f"{message} ({code[1]})" if code else message
        return Answer(told, int(status[1]) if status else 0, code[1] if code else "")
    if isinstance(error, FileNotFoundError | PermissionError):
        return type(error)(message)
    return ConnectionRefusedError(message) if _NOBODY.search(text) else ConnectionError(message)


def _key(path: str) -> str:
    return path.partition("/")[2]


def _details(found: Any) -> dict[str, Any]:
    return {"type": "file", "size": found["size"], "last_modified": found["last_modified"]}
