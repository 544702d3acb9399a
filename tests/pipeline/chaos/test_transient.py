"""Which errors of `make` are tried again: those of servers and stores that were away."""

import pytest

from djflow.errors import (
    BucketInaccessible,
    ConnectionFailedError,
    CorruptObjectError,
    LostConnectionError,
    MissingExternalFile,
    SerializationError,
    StorageError,
    StoreFullError,
)
from djflow.pipeline.reserved import is_transient


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        BucketInaccessible("The store is away."),
        ConnectionFailedError("Nobody listens."),
        LostConnectionError("It broke."),
        SerializationError("Another one was in the way.", sqlstate="40001"),
        TimeoutError(),
        ConnectionResetError(),
        caused(StorageError("GET failed."), RuntimeError("error sending request")),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no signal"),
        FileNotFoundError("settings.json"),
        MissingExternalFile("It is not in the store."),
        caused(MissingExternalFile("It is not in the store."), FileNotFoundError()),
        CorruptObjectError("other bytes", path="a"),
        caused(StoreFullError("No room."), OSError()),
        StorageError("This is a folder."),
    ],
)
def test_what_stays_as_it_is_becomes_an_error_at_once(error: Exception) -> None:
    assert not is_transient(error)
