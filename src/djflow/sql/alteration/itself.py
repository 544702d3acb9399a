"""Foreign keys of a table to itself: no definition can state them, so they stay as they are."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from djflow.errors import AlterationError
from djflow.model.table import Attribute, ForeignKey, IndexSpec, Table
from djflow.sql.alteration.casts import is_lossless
from djflow.sql.indexes import implied_index

Columns = Mapping[str, Attribute]


def keys_to_itself(table: Table) -> tuple[ForeignKey, ...]:
    """The foreign keys of a table to itself."""
    return tuple(key for key in table.foreign_keys if key.parent == table.name)


def implied_indexes(table: Table) -> frozenset[IndexSpec]:
    """The indexes that such foreign keys would have, had djflow made them."""
    implied = (implied_index(key, table.primary_key) for key in keys_to_itself(table))
    return frozenset(index for index in implied if index is not None)


def carried(
    old: Table, names: Mapping[str, str], columns: Columns
) -> Iterator[tuple[ForeignKey, ForeignKey]]:
    """The foreign keys of a table to itself that stay, before and after; the others go with their columns.

    `names` are those of the columns that stay, old to new, `columns` the new ones by name.

    Raises `AlterationError` where another key or type stands in the way.
    """
    primary = {column.name for column in columns.values() if column.in_key}
    for key in keys_to_itself(old):
        if not all(own in names for own in key.own):
            continue
        referenced = {names.get(name) for name in key.referenced}
        if None in referenced or (set(key.referenced) == set(old.primary_key) and referenced != primary):
            raise _in_the_way(old, key, "which would no longer be its primary key")
        _check_types(old, key, names, columns)
        pairs = tuple((names[own], names[target]) for own, target in key.columns)
        mine = [columns[own] for own, _ in pairs]
        in_key, nullable = all(c.in_key for c in mine), any(c.nullable for c in mine)
        yield key, replace(key, columns=pairs, in_key=in_key, nullable=nullable)


def with_references(old: Table, new: Table, names: Mapping[str, str]) -> Table:
    """A new definition with the former one's foreign keys to itself, and the lineages that come with them."""
    columns = {column.name: column for column in new.columns}
    before = {column.name: column for column in old.columns}
    keys = [after for _, after in carried(old, names, columns)]
    for key in keys_to_itself(old):
        for own, target in key.columns:
            mine, theirs = columns.get(names.get(own, "")), columns.get(names.get(target, ""))
            if mine and theirs and not mine.lineage and before[own].lineage == before[target].lineage:
                columns[mine.name] = replace(mine, lineage=theirs.lineage)
    return replace(new, columns=tuple(columns.values()), foreign_keys=(*new.foreign_keys, *keys))


def _check_types(old: Table, key: ForeignKey, names: Mapping[str, str], columns: Columns) -> None:
    before = {column.name: column for column in old.columns}
    for own, target in key.columns:
        mine, theirs = columns[names[own]], columns[names[target]]
        unchanged = (before[own].stored, before[target].stored) == (mine.stored, theirs.stored)
        if not unchanged and not is_lossless(mine.stored, theirs.stored):
            raise _in_the_way(
                old, key, f"where {mine.name!r} would be {mine.type}, and {theirs.name!r} {theirs.type}"
            )


def _in_the_way(table: Table, key: ForeignKey, reason: str) -> AlterationError:
    own, referenced = ", ".join(key.own), ", ".join(key.referenced)
    return AlterationError(
        f"{table.name} refers to itself by ({own}) -> ({referenced}), {reason}. Let both sides change in the "
        "same way, or drop that foreign key first: ALTER TABLE ... DROP CONSTRAINT.",
        table=str(table.name),
    )
