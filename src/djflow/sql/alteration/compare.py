"""A table before and after to the list of changes."""

from collections.abc import Iterator, Mapping

from djflow.model.table import ForeignKey, IndexSpec
from djflow.sql.alteration.changes import (
    AddColumn,
    AddForeignKey,
    AddIndex,
    Change,
    ChangeComment,
    ChangeDefault,
    ChangeNullability,
    ChangePrimaryKey,
    ChangeTableComment,
    ChangeType,
    DropColumn,
    DropForeignKey,
    DropIndex,
    RenameColumn,
)
from djflow.sql.alteration.delta import Delta, Deltas, Fill, inherited
from djflow.sql.alteration.itself import implied_indexes
from djflow.sql.alteration.physical import Index, Physical
from djflow.sql.indexes import all_indexes, is_expression


def compare(
    delta: Delta, deltas: Deltas, physical: Physical, fills: Mapping[str, Fill] | None = None
) -> tuple[Change, ...]:
    """The changes that lead from a table to what it shall be; none where the two say the same.

    `physical` tells what indexes are called, `fills` what missing values of attributes become.

    >>> from djflow.model.names import TableName
    >>> from djflow.model.table import Attribute, Table
    >>> from djflow.model.types import CoreType
    >>> from djflow.sql.alteration.delta import asked_delta
    >>> int32, name = CoreType("int32"), TableName("lab", "subject")
    >>> key = Attribute("id", int32, int32, in_key=True)
    >>> old = Table(name, "", (key, Attribute("age", int32, int32)))
    >>> new = Table(name, "", (key, Attribute("years", int32, int32)))
    >>> for change in compare(asked_delta(old, new, {"age": "years"}, {}), {}, Physical()):
    ...     print(change)
    rename age -> years
    """
    given = fills or {}
    return (
        *_table_comment(delta),
        *_renames(delta),
        *_columns(delta, given),
        *_kept(delta, given),
        *_primary_key(delta),
        *_foreign_keys(delta, deltas),
        *_indexes(delta, physical),
    )


def _table_comment(delta: Delta) -> Iterator[Change]:
    if delta.old.comment != delta.new.comment:
        yield ChangeTableComment(delta.old.comment, delta.new.comment)


def _renames(delta: Delta) -> Iterator[Change]:
    for old, new in delta.kept:
        if old.name != new.name:
            yield RenameColumn(old.name, new.name)


def _columns(delta: Delta, fills: Mapping[str, Fill]) -> Iterator[Change]:
    surviving = {own for old, _ in delta.links for own in old.own}
    for column in delta.dropped:
        yield DropColumn(column, is_copy=column.name in surviving)
    for column in delta.added:
        yield AddColumn(column, fills.get(column.name) or delta.sources.get(column.name))


def _kept(delta: Delta, fills: Mapping[str, Fill]) -> Iterator[Change]:
    copies = {own for old, _ in delta.links for own in old.own}
    before, after = inherited(delta.old), inherited(delta.new)
    for old, new in delta.kept:
        if (old.type, old.stored) != (new.type, new.stored):
            yield ChangeType(old, new, is_copy=old.name in copies)
        if old.default != new.default:
            yield ChangeDefault(old, new)
        if old.nullable != new.nullable:
            yield ChangeNullability(old, new, None if new.nullable else fills.get(new.name))
        if old.comment != new.comment and old.name not in before and new.name not in after:
            yield ChangeComment(old, new)


def _primary_key(delta: Delta) -> Iterator[Change]:
    if delta.key_changes:
        yield ChangePrimaryKey(delta.old.primary_key, delta.new.primary_key)


def _foreign_keys(delta: Delta, deltas: Deltas) -> Iterator[Change]:
    before = {key: kept_key(key, delta, deltas) for key in delta.old.foreign_keys}
    after = {_identity(key): key for key in delta.new.foreign_keys}
    staying = {_identity(kept) for kept in before.values() if kept is not None}
    for key, kept in before.items():
        if kept is None or _identity(kept) not in after:
            yield DropForeignKey(key)
    for identity, key in after.items():
        if identity not in staying:
            yield AddForeignKey(key)


def kept_key(key: ForeignKey, delta: Delta, deltas: Deltas) -> ForeignKey | None:
    """A former foreign key with the names of afterwards, None where one of its columns goes."""
    parent = deltas.get(key.parent)
    pairs = []
    for own, referenced in key.columns:
        now, target = delta.names.get(own), parent.names.get(referenced) if parent else referenced
        if now is None or target is None:
            return None
        pairs.append((now, target))
    return ForeignKey(key.parent, tuple(pairs))


def _identity(key: ForeignKey) -> tuple[object, frozenset[tuple[str, str]]]:
    return key.parent, frozenset(key.columns)


def _indexes(delta: Delta, physical: Physical) -> Iterator[Change]:
    # What a foreign key to the table itself might have is neither made nor dropped unasked.
    spared, unasked = implied_indexes(delta.old), implied_indexes(delta.new) - set(delta.new.indexes)
    wanted = tuple(spec for spec in all_indexes(delta.new) if spec not in unasked)
    plain = {spec for spec in wanted if not _has_expression(spec)}
    present = [spec for spec in all_indexes(delta.old) if not _has_expression(spec)]
    present = [spec for spec in present if spec not in spared or _name_of(spec, physical)]
    kept = {_kept_index(spec, delta) for spec in present}
    for spec in present:
        now = _kept_index(spec, delta)
        if now is not None and now not in plain and spec not in spared:
            yield DropIndex(spec, _name_of(spec, physical))
    yield from _expressions(delta, physical, wanted)
    for spec in wanted:
        if not _has_expression(spec) and spec not in kept:
            yield AddIndex(spec)


def _expressions(delta: Delta, physical: Physical, wanted: tuple[IndexSpec, ...]) -> Iterator[Change]:
    computed = [index for index in physical.indexes if index.has_expression]
    specs = [spec for spec in wanted if _has_expression(spec)]
    if not delta.is_asked:
        return  # as the database has them; the server renames what they mention
    for index in computed:
        if not any(index.is_for(delta.name, spec) for spec in specs):
            yield DropIndex(IndexSpec(index.items, index.unique), index.name)
    for spec in specs:
        if not any(index.is_for(delta.name, spec) for index in computed):
            yield AddIndex(spec)


def _kept_index(spec: IndexSpec, delta: Delta) -> IndexSpec | None:
    """An index with the names of afterwards, None where it goes with a column."""
    items = [delta.names.get(item) for item in spec.items]
    kept = tuple(item for item in items if item is not None)
    return IndexSpec(kept, spec.unique) if len(kept) == len(items) else None


def _name_of(spec: IndexSpec, physical: Physical) -> str:
    def same(index: Index) -> bool:
        return index.items == spec.items and index.unique == spec.unique

    return next((index.name for index in physical.indexes if same(index)), "")


def _has_expression(spec: IndexSpec) -> bool:
    return any(is_expression(item) for item in spec.items)
