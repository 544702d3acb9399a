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
    forbid_in_thread_safe_mode("dj.conn()", os.environ)
    return _database


__all__ = ["config", "conn"]
