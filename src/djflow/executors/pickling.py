"""Tasks as bytes: with cloudpickle, which Dask brings, functions of scripts and notebooks travel too."""

import pickle
from importlib.util import find_spec
from typing import Any

from djflow.errors import UnpicklableTaskError


def packed(value: object, what: str) -> bytes:
    """A value as bytes; the error says `what` cannot be sent.

    >>> unpacked(packed({"a": 1}, "A result"))
    {'a': 1}
    """
    try:
        return _dumps(value)
    except Exception as error:
        message = f"{what} cannot be sent to another process: {type(error).__name__}: {error}"
        raise UnpicklableTaskError(message).suggest(*_advice()) from error


def unpacked(data: bytes) -> Any:
    """The value that was packed, by this program in another process."""
    return pickle.loads(data)  # noqa: S301 - pipes between processes of one program


def _dumps(value: object) -> bytes:
    if _has_cloudpickle():
        import cloudpickle  # type: ignore[import-untyped, unused-ignore]

        return bytes(cloudpickle.dumps(value))
    return pickle.dumps(value)


def _has_cloudpickle() -> bool:
    return find_spec("cloudpickle") is not None


def _advice() -> tuple[str, ...]:
    if _has_cloudpickle():
        return ("Open files, connections and locks cannot travel: open them in the set-up of the worker.",)
    return ("Functions of a script or notebook can travel when `cloudpickle` is installed.",)
