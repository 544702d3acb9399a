"""Whether a table that exists takes the rows of one in an archive."""

from collections.abc import Iterator

from djflow.errors import ArchiveError
from djflow.model.table import Attribute, Table
from djflow.model.types import EnumType, NativeType, StoredType, sql_type
from djflow.sql.ownership import OWNER_COLUMN


def check_compatible(found: Table, archived: Table, *, archive: str) -> None:
    """Raise `ArchiveError`, which lists what differs, unless the table takes the rows as they are."""
    problems = list(differences(found, archived))
    if problems:
        listed = "; ".join(problems)
        raise ArchiveError(f"{found.name} does not take its rows: {listed}", archive=archive)


def differences(found: Table, archived: Table) -> Iterator[str]:
    """What keeps a table from taking the rows of another. More columns don't, nor more labels of an enum.

    >>> from djflow.model.names import TableName
    >>> from djflow.model.types import CoreType
    >>> key = Attribute("id", CoreType("int32"), CoreType("int32"), in_key=True)
    >>> table = Table(TableName("lab", "subject"), "", (key,))
    >>> list(differences(table, Table(table.name, "", (key, Attribute("x", key.type, key.stored)))))
    ['the column x (int32) is missing']
    """
    if set(found.primary_key) != set(archived.primary_key):
        yield f"its key is ({', '.join(found.primary_key)}), not ({', '.join(archived.primary_key)})"
    columns = {column.name: column for column in found.columns}
    for column in archived.columns:
        other = columns.pop(column.name, None)
        if other is None:
            yield f"the column {column.name} ({column.type}) is missing"
        else:
            yield from _column_differences(other, column)
    for column in columns.values():
        # The owner of a row is its inserter, unless it says otherwise.
        if column.is_required and not column.nullable and column.name != OWNER_COLUMN:
            yield f"the column {column.name} requires a value, which the archive does not have"


def _column_differences(found: Attribute, archived: Attribute) -> Iterator[str]:
    if not _takes(found.stored, archived.stored) or _codec(found) != _codec(archived):
        yield f"the column {found.name} is of type {found.type}, not {archived.type}"
    if archived.nullable and not found.nullable:
        yield f"the column {found.name} takes no null"


def _takes(found: StoredType, archived: StoredType) -> bool:
    if isinstance(found, EnumType) or isinstance(archived, EnumType):
        both = isinstance(found, EnumType) and isinstance(archived, EnumType)
        return both and set(found.labels) >= set(archived.labels)  # type: ignore[union-attr]
    return _plain(found) == _plain(archived)


def _plain(stored: StoredType) -> str:
    """The type in PostgreSQL; whether it counts by itself makes no difference."""
    name = sql_type(stored)
    counted = {"serial": "integer", "bigserial": "bigint", "smallserial": "smallint"}
    return counted.get(name, name) if isinstance(stored, NativeType) else name


def _codec(column: Attribute) -> str:
    return "" if column.type == column.stored else str(column.type)
