"""Definitions for tables as a database has them, and what no definition can say about them."""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

from djflow.definition.bind import JOB_METADATA, bind
from djflow.definition.class_names import is_declarable
from djflow.definition.parser import parse
from djflow.definition.render import render
from djflow.definition.unbind import unbind
from djflow.errors import DefinitionError
from djflow.model.names import TableName
from djflow.model.table import (
    Attribute,
    AttributeSpec,
    ForeignKey,
    IndexSpec,
    Literal,
    Null,
    Table,
    TableSpec,
)
from djflow.model.types import CodecType, CoreType, EnumType, StoredType, sql_type

_JOB_NAMES: Final = frozenset(column.name for column in JOB_METADATA)


@dataclass(frozen=True, slots=True)
class Parents:
    """The tables that a definition can refer to: as what, and what they are once declared."""

    references: Mapping[TableName, str]
    tables: Mapping[TableName, Table]

    def resolve(self, child: Table) -> Callable[[str], Table]:
        """What finds the parent of a reference in the definition of `child`."""
        parents = {fk.parent for fk in child.foreign_keys} & self.tables.keys()
        by_reference = {
            "master" if name == child.name.master else self.references[name]: self.tables[name]
            for name in parents
        }

        def resolve(reference: str) -> Table:
            if reference not in by_reference:
                raise DefinitionError(f"{reference} is not declared.")
            return by_reference[reference]

        return resolve


@dataclass(frozen=True, slots=True)
class Declaration:
    """The definition of a table, what it declares, and remarks on how that differs from the table.

    `declared` is None where no class can declare such a table; the definition is an approximation then.
    """

    table: Table
    definition: str
    declared: Table | None
    remarks: tuple[str, ...] = ()


def declaration(table: Table, parents: Parents) -> Declaration:
    """The definition that declares a table, or what comes nearest.

    Foreign keys to what `parents` lacks, and attributes and indexes that no definition can say, are left
    out with a remark.

    >>> from djflow.model.types import NativeType
    >>> key = Attribute("id", NativeType("integer"), NativeType("integer"), in_key=True)
    >>> found = Attribute("at", NativeType("inet"), NativeType("inet"))
    >>> host = declaration(Table(TableName("lab", "host"), "", (key, found)), Parents({}, {}))
    >>> print(host.definition, *host.remarks, sep="")
    id : integer
    attribute at : inet: Unknown type 'inet'.
    """
    table = replace(table, comment=re.sub(r"\s*[\r\n]+\s*", " ", table.comment.lstrip(": ")).strip())
    try:
        _check_declarable(table)
        whole = _whole(table, parents)
        attempt = _reduced(table, parents) if isinstance(whole, str) else whole
    except DefinitionError as error:
        approximation = render(unbind(table, class_path=lambda name: name.class_path))
        return Declaration(table, approximation, None, (error.reason,))
    return replace(attempt, remarks=(*attempt.remarks, *_differences(attempt)))


def has_job_metadata(table: Table) -> bool:
    """Whether the table has the hidden columns that record its computation."""
    return {column.name for column in table.columns} >= _JOB_NAMES


def has_own_key(table: Table) -> bool:
    """Whether a part of the primary key comes from no parent."""
    inherited = {own for fk in table.foreign_keys for own in fk.own}
    return any(column.in_key and column.name not in inherited for column in table.heading)


def _check_declarable(table: Table) -> None:
    if not is_declarable(table.name):
        raise DefinitionError(f"No class declares a table of the name {table.name.table!r}.")
    if not table.primary_key:
        raise DefinitionError("It has no primary key.")
    if not table.is_singleton and any(column.in_key and column.is_hidden for column in table.columns):
        raise DefinitionError("Its primary key has a hidden column.")


def _whole(table: Table, parents: Parents) -> Declaration | str:
    """The declaration of the table as it is, or why there is none."""
    for fk in table.foreign_keys:
        if problem := _misfit(fk, table.name, parents):
            return problem
    try:
        return _attempt(table, parents)
    except DefinitionError as error:
        return error.reason


def _misfit(fk: ForeignKey, child: TableName, parents: Parents) -> str | None:
    parent = parents.tables.get(fk.parent)
    if fk.parent == child:
        return "a table cannot refer to itself"
    if parent is None:
        return "the table that it refers to is not declared above"
    if set(fk.referenced) != set(parent.primary_key):
        return "it refers to attributes other than the primary key"
    return None


def _attempt(table: Table, parents: Parents) -> Declaration:
    definition = render(unbind(table, class_path=parents.references.__getitem__))
    stored = {column.type: cast("CoreType", column.stored) for column in table.columns}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # native types were chosen when the table was made
        spec = parse(definition)
    declared = bind(
        spec,
        table.name,
        resolve=parents.resolve(table),
        codec_dtype=stored.__getitem__,
        job_metadata=has_job_metadata(table),
        allow_new_key=True,
    )
    return Declaration(table, definition, declared)


# what cannot be said as it is


def _reduced(table: Table, parents: Parents) -> Declaration:
    """The declaration of as much of the table as can be declared."""
    remarks: list[str] = []
    columns = tuple(_columns(table, remarks))
    master = tuple(fk for fk in table.foreign_keys if fk.parent == table.name.master and fk.in_key)
    kept = replace(table, columns=columns, foreign_keys=master[:1], indexes=())
    for fk in table.foreign_keys:
        # Attributes that a foreign key brings are in its place, so their order may depend on it.
        keys = tuple(known for known in table.foreign_keys if known in (*kept.foreign_keys, fk))
        kept = _extended(
            kept, replace(kept, foreign_keys=keys), f"foreign key {_shown(fk)}", remarks, parents
        )
    for index in table.indexes:
        indexes = (*kept.indexes, index)
        kept = _extended(kept, replace(kept, indexes=indexes), _shown_index(index), remarks, parents)
    return replace(_attempt(kept, parents), table=table, remarks=tuple(remarks))


def _extended(kept: Table, more: Table, what: str, remarks: list[str], parents: Parents) -> Table:
    whole = _whole(more, parents)
    if isinstance(whole, str):
        remarks.append(f"{what}: {whole}")
        return kept
    return more


def _columns(table: Table, remarks: list[str]) -> Iterator[Attribute]:
    for column in table.columns:
        if column.is_hidden:
            yield column
            continue
        # A default that cannot be said is missed less than the attribute.
        plain = replace(column, default=Null() if column.nullable else None)
        fitting = next((c for c in (column, plain) if _line_problem(c) is None), None)
        if fitting is not None:
            yield fitting
        elif column.in_key:
            raise DefinitionError(f"{column.name} : {column.type}: {_line_problem(plain)}")
        else:
            remarks.append(f"attribute {column.name} : {column.type}: {_line_problem(plain)}")


def _line_problem(column: Attribute) -> str | None:
    line = AttributeSpec(column.name, column.type, column.default, column.comment)
    spec = TableSpec("", (line,), ()) if column.in_key else TableSpec("", (), (line,))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return None if parse(render(spec)) else ""
    except DefinitionError as error:
        return error.reason


# what comes out different


def _differences(attempt: Declaration) -> Iterator[str]:
    assert attempt.declared is not None  # noqa: S101 - only what is declared is compared
    table = attempt.table
    others = {column.name: column for column in attempt.declared.columns}
    for column in table.columns:
        other = others.get(column.name)
        if other is not None:
            yield from _changes(column, other)
        elif column.is_hidden:
            yield f"hidden column {column.name} of type {_physical(column.stored)}"
    names, declared = table.heading.names, attempt.declared.heading.names
    if set(names) == set(declared) and names != declared:
        yield f"order of attributes: {', '.join(names)}"


def _changes(column: Attribute, other: Attribute) -> Iterator[str]:
    if _physical(column.stored) != _physical(other.stored):
        yield f"{column.name} has the type {_physical(column.stored)}"
    if column.nullable and not other.nullable:
        yield f"{column.name} may be null"
    if column.default != other.default and not isinstance(column.default, Null):
        shown = repr(column.default.text) if isinstance(column.default, Literal) else "none"
        yield f"{column.name} has the default {shown}"


def _physical(stored: StoredType) -> str:
    if isinstance(stored, EnumType | CodecType):
        return str(stored)
    return {"serial": "integer", "bigserial": "bigint"}.get(sql_type(stored), sql_type(stored))


def _shown(fk: ForeignKey) -> str:
    return f"({', '.join(fk.own)}) to {fk.parent} ({', '.join(fk.referenced)})"


def _shown_index(index: IndexSpec) -> str:
    return f"{'unique ' if index.unique else ''}index ({', '.join(index.items)})"
