"""One row corrected in place."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from djflow.errors import (
    DjflowError,
    DuplicateError,
    InvalidArgumentError,
    InvalidRowsError,
    MissingAttributeError,
    MissingRowError,
    UnknownAttributeError,
)
from djflow.ingest.prepare import prepare
from djflow.model.table import Table
from djflow.relation.database import Database
from djflow.sql import rows as sql
from djflow.tables.write import encoder


def update_one(table: Table, row: Mapping[str, Any], database: Database) -> None:
    """Change attributes of the row that has the primary key in `row`; None resets one to its default.

    Raises `UnknownAttributeError`, `MissingAttributeError` for an incomplete key and for None where there is
    no default, `InvalidRowsError` where nothing is to be changed, `DataTypeError`, `IntegrityError`,
    `DuplicateError` for a value that another row has and must not share, and `MissingRowError`.
    """
    changed = _checked(table, row)
    session = database.session
    # In a transaction, so that objects which were written for a row that is not there are removed.
    with session.transaction():
        values = _stored(table, row, database)
        given = [name for name in changed if name in values]
        key = [name for name in table.heading.primary_key if name in values]
        reset = [name for name in changed if name not in values]
        statement = sql.update_row(table, given, reset, key)
        try:
            found = session.execute(statement, [values[name] for name in [*given, *key]])
        except DuplicateError as error:
            raise _taken(table, error) from error
        if not found:
            raise _missing(table, row)


def refuse_restricted(table: Table) -> DjflowError:
    """The error of an update of some rows of a table instead of one of the table."""
    return DjflowError(
        f"update1 takes the whole table, and {table.name} is restricted here. The key in the row chooses the "
        "row: call update1 on the table itself."
    )


def _checked(table: Table, row: object) -> list[str]:
    """The names of the attributes to change; whether the row names what it must, and nothing else."""
    if not isinstance(row, Mapping):
        raise InvalidArgumentError(
            f"update1 takes a mapping of the primary key and the attributes to change, not a "
            f"{type(row).__name__}."
        )
    heading = table.heading
    if not table.is_keyed:
        raise InvalidArgumentError(
            f"{table.name} has no primary key that could choose a row. Delete rows, and insert them anew."
        )
    for name in row:
        if name not in heading:
            raise UnknownAttributeError(str(name), heading.names, context=str(table.name))
    for name in heading.primary_key:
        if row.get(name) is None:
            raise MissingAttributeError(name, table=str(table.name)).suggest(
                f"update1 finds its row by the whole primary key: {', '.join(heading.primary_key)}."
            )
    changed = [name for name in heading.secondary if name in row]
    if not changed:
        raise InvalidRowsError(
            f"There is nothing to change: beside the primary key, give attributes of {table.name} "
            f"({', '.join(heading.secondary) or 'it has no others'})."
        )
    for name in changed:
        attribute = heading[name]
        if row[name] is None and attribute.is_required and not attribute.nullable:
            raise MissingAttributeError(name, table=str(table.name)).suggest(
                "None resets an attribute to its default, and this one has none."
            )
    return changed


def _stored(table: Table, row: Mapping[str, Any], database: Database) -> dict[str, Any]:
    """The values as the database has them, without those that stand for a default."""
    given = {name: value for name, value in row.items() if value is not None}
    concerned = replace(table, columns=tuple(a for a in table.columns if a.name in given))
    if not given:
        return {}
    (batch,) = prepare([given], concerned, encode=encoder(table, database))
    # The driver sends text without a type, and the column gives it its own.
    (values,) = batch.to_pylist()
    return {name: value for name, value in values.items() if value is not None}


def _missing(table: Table, row: Mapping[str, Any]) -> MissingRowError:
    names = table.heading.primary_key
    key = {name: row[name] for name in names}
    text = f" with ({', '.join(names)})=({', '.join(str(value) for value in key.values())})" if names else ""
    return MissingRowError(
        f"{table.name} has no row{text}, so nothing was updated. Insert it, or correct the key.",
        table=str(table.name),
        key=key,
    )


def _taken(table: Table, error: DuplicateError) -> DuplicateError:
    return DuplicateError(
        f"{table.name} has another row already with {error.key or error.constraint}, which must be unique. "
        "Nothing was updated.",
        table=str(table.name),
        constraint=error.constraint,
        key=error.key,
    )
