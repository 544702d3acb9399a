"""Statements that commit at once, whatever becomes of the transaction around them."""

from typing import Final
from weakref import WeakKeyDictionary, finalize

from djflow.backend.session import Session

_asides: Final["WeakKeyDictionary[Session, Session]"] = WeakKeyDictionary()


def aside(session: Session) -> Session:
    """Another session for the same server, with connections of its own; it goes when the first one does."""
    found = _asides.get(session)
    if found is None:
        found = _asides.setdefault(session, Session(session.settings))
        finalize(session, found.close).atexit = False  # the end of the process closes all sessions
    return found
