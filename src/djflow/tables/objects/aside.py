"""Statements that commit at once, whatever becomes of the transaction around them."""

from typing import Final
from weakref import WeakKeyDictionary, finalize

from djflow.backend.session import Session

_asides: Final["WeakKeyDictionary[Session, Session]"] = WeakKeyDictionary()


def aside(session: Session) -> Session:
    """Another session for the same server, whose connections are closed with those of the first."""
    found = _asides.get(session)
    if found is None:
        found = _asides.setdefault(session, Session(session.settings))
        session.accompany(found)
        finalize(session, found.close).atexit = False  # the end of the process closes all sessions
    return found
