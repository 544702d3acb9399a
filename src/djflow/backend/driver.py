"""The ADBC driver's handles, one a server.

Opening a handle makes the driver read all types of the catalogue, which takes fifteen times as long as
connecting. A handle holds no connection and no socket, so that whoever reads from one server in a
process, in any thread or forked child, shares one.
"""

import os
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

_MOST: Final = 8
_handles: dict[str, Any] = {}
_lock = threading.Lock()


def connect(conninfo: str) -> "Connection":
    """A connection in autocommit mode. Raises the driver's own errors."""
    import adbc_driver_manager
    from adbc_driver_manager.dbapi import Connection

    with closing(_handle(conninfo)) as handle:
        return Connection(handle, adbc_driver_manager.AdbcConnection(handle._db), autocommit=True)  # noqa: SLF001


def _handle(conninfo: str) -> Any:
    """One's own claim on the handle, which ends with the last claim."""
    import adbc_driver_postgresql
    from adbc_driver_manager.dbapi import _SharedDatabase

    with _lock:
        if conninfo not in _handles:
            while len(_handles) >= _MOST:
                _handles.pop(next(iter(_handles))).close()
            _handles[conninfo] = _SharedDatabase(adbc_driver_postgresql.connect(conninfo))
        return _handles[conninfo].clone()


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - a forked child has no thread that would open it
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
