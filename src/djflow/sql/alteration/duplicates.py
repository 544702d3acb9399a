"""Rows that a primary key or a unique index would no longer tell apart."""

from collections.abc import Iterable, Iterator, Sequence

from djflow.sql.alteration.casts import cast, is_lossless, physical_sql
from djflow.sql.alteration.changes import AddIndex, Change, ChangePrimaryKey, ChangeType
from djflow.sql.alteration.delta import Delta
from djflow.sql.alteration.question import Question
from djflow.sql.identifiers import qualified, quote
from djflow.sql.indexes import all_indexes, is_expression


def in_key(
    delta: Delta, change: Change, key: tuple[str, ...], changes: Iterable[Change]
) -> Iterator[Question]:
    """The rows that would share a primary key."""
    if set(key) & set(delta.sources):
        return  # values that are still to come from a parent tell rows apart, or the server will refuse
    columns = before(key, delta)
    if columns:
        yield _duplicates(
            delta,
            change,
            _narrowed(columns, changes),
            "share their values of the new primary key, so that it would no longer tell them apart",
            "Delete or change the duplicates first, or keep the attribute in the key.",
        )
    elif key:
        yield Question(
            delta.name,
            change,
            f"(SELECT count(*) > 1 FROM {qualified(delta.name)})",
            "would all have the same primary key",
            "Add the new attribute outside the key first, give each row a value, then move it into the key.",
        )


def in_index(
    delta: Delta, change: Change, items: tuple[str, ...], changes: Iterable[Change]
) -> Iterator[Question]:
    """The rows that share what a new index wants unique."""
    columns = before(items, delta)
    if len(columns) == len(items):
        yield _duplicates(
            delta,
            change,
            _narrowed(columns, changes),
            "share values that the index wants unique",
            "Change the duplicates first.",
        )


def by_conversion(delta: Delta, changes: Sequence[Change]) -> Iterator[Question]:
    """The rows that new types make alike in what stays a primary key or unique."""
    new_keys = [change.new for change in changes if isinstance(change, ChangePrimaryKey)]
    new_indexes = [change.index for change in changes if isinstance(change, AddIndex)]
    unique = [spec.items for spec in all_indexes(delta.new) if spec.unique and spec not in new_indexes]
    if set(before(delta.new.primary_key, delta)) >= set(delta.old.primary_key) or not new_keys:
        unique.insert(0, delta.new.primary_key)
    for items in unique:
        columns = before(items, delta)
        narrowed = _narrowed(columns, changes)
        first = next((change for name, change in narrowed.items() if change is not None), None)
        if first is not None and len(columns) == len(items) and not any(map(is_expression, items)):
            yield _duplicates(
                delta,
                first,
                narrowed,
                f"share their values of {', '.join(items)} once they are converted, which have to be unique",
                "Change them first, or choose a type that tells them apart.",
            )


def before(names: Iterable[str], delta: Delta) -> tuple[str, ...]:
    """What columns are called now; those that do not exist yet are left out."""
    former = {after: name for name, after in delta.names.items()}
    return tuple(former[name] for name in names if name in former)


def _narrowed(columns: Iterable[str], changes: Iterable[Change]) -> dict[str, ChangeType | None]:
    """Columns, each with its new type where that may take different values for one."""
    found = {
        change.old.name: change
        for change in changes
        if isinstance(change, ChangeType)
        and not change.is_copy
        and not is_lossless(change.old.stored, change.new.stored)
    }
    return {name: found.get(name) for name in columns}


def _duplicates(
    delta: Delta, change: Change, columns: dict[str, ChangeType | None], reason: str, advice: str
) -> Question:
    mine = ", ".join(_value(f"t.{quote(name)}", type_) for name, type_ in columns.items())
    others = ", ".join(_value(quote(name), type_) for name, type_ in columns.items())
    rows = f"SELECT {others} FROM {qualified(delta.name)} GROUP BY {others} HAVING count(*) > 1"
    return Question(
        delta.name,
        change,
        f"({mine}) IN ({rows})",
        reason,
        advice,
        shown=tuple(columns),
        converts=any(columns.values()),
    )


def _value(column: str, type_: ChangeType | None) -> str:
    if type_ is None:
        return column
    return cast(column, type_.old.stored, physical_sql(type_.new.stored))
