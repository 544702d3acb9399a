"""Waiting for what a connection sends, without keeping interrupts from Python."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import psycopg
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn, PGresult

_CANCEL_SECONDS: Final = 5.0


def has_ended(connection: "psycopg.Connection[Any]") -> bool:
    """Whether a connection is closed, by this side or, while it had nothing to do, by the server."""
    import psycopg

    status = psycopg.pq.TransactionStatus
    if connection.info.transaction_status in (status.IDLE, status.INTRANS):
        try:
            for _ in range(2):  # the server's farewell, then the end behind it; neither is waited for
                connection.pgconn.consume_input()
        except psycopg.OperationalError:
            connection.close()
    return connection.closed


def stop(connection: "psycopg.Connection[Any]") -> None:
    """Have the server end the statement that it runs, if any, and read what it still sends."""
    import psycopg

    if connection.info.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
        connection.cancel_safe(timeout=_CANCEL_SECONDS)
        connection.wait(_drained(connection.pgconn), timeout=_CANCEL_SECONDS)


def run(connection: "psycopg.Connection[Any]", command: str) -> None:
    """Run commands that give no rows; a cursor would take longer. Raises psycopg's errors."""
    connection.wait(sent(connection.pgconn, command.encode()))
    finish(connection)


def finish(connection: "psycopg.Connection[Any]") -> None:
    """Take the results that are left of a statement. Raises psycopg's error where one is a failure."""
    import psycopg

    connection.wait(free(connection.pgconn))
    failed: PGresult | None = None
    while (result := connection.pgconn.get_result()) is not None:
        if result.status not in {psycopg.pq.ExecStatus.COMMAND_OK, psycopg.pq.ExecStatus.TUPLES_OK}:
            failed = result
    if failed is not None:
        raise failure(connection, failed)


def failure(connection: "psycopg.Connection[Any]", result: "PGresult | None") -> "psycopg.Error":
    """The error that a result stands for; one of the connection where that is at its end."""
    import psycopg

    if connection.pgconn.status == psycopg.pq.ConnStatus.BAD or result is None:
        return psycopg.OperationalError(connection.pgconn.get_error_message() or "the connection is lost")
    return psycopg.errors.error_from_result(result)


def sent(pgconn: "PGconn", statement: bytes) -> "PQGen[None]":
    """Send a statement, and wait for the beginning of the answer."""
    from psycopg.waiting import Wait

    pgconn.send_query(statement)
    while pgconn.flush():
        if (yield Wait.RW) & Wait.R:
            pgconn.consume_input()
    yield from free(pgconn)


def free(pgconn: "PGconn") -> "PQGen[None]":
    """Wait until a result can be asked for."""
    while pgconn.is_busy():
        yield from readable(pgconn)


def readable(pgconn: "PGconn") -> "PQGen[None]":
    """Wait for more from the server."""
    from psycopg.waiting import Wait

    while not (yield Wait.R):
        pass
    pgconn.consume_input()


def _drained(pgconn: "PGconn") -> "PQGen[None]":
    """Read and forget what the server still sends for the statement that runs."""
    import psycopg

    while True:
        yield from free(pgconn)
        result = pgconn.get_result()
        if result is None:
            return
        if result.status == psycopg.pq.ExecStatus.COPY_IN:  # the server waits for rows, and would for ever
            pgconn.put_copy_end(b"stopped")
            while pgconn.flush():
                yield from readable(pgconn)
            continue
        while result.status == psycopg.pq.ExecStatus.COPY_OUT:
            size, _ = pgconn.get_copy_data(1)
            if size < 0:
                break
            if size == 0:
                yield from readable(pgconn)
