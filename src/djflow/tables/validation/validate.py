"""All problems of a source, chunk by chunk, then those between its rows."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from djflow.errors import InvalidRowsError
from djflow.ingest.inspect import Inspected, Inspector, Problems
from djflow.ingest.sources import read_source
from djflow.model.table import Table
from djflow.relation.database import Database
from djflow.tables.validation.codecs import codec_check
from djflow.tables.validation.keys import key_columns, repeated_keys
from djflow.tables.validation.result import ValidationResult, as_frame
from djflow.tables.validation.server import ServerCheck, nothing_checked

if TYPE_CHECKING:
    import pyarrow as pa


def validate(
    table: Table,
    source: Any,
    database: Database,
    *,
    ignore_extra_fields: bool = False,
    ask_server: bool = False,
) -> ValidationResult:
    """Everything that an insert of a source would refuse; with `ask_server`, also what the server knows.

    Raises `InvalidRowsError` for a source whose rows cannot be read at all.
    """
    inspector = Inspector(table, ignore_extra_fields, codec_check(table, database))
    problems: list[Problems] = []
    keys: list[dict[str, pa.Array]] = []
    rows = 0
    with ServerCheck(table, database) if ask_server else nullcontext(nothing_checked) as server:
        for inspected in _inspected(inspector, source, problems):
            problems += inspected.problems
            rows += inspected.rows
            keys.append(key_columns(table, inspected))
            server.add(inspected)
        problems += repeated_keys(table, keys, rows)
        problems += server.problems()
    return ValidationResult(rows, as_frame(problems))


def _inspected(inspector: Inspector, source: Any, problems: list[Problems]) -> Iterator[Inspected]:
    unread: list[int] = []

    def note(error: InvalidRowsError) -> None:
        assert error.row is not None  # noqa: S101 - it is about one row
        unread.append(error.row)
        problems.append(Problems(None, str(error).removeprefix(f"Row {error.row} "), [error.row]))

    for chunk in read_source(source, inspector.table.heading, note):
        yield inspector.inspect(chunk, unread)
        unread.clear()
