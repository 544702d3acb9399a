"""Errors of the drivers to typed errors, by SQLSTATE: the drivers' own classes differ, the codes do not."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from djflow.backend.report import ServerReport, report_of
from djflow.errors import (
    AccessError,
    ConnectionFailedError,
    DataTypeError,
    DeadlockError,
    DiskFullError,
    DjflowError,
    DuplicateError,
    IntegrityError,
    LostConnectionError,
    MissingAttributeError,
    MissingTableError,
    OwnershipError,
    QueryError,
    SerializationError,
)

_KEY: Final = re.compile(r"\((?P<columns>.*?)\)=\((?P<values>.*)\)(?P<tail>[^()]*)\Z", re.DOTALL)
_COPY: Final = re.compile(r'COPY [^,]+, line (?P<line>\d+), column (?P<column>[^:]+)(?:: "(?P<value>.*)")?')
_CONNECTING: Final = re.compile(
    r"failed to connect|connection (?:failed|is bad|info string|option|timeout)|unexpected spaces"
    r"|percent-encoded|invalid port|connection to server (?:at|on)|resolve host|translate host name",
    re.IGNORECASE,
)
# A connection string that cannot be parsed is quoted in the driver's text, password included:
# only what these recognise is passed on.
_REASONS: Final = (
    (re.compile(r"(?:FATAL|ERROR):\s+(.+)"), r"\1"),
    (re.compile(r"connection refused", re.IGNORECASE), "nothing listens there (connection refused)"),
    (re.compile(r"translate host name|resolve host"), "the host's name is not known"),
    (re.compile(r"no such file or directory", re.IGNORECASE), "its socket does not exist"),
    (re.compile(r"permission denied", re.IGNORECASE), "its socket belongs to another user"),
    (re.compile(r"timeout|timed out", re.IGNORECASE), "it did not answer in time"),
    (re.compile(r"no route to host|network is unreachable", re.IGNORECASE), "no network route leads there"),
    (re.compile(r"\bSSL\b"), "the TLS connection could not be set up"),
    (re.compile(r"closed the connection"), "it closed the connection"),
    (
        re.compile(
            r"connection info string|percent-encoded|unexpected spaces|invalid port|connection option"
        ),
        "the settings cannot be read; check the port, and percent-encode special characters in a URL",
    ),
)


def translate(error: BaseException, *, table: str = "", server: str = "") -> DjflowError:
    """The typed error for one of psycopg or ADBC; raise it `from None` where a connection string was at hand.

    `table` names the table in the message where the server does not; by default it is left out.
    `server` describes, without secrets, the server that was being connected to; empty when connected.
    The message never contains the statement or the connection string.

    >>> translate(OSError("[libpq] Execution error [PGRES_FATAL_ERROR]: ERROR:  division by zero"))
    QueryError('division by zero')
    """
    report = report_of(error)
    if server or (report.sqlstate is None and _CONNECTING.search(str(error))):
        return _connection_failed(report, str(error), server)
    if report.is_broken:
        return _lost_connection(report, table)
    code = report.sqlstate or ""
    build = _BY_CODE.get(code) or _BY_CLASS.get(code[:2]) or _other
    built = build(report, _table(report, table))
    return built.suggest(report.hint) if report.hint else built


def _table(report: ServerReport, table: str) -> str:
    return table or ".".join(part for part in (report.schema, report.table) if part)


def _connection_failed(report: ServerReport, text: str, server: str) -> ConnectionFailedError:
    reason = next((match.expand(said) for pattern, said in _REASONS if (match := pattern.search(text))), "")
    if report.sqlstate is not None:
        reason = report.message
    where = f" at {server}" if server else ""
    return ConnectionFailedError(
        f"Cannot connect to PostgreSQL{where}{': ' if reason else ''}{reason}.".strip()
    ).suggest("`djflow doctor` looks for the cause; dj.config.sources() tells where each setting comes from.")


def _refused(report: ServerReport, _table: str) -> DjflowError:
    return ConnectionFailedError(f"PostgreSQL refuses the connection: {report.message}.")


def _lost_connection(report: ServerReport, _table: str) -> DjflowError:
    said = f": {report.message.partition(chr(10))[0].rstrip('.')}" if report.message else ""
    return LostConnectionError(
        f"The connection to the server broke{said}. An open transaction was rolled back; run it again."
    )


def _duplicate(report: ServerReport, table: str) -> DjflowError:
    key = _key(report)
    with_key = f" with {key}" if key else f", says {report.constraint}"
    # What conflicts are resolved by is the primary key; PostgreSQL gives its constraint this ending.
    advice = (
        "Pass skip_duplicates=True to keep the existing row, or replace=True to overwrite it."
        if report.constraint.endswith("_pkey")
        else f"{report.constraint} allows it once: change the value, or delete the other row."
    )
    return DuplicateError(
        f"{table or 'The table'} has a row already{with_key}. {advice}",
        table=table,
        constraint=report.constraint,
        key=key,
    )


def _foreign_key(report: ServerReport, table: str) -> DjflowError:
    child = report.table or table
    match = _KEY.search(report.detail)
    tail = match["tail"] if match else ""
    # The server's texts follow its language, but the table that they name does not.
    if tail and f'"{child}"' in tail and "not present" not in tail:
        return _still_referenced(report, table)
    if not tail:
        return _integrity(report, table)
    quoted = re.search(r'"(.+)"', tail)
    parent = quoted[1] if quoted else "the parent"
    return IntegrityError(
        f"{table or 'The table'} refers to a row of {parent} that does not exist: {_key(report)}. "
        f"Insert it into {parent} first.",
        table=table,
        constraint=report.constraint,
        key=_key(report),
    )


def _still_referenced(report: ServerReport, table: str) -> DjflowError:
    key, child = _key(report), report.table or "another table"
    return IntegrityError(
        f"A row{f' with {key}' if key else ''} cannot go or change its key: {child} still refers to it. "
        f"Delete the rows of {child} first; delete() does so for all descendants.",
        table=table,
        constraint=report.constraint,
        key=key,
        sqlstate=report.sqlstate or "23503",
    )


def _integrity(report: ServerReport, table: str) -> DjflowError:
    return IntegrityError(
        _sentence(report, table),
        table=table,
        constraint=report.constraint,
        key=_key(report),
        sqlstate=report.sqlstate or "23000",
    )


def _missing_attribute(report: ServerReport, table: str) -> DjflowError:
    return MissingAttributeError(report.column, table=table) if report.column else _integrity(report, table)


def _access(report: ServerReport, table: str) -> DjflowError:
    return AccessError(
        f"{_sentence(report, table)} Ask the owner to GRANT the right to your role.", sqlstate=report.sqlstate
    )


def _ownership(report: ServerReport, table: str) -> DjflowError:
    return OwnershipError(table, json.loads(report.detail or "{}"))


def _read_only(report: ServerReport, table: str) -> DjflowError:
    return AccessError(
        f"{_sentence(report, table)} The server or the transaction accepts reads only.",
        sqlstate=report.sqlstate,
    )


def _missing_table(report: ServerReport, table: str) -> DjflowError:
    return MissingTableError(
        f"{_sentence(report, table)} Declare it first, or check the schema's name and your right to see it."
    )


def _unknown_column(report: ServerReport, table: str) -> DjflowError:
    return QueryError(
        f"{_sentence(report, table)} The table may have changed since its definition was read: "
        "compare with describe().",
        sqlstate=report.sqlstate,
    )


def _disk_full(report: ServerReport, _table: str) -> DjflowError:
    return DiskFullError(
        f"The server's disk is full: {report.message}. The statement was rolled back. "
        "Free space and run it again."
    )


def _locks_full(report: ServerReport, _table: str) -> DjflowError:
    return QueryError(
        f"The server has no room for another lock: {report.message}. The transaction is too long: commit "
        "more often, or give many rows to one call instead of one to each of many calls.",
        sqlstate=report.sqlstate,
    ).suggest("The server's administrator can raise max_locks_per_transaction.")


def _data(report: ServerReport, table: str) -> DjflowError:
    place = _COPY.search(report.context)
    column = report.column or (place["column"].strip() if place else "")
    if not column:
        return _other(report, table)
    return DataTypeError(
        report.message,
        column=column,
        expected="a value that the column's type can hold",
        row=int(place["line"]) - 1 if place else None,
        value=(place["value"] if place else None) or "a value that the server does not show",
        table=table,
    )


def _conflict(report: ServerReport, table: str) -> DjflowError:
    return QueryError(
        f"{_sentence(report, table)} Another transaction was in the way; run the whole transaction again.",
        sqlstate=report.sqlstate,
    )


_AGAIN: Final = (
    "Run the whole transaction again; connection.run_in_transaction(function) does so, but the block of a "
    "`with` cannot be repeated."
)


def _serialization(report: ServerReport, table: str) -> DjflowError:
    return SerializationError(f"{_sentence(report, table)} {_AGAIN}", sqlstate=report.sqlstate)


def _deadlock(report: ServerReport, table: str) -> DjflowError:
    return DeadlockError(f"{_sentence(report, table)} {_AGAIN}", sqlstate=report.sqlstate)


def _overflow(report: ServerReport, table: str) -> DjflowError:
    return _computed(
        report,
        table,
        "A result is too large for its type: cast an operand to a wider one, as in CAST(x AS BIGINT) "
        "or CAST(x AS DOUBLE).",
    )


def _division(report: ServerReport, table: str) -> DjflowError:
    return _computed(report, table, "Write nullif(x, 0) for the divisor: the result is null where x is 0.")


def _computed(report: ServerReport, table: str, advice: str) -> DjflowError:
    """An error of arithmetic; the same of a value on its way into a column is no matter of expressions."""
    found = _data(report, table)
    return found if isinstance(found, DataTypeError) else found.suggest(advice)


def _other(report: ServerReport, table: str) -> DjflowError:
    return QueryError(_plain(report, table), sqlstate=report.sqlstate)


def _plain(report: ServerReport, table: str) -> str:
    return f"{table}: {report.message}" if table else report.message


def _sentence(report: ServerReport, table: str) -> str:
    return _plain(report, table).rstrip(".") + "."


def _key(report: ServerReport) -> str:
    match = _KEY.search(report.detail)
    return f"({match['columns']})=({match['values']})" if match else ""


_Build = Callable[[ServerReport, str], DjflowError]
_BY_CODE: Final[Mapping[str, _Build]] = {
    "22003": _overflow,
    "22012": _division,
    "23001": _still_referenced,
    "23502": _missing_attribute,
    "23503": _foreign_key,
    "23505": _duplicate,
    "25006": _read_only,
    "28000": _refused,
    "28P01": _refused,
    "3D000": _refused,
    "3F000": _missing_table,
    "40001": _serialization,
    "40P01": _deadlock,
    "42501": _access,
    "42703": _unknown_column,
    "42P01": _missing_table,
    "53100": _disk_full,
    "53200": _locks_full,
    "53300": _refused,
    "55P03": _conflict,
    "57P01": _lost_connection,
    "57P02": _lost_connection,
    "57P03": _refused,
    "57P05": _lost_connection,
    "DJ001": _ownership,  # raised by our own trigger
}
_BY_CLASS: Final[Mapping[str, _Build]] = {"08": _lost_connection, "22": _data, "23": _integrity}
