"""Errors of servers and of the connection to them."""

from collections.abc import Sequence

from djflow.errors.base import DjflowError


class ServerError(DjflowError):
    """The embedded PostgreSQL server cannot be started or used."""


class DiskFullError(ServerError):
    """The server ran out of disk space; the statement was rolled back."""


class ConnectionFailedError(DjflowError):
    """No server could be reached. `tried` lists the attempts, without secrets."""

    tried: tuple[str, ...]

    def __init__(self, message: str, *, tried: Sequence[str] = ()) -> None:
        self.tried = tuple(tried)
        super().__init__("\n".join([message, *(f"  - {attempt}" for attempt in self.tried)]))


class LostConnectionError(DjflowError):
    """The connection to the server broke; an open transaction was rolled back."""


class OutcomeUnknownError(LostConnectionError):
    """The connection broke before the server's word that it committed: it may have, or not."""
