"""What the server said about a failure, read alike from psycopg and ADBC."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import psycopg

_SERVER_SAID: Final = re.compile(r"\b(?:ERROR|FATAL|PANIC):\s+(.+)")
_BROKEN: Final = re.compile(
    r"connection unexpectedly|terminating connection|connection (?:is|was|has been) (?:closed|lost)"
    r"|consuming input failed|no connection to the server|could not (?:send|receive)|SSL SYSCALL|PANIC:",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ServerReport:
    """The fields of an error that matter; what is not known is empty.

    `is_broken` tells that the connection cannot be used any more.
    """

    sqlstate: str | None = None
    message: str = ""
    detail: str = ""
    hint: str = ""
    context: str = ""
    schema: str = ""
    table: str = ""
    column: str = ""
    constraint: str = ""
    is_broken: bool = False


def report_of(error: BaseException) -> ServerReport:
    """Read a report from an error of psycopg, of ADBC, or of a stream that ADBC feeds.

    >>> report_of(OSError("[libpq] Execution error [PGRES_FATAL_ERROR]: ERROR:  division by zero"))
    ServerReport(sqlstate=None, message='division by zero', ...)
    """
    import psycopg

    if isinstance(error, psycopg.Error):
        return _from_psycopg(error)
    details = getattr(error, "details", None)
    if details:
        return _from_adbc(getattr(error, "sqlstate", None), details)
    return _from_text(str(error), getattr(error, "sqlstate", None))


def _from_psycopg(error: "psycopg.Error") -> ServerReport:
    import psycopg

    diag = error.diag
    if error.sqlstate is None:
        broken = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        return ServerReport(message=str(error).strip(), is_broken=broken)
    return ServerReport(
        sqlstate=error.sqlstate,
        message=diag.message_primary or "",
        detail=diag.message_detail or "",
        hint=diag.message_hint or "",
        context=diag.context or "",
        schema=diag.schema_name or "",
        table=diag.table_name or "",
        column=diag.column_name or "",
        constraint=diag.constraint_name or "",
    )


def _from_adbc(sqlstate: str | None, details: Iterable[tuple[Any, Any]]) -> ServerReport:
    fields = {_text(name).removeprefix("PG_DIAG_"): _text(value) for name, value in details}
    return ServerReport(
        sqlstate=fields.get("SQLSTATE") or sqlstate,
        message=fields.get("MESSAGE_PRIMARY", ""),
        detail=fields.get("MESSAGE_DETAIL", ""),
        hint=fields.get("MESSAGE_HINT", ""),
        context=fields.get("CONTEXT", ""),
        schema=fields.get("SCHEMA_NAME", ""),
        table=fields.get("TABLE_NAME", ""),
        column=fields.get("COLUMN_NAME", ""),
        constraint=fields.get("CONSTRAINT_NAME", ""),
    )


def _from_text(text: str, sqlstate: str | None) -> ServerReport:
    # A stream that fails half-way and a connection that broke carry a text only, query included.
    said = _SERVER_SAID.search(text)
    message = said[1].strip() if said else text.partition("\n")[0].strip()
    broken = sqlstate is None and (said is None or _BROKEN.search(text) is not None)
    return ServerReport(sqlstate=sqlstate, message=message, is_broken=broken)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
