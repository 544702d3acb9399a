"""The default database: a thin convenience over values passed explicitly."""

from djflow.config import shared
from djflow.relation.database import Database

_database = Database(lambda: shared.settings)


def conn() -> Database:
    """The database that the default configuration names; nothing is opened before it is used.

    >>> conn() is conn()
    True
    """
    return _database
