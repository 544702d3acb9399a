"""How PostgreSQL's catalogue is read: typed errors, one view for all queries, tables that go meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from djflow.backend.sqlstate import translate
from djflow.errors import MissingTableError, QueryError, SerializationError

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")
# Each attempt may wait for a table that is being dropped, and somebody may drop many.
_ATTEMPTS: Final = 100
# As in `cache lookup failed`, for the type of a column that has gone, with its table or alone.
_INTERNAL: Final = "XX000"
_BROKEN: Final = 3


def query(connection: "psycopg.Connection[Any]", sql: str, **parameters: object) -> list[tuple[Any, ...]]:
    """The rows of a query with `%(name)s` for the parameters. Raises the typed errors."""
    import psycopg
    from psycopg.rows import tuple_row

    try:
        with psycopg.Cursor(connection, row_factory=tuple_row) as cursor:
            # Without parameters psycopg leaves a "%" in a schema's name alone.
            return cursor.execute(sql, parameters or None).fetchall()
    except psycopg.Error as error:
        raise translate(error) from error


def is_idle(connection: "psycopg.Connection[Any]") -> bool:
    """Whether a connection is outside of any transaction."""
    from psycopg.pq import TransactionStatus

    return connection.info.transaction_status == TransactionStatus.IDLE


@contextmanager
def one_view(connection: "psycopg.Connection[Any]") -> Iterator[None]:
    """One view of the database for all queries inside, unless a transaction is under way: then its own."""
    import psycopg

    if not is_idle(connection):
        yield
        return
    try:
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    except psycopg.Error as error:
        raise translate(error) from error


def in_one_view(connection: "psycopg.Connection[Any]", action: Callable[[], T]) -> T:
    """What queries of one view give; where tables are altered meanwhile, those of a newer one if it may be.

    Raises `SerializationError` inside a transaction, which keeps its view.
    """
    for _ in range(_BROKEN - 1 if is_idle(connection) else 0):
        with suppress(SerializationError), one_view(connection):
            return action()
    with one_view(connection):
        return action()


def despite_drops(connection: "psycopg.Connection[Any]", action: Callable[[], T]) -> T:
    """What reading tables by name gives, begun again where one has been dropped since it was found.

    Raises `SerializationError` where the transaction's view is of tables that were altered since.
    """
    import psycopg

    broken = 0
    for _ in range(_ATTEMPTS - 1):
        try:
            # Its end leaves a transaction around it sound, and lets go of the locks that showing
            # constraints and defaults has taken: a long transaction would keep tables from being dropped.
            with connection.transaction(force_rollback=True):
                return action()
        except MissingTableError:
            continue
        except QueryError as error:
            broken += error.sqlstate == _INTERNAL
            if error.sqlstate != _INTERNAL:
                raise
            if broken == _BROKEN:
                raise SerializationError(
                    "Tables were altered since this transaction began, and what they were cannot be read "
                    "any more. Run it again.",
                    sqlstate=error.sqlstate,
                ) from error
        except psycopg.Error as error:
            raise translate(error) from error
    return action()
