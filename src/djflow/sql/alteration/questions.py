"""What to ask the database before altering: how many rows each change would hurt."""

from collections.abc import Container, Iterable, Iterator

from djflow.model.names import TableName
from djflow.model.table import Attribute, ForeignKey, Table, is_recoded
from djflow.model.types import EnumType
from djflow.sql.alteration import duplicates
from djflow.sql.alteration.casts import cast, is_lossless, is_number, physical_sql
from djflow.sql.alteration.changes import (
    AddColumn,
    AddForeignKey,
    AddIndex,
    Change,
    ChangeNullability,
    ChangePrimaryKey,
    ChangeType,
    DropColumn,
)
from djflow.sql.alteration.delta import Delta, Deltas
from djflow.sql.alteration.duplicates import before
from djflow.sql.alteration.question import Conversion, Question
from djflow.sql.identifiers import literal, qualified, quote
from djflow.sql.indexes import is_expression


def questions(
    delta: Delta, changes: Iterable[Change], deltas: Deltas, existing: Container[TableName]
) -> Iterator[Question]:
    """The questions that a table's changes raise, in the terms of the tables as they are."""
    changes = tuple(changes)
    yield from duplicates.by_conversion(delta, changes)
    for change in changes:
        match change:
            case DropColumn(column, is_copy=False):
                yield _dropped(delta, change, column)
            case AddColumn(column, source=None) if _needs_values(column):
                yield _required(delta, change, column)
            case ChangeNullability(old, new, fill=None) if not new.nullable:
                yield _absent(delta, change, old)
            case ChangeType(is_copy=False):
                yield from _retyped(delta, change)
            case ChangePrimaryKey(new=new) if not set(before(new, delta)) >= set(delta.old.primary_key):
                yield from duplicates.in_key(delta, change, new, changes)
            case AddIndex(index) if index.unique and not any(map(is_expression, index.items)):
                yield from duplicates.in_index(delta, change, index.items, changes)
            case AddForeignKey(key) if key.parent in existing:
                yield from _orphans(delta, change, key, deltas)
            case _:
                pass


def _dropped(delta: Delta, change: Change, column: Attribute) -> Question:
    return Question(
        delta.name,
        change,
        f"t.{quote(column.name)} IS NOT NULL",
        "have a value that would be lost",
        loses=True,
    )


def _needs_values(column: Attribute) -> bool:
    return column.is_required and not column.nullable


def _required(delta: Delta, change: Change, column: Attribute) -> Question:
    return Question(
        delta.name,
        change,
        "TRUE",
        f"would have no {column.name!r}, which is required",
        f"Give it a default in the definition, let it be null, or pass fill={{{column.name!r}: value}}.",
    )


def _absent(delta: Delta, change: Change, column: Attribute) -> Question:
    return Question(
        delta.name,
        change,
        f"t.{quote(column.name)} IS NULL",
        f"have no {column.name!r}, which becomes required",
        f"Pass fill={{{delta.names[column.name]!r}: value}}, or update them first.",
        shown=_shown(delta.old),
    )


def _retyped(delta: Delta, change: ChangeType) -> Iterator[Question]:
    old, new, column = change.old, change.new, f"t.{quote(change.old.name)}"
    shown = (*_shown(delta.old), *(() if old.in_key else (old.name,)))
    if is_recoded(old, new):
        yield Question(
            delta.name,
            change,
            f"{column} IS NOT NULL",
            f"hold values that {new.type} cannot read, as they were written as {old.type}",
            "Add a new attribute, copy the values with fetch and update1, then drop the old one.",
            shown=_shown(delta.old),
        )
    elif isinstance(new.stored, EnumType) and not is_lossless(old.stored, new.stored):
        labels = ", ".join(literal(label) for label in new.stored.labels)
        yield Question(
            delta.name,
            change,
            f"CAST({column} AS text) <> ALL (ARRAY[{labels}])",
            f"have a value of {old.name!r} that is no label of {new.type}",
            "Update them first, or keep the label.",
            shown=shown,
        )
    elif not is_lossless(old.stored, new.stored):
        yield from _converted(delta, change, shown)


def _converted(delta: Delta, change: ChangeType, shown: tuple[str, ...]) -> Iterator[Question]:
    old, new, column = change.old, change.new, f"t.{quote(change.old.name)}"
    before, after = physical_sql(old.stored), physical_sql(new.stored)
    forth = cast(column, old.stored, after)
    back = cast(forth, new.stored, before)
    if before != after:
        yield Question(
            delta.name,
            change,
            f"CAST({back} AS text) IS DISTINCT FROM CAST({column} AS text)",
            f"have a value of {old.name!r} that {new.type} would cut or round",
            loses=True,
            shown=shown,
            conversion=Conversion(
                old.name,
                before,
                after,
                cast(f"CAST(v AS {before})", old.stored, after),
                cast("w", new.stored, before),
            ),
        )
    if str(new.type) == "int8":
        yield Question(
            delta.name,
            change,
            _beyond_int8(column, old),
            f"have a value of {old.name!r} beyond the range of int8",
            "Update them first, or choose a wider type.",
            shown=shown,
        )


def _beyond_int8(column: str, old: Attribute) -> str:
    """Whether a value is a number that int8 lacks: PostgreSQL stores it with more room."""
    if is_number(old.stored):
        return f"round(CAST({column} AS numeric)) NOT BETWEEN -128 AND 127"
    text = f"CAST({column} AS text)"
    whole = rf"{text} ~ '^\s*[-+]?\d+\s*$'"
    return f"CASE WHEN {whole} THEN CAST({text} AS numeric) NOT BETWEEN -128 AND 127 END"


def _orphans(delta: Delta, change: Change, key: ForeignKey, deltas: Deltas) -> Iterator[Question]:
    """Rows whose reference would lead nowhere, where both sides are columns that exist already."""
    parent = deltas.get(key.parent)
    own = before(key.own, delta)
    theirs = before(key.referenced, parent) if parent else key.referenced
    if len(own) < len(key.own) or len(theirs) < len(key.referenced):
        return
    if _linked(key, delta):
        return
    pairs = [(f"t.{quote(mine)}", f"p.{quote(other)}") for mine, other in zip(own, theirs, strict=True)]
    # By text, for the types may still differ.
    join = " AND ".join(f"CAST({other} AS text) = CAST({mine} AS text)" for mine, other in pairs)
    present = " AND ".join(f"{mine} IS NOT NULL" for mine, _ in pairs)
    yield Question(
        delta.name,
        change,
        f"{present} AND NOT EXISTS (SELECT FROM {qualified(key.parent)} AS p WHERE {join})",
        f"refer to rows that {key.parent} does not have",
        f"Insert the missing rows into {key.parent}, or change these.",
        shown=own,
    )


def _linked(key: ForeignKey, delta: Delta) -> bool:
    return any(after == key for _, after in delta.links)


def _shown(table: Table) -> tuple[str, ...]:
    return tuple(name for name in table.primary_key if not name.startswith("_"))
