"""A sign that a block runs, which collectors see and which ends with the process."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from djflow.backend.session import Session
from djflow.errors import DjflowError

# A server may be told to end a session that does nothing in its transaction; this one only waits.
_BEGUN: Final = (
    "SELECT set_config('idle_in_transaction_session_timeout', '0', true), pg_current_xact_id()::text"
)


@contextmanager
def holding(session: Session) -> Iterator[str | None]:
    """The number of a transaction that runs as long as the block; None inside a transaction, which will do.

    It is one over a connection aside, so that the user's own stays free however long the block takes. A
    process that is killed takes it along.
    """
    if session.in_transaction:
        yield None
        return
    holder = Session(session.settings)
    transaction = holder.begin()
    try:
        [(_, number)] = holder.execute(_BEGUN)
        yield number
    finally:
        # Where the connection broke meanwhile, the record that the row's transaction makes anew counts.
        with suppress(DjflowError):
            holder.roll_back(transaction)
        holder.close()
