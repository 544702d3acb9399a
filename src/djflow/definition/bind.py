"""What a definition means: foreign keys resolved to the columns that they bring along."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from djflow.definition.render import render_line
from djflow.errors import DefinitionError
from djflow.model.names import TableName, unknown_name_hint
from djflow.model.table import (
    Attribute,
    AttributeSpec,
    ForeignKey,
    ForeignKeySpec,
    IndexSpec,
    Line,
    Literal,
    Null,
    Table,
    TableSpec,
)
from djflow.model.types import CodecType, CoreType, StoredType

_BOOL: Final = CoreType("bool")
_START: Final = CoreType("datetime", (3,))
_DURATION: Final = CoreType("float32")
_VERSION: Final = CoreType("varchar", (64,))
JOB_METADATA: Final = (
    Attribute(
        "_job_start_time", _START, _START, nullable=True, default=Null(), comment="when computation began"
    ),
    Attribute(
        "_job_duration",
        _DURATION,
        _DURATION,
        nullable=True,
        default=Null(),
        comment="computation duration in seconds",
    ),
    Attribute("_job_version", _VERSION, _VERSION, default=Literal(""), comment="code version"),
)


def bind(
    spec: TableSpec,
    name: TableName,
    *,
    resolve: Callable[[str], Table],
    codec_dtype: Callable[[CodecType], CoreType],
    job_metadata: bool = False,
    allow_new_key: bool = False,
) -> Table:
    """The table that a definition declares under a name.

    `resolve` finds a parent by the reference as written, "master" included; `codec_dtype` tells
    what holds a codec's values. `job_metadata` adds the hidden columns of bookkeeping to tables
    that `make` fills. `allow_new_key` lets such tables have key attributes of their own.

    A foreign key counts as part of the primary key if all its columns do, and as nullable if one
    of them is, so that a declared table equals the same table read from a database.

    Raises `DefinitionError` for names that clash, renames of what the parent's key lacks, parents
    without a key, parts without a master, and indexes of what does not exist.

    >>> from djflow.definition.parser import parse
    >>> def parent_of(reference):
    ...     subject = TableName("lab", "subject")
    ...     return bind(parse("subject_id : int32"), subject, resolve=None, codec_dtype=None)
    >>> table = bind(parse('''
    ... -> Subject
    ... session : int16
    ... ---
    ... -> [nullable] Subject.proj(mate_id='subject_id')
    ... '''), TableName("lab", "session"), resolve=parent_of, codec_dtype=None)
    >>> [(c.name, c.in_key, c.nullable, c.lineage) for c in table.columns]
    [('subject_id', True, False, 'lab.subject.subject_id'),
     ('session', True, False, 'lab.session.session'),
     ('mate_id', False, True, 'lab.subject.subject_id')]
    """
    draft = _Draft(name, resolve, codec_dtype)
    for line in spec.primary:
        draft.add(line, in_key=True)
    for line in spec.secondary:
        draft.add(line, in_key=False)
    hidden = [_singleton(name)] if not spec.primary else []
    if name.tier.is_auto_populated:
        if not allow_new_key:
            _check_key_is_inherited(spec, name)
        hidden += JOB_METADATA if job_metadata else ()
    columns = (*draft.columns.values(), *hidden)
    table = Table(name, spec.comment, columns, tuple(draft.settled_foreign_keys()), spec.indexes)
    _check_master(table)
    _check_indexes(table)
    return table


@dataclass(slots=True)
class _Draft:
    """Columns and foreign keys so far; `inherited` are the columns that came with foreign keys."""

    name: TableName
    resolve: Callable[[str], Table]
    codec_dtype: Callable[[CodecType], CoreType]
    columns: dict[str, Attribute] = field(default_factory=dict)
    inherited: set[str] = field(default_factory=set)
    foreign_keys: list[ForeignKey] = field(default_factory=list)

    def add(self, line: Line, *, in_key: bool) -> None:
        match line:
            case AttributeSpec():
                self._attribute(line, in_key=in_key)
            case ForeignKeySpec():
                self._foreign_key(line, in_key=in_key)

    def settled_foreign_keys(self) -> list[ForeignKey]:
        """The foreign keys with what their columns turned out to be, those of the primary key first."""
        settled = [self._settled(foreign_key) for foreign_key in self.foreign_keys]
        return sorted(settled, key=lambda foreign_key: not foreign_key.in_key)

    def _settled(self, foreign_key: ForeignKey) -> ForeignKey:
        columns = [self.columns[own] for own in foreign_key.own]
        return replace(
            foreign_key, in_key=all(c.in_key for c in columns), nullable=any(c.nullable for c in columns)
        )

    def _attribute(self, line: AttributeSpec, *, in_key: bool) -> None:
        if line.name in self.columns:
            raise _clash(self.name, render_line(line), line.name)
        is_null = isinstance(line.default, Null)
        if in_key and is_null:
            raise DefinitionError(
                f"{self.name}: {line.name!r} of the primary key cannot be null.", hint="Leave `= null` out."
            )
        lineage = f"{self.name}.{line.name}" if in_key else None
        stored = self._stored(line)
        self.columns[line.name] = Attribute(
            line.name, line.type, stored, in_key, is_null, line.default, line.comment, lineage
        )

    def _stored(self, line: AttributeSpec) -> StoredType:
        if not isinstance(line.type, CodecType):
            return line.type
        try:
            return self.codec_dtype(line.type)
        except DefinitionError as error:
            raise DefinitionError(
                f"{self.name}: attribute {line.name!r}: {error.reason}", hint=error.hint
            ) from error

    def _foreign_key(self, line: ForeignKeySpec, *, in_key: bool) -> None:
        where = f"{self.name}: `{render_line(line)}`"
        if in_key and line.nullable:
            raise DefinitionError(
                f"{where} is in the primary key and cannot be nullable.", hint="Move it below `---`."
            )
        parent = self.resolve(line.parent)
        pairs = _own_and_referenced(line, parent, where)
        for own, referenced in pairs:
            self._inherit(_inherited(parent, own, referenced, line, in_key=in_key), line)
        self.foreign_keys.append(ForeignKey(parent.name, pairs, in_key, line.nullable, line.unique))

    def _inherit(self, column: Attribute, line: ForeignKeySpec) -> None:
        present = self.columns.get(column.name)
        if present is None:
            self.columns[column.name] = column
            self.inherited.add(column.name)
        elif column.name not in self.inherited or present.lineage != column.lineage:
            raise _clash(self.name, render_line(line), column.name)
        elif present.nullable and not column.nullable:
            # one reference that must be there is enough: the column they share is required
            self.columns[column.name] = replace(present, nullable=False, default=None)


def _own_and_referenced(line: ForeignKeySpec, parent: Table, where: str) -> tuple[tuple[str, str], ...]:
    if parent.is_singleton:
        raise DefinitionError(
            f"{where} refers to {parent.name}, which has at most one row and no key to refer to.",
            hint="Leave the reference out, or give the parent a primary key.",
        )
    new_names = {old: new for new, old in line.renames}
    for old in new_names:
        if old not in parent.primary_key:
            known = ", ".join(parent.primary_key)
            close = unknown_name_hint(old, list(parent.primary_key))
            raise DefinitionError(
                f"{where} renames {old!r}, which is not in the primary key of {parent.name}.",
                hint=f"{close} Its key: {known}.".strip(),
            )
    pairs = tuple((new_names.get(referenced, referenced), referenced) for referenced in parent.primary_key)
    if len({own for own, _ in pairs}) < len(pairs):
        raise DefinitionError(f"{where} brings two attributes of one name.", hint="Rename both of them.")
    return pairs


def _inherited(parent: Table, own: str, referenced: str, line: ForeignKeySpec, *, in_key: bool) -> Attribute:
    origin = next(column for column in parent.columns if column.name == referenced)
    return Attribute(
        own,
        origin.type,
        origin.stored,
        in_key,
        line.nullable,
        Null() if line.nullable else None,
        lineage=origin.lineage or f"{parent.name}.{referenced}",
    )


def _clash(name: TableName, line: str, attribute: str) -> DefinitionError:
    return DefinitionError(
        f"{name}: `{line}` brings {attribute!r}, which the table has already, with another meaning.",
        hint=f"Rename one: `-> Parent.proj(new_name={attribute!r})`.",
    )


def _singleton(name: TableName) -> Attribute:
    lineage = f"{name}._singleton"
    comment = "singleton primary key"
    return Attribute(
        "_singleton", _BOOL, _BOOL, in_key=True, default=Literal("true"), comment=comment, lineage=lineage
    )


def _check_key_is_inherited(spec: TableSpec, name: TableName) -> None:
    own = [line.name for line in spec.primary if isinstance(line, AttributeSpec)]
    if own:
        raise DefinitionError(
            f"{name} is computed, so its primary key comes from its parents; {own[0]!r} does not.",
            hint="Move the attribute below `---`, or into a part table or a lookup table; "
            "or set `jobs.allow_new_pk_fields_in_computed_tables`.",
        )


def _check_master(table: Table) -> None:
    master = table.name.master
    if master is None:
        return
    parents = {foreign_key.parent for foreign_key in table.foreign_keys if foreign_key.in_key}
    if not any(master in (parent, parent.master) for parent in parents):
        raise DefinitionError(
            f"The part {table.name} does not refer to its master {master} in its primary key.",
            hint="Add a first line `-> master`, or refer to another part of the same master.",
        )


def _check_indexes(table: Table) -> None:
    known = [column.name for column in table.columns]
    for item in _named_items(table.indexes):
        if item not in known:
            close = unknown_name_hint(item, known)
            raise DefinitionError(
                f"{table.name}: an index names {item!r}, which is no attribute.",
                hint=close or f"Attributes: {', '.join(table.heading.names)}.",
            )


def _named_items(indexes: tuple[IndexSpec, ...]) -> Iterator[str]:
    return (item for index in indexes for item in index.items if not item.startswith("("))
