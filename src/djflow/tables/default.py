"""The default configuration and database: a thin convenience over values passed explicitly."""

import os

from djflow.configuration import forbid_in_thread_safe_mode
from djflow.configuration import shared as config
from djflow.relation.database import Database

_database = Database(lambda: config.settings)


def conn() -> Database:
    """The database that the default configuration names; nothing is opened before it is used.

    Raises `ThreadSafetyError` in thread-safe mode.

    >>> conn() is conn()
    True
    """
    require_shared_state("dj.conn()")
    return _database


def require_shared_state(what: str) -> None:
    """Raise `ThreadSafetyError` where `what` uses what threads share, and thread-safe mode forbids that."""
    forbid_in_thread_safe_mode(what, os.environ)


__all__ = ["config", "conn", "require_shared_state"]
