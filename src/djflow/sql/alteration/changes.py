"""The changes of a table, each on its own, with a line that describes it."""

from dataclasses import dataclass
from typing import TypeAlias

from djflow.model.names import TableName
from djflow.model.table import (
    Attribute,
    CurrentTimestamp,
    Default,
    ForeignKey,
    IndexSpec,
    Literal,
    Null,
    Table,
)
from djflow.sql.alteration.delta import Fill, FromParent, Source


@dataclass(frozen=True, slots=True)
class CreateTable:
    """The table does not exist yet."""

    table: Table

    def __str__(self) -> str:
        return "create the table"


@dataclass(frozen=True, slots=True)
class ChangeTableComment:
    """The table's comment."""

    old: str
    new: str

    def __str__(self) -> str:
        return f"comment: {self.old!r} -> {self.new!r}"


@dataclass(frozen=True, slots=True)
class AddColumn:
    """A new attribute; `source` is where its values come from, None where it is a default or nothing."""

    column: Attribute
    source: Source | None = None

    def __str__(self) -> str:
        text = f"add {_line(self.column)}"
        match self.source:
            case FromParent(parent, column):
                return f"{text}, filled from {column!r} of {parent}"
            case Fill(value):
                return f"{text}, filled with {value.text!r}"
            case None:
                return text


@dataclass(frozen=True, slots=True)
class DropColumn:
    """An attribute goes; `is_copy` tells that what its foreign key refers to lost it, or still has it."""

    column: Attribute
    is_copy: bool = False

    def __str__(self) -> str:
        return f"drop {_line(self.column)}"


@dataclass(frozen=True, slots=True)
class RenameColumn:
    """An attribute has another name."""

    old: str
    new: str

    def __str__(self) -> str:
        return f"rename {self.old} -> {self.new}"


@dataclass(frozen=True, slots=True)
class ChangeType:
    """An attribute has another type; `is_copy` tells that its parent's changes in the same way."""

    old: Attribute
    new: Attribute
    is_copy: bool = False

    def __str__(self) -> str:
        return f"type of {self.new.name}: {self.old.type} -> {self.new.type}"


@dataclass(frozen=True, slots=True)
class ChangeDefault:
    """What an attribute is when an insert does not give it."""

    old: Attribute
    new: Attribute

    def __str__(self) -> str:
        return f"default of {self.new.name}: {shown_default(self.old)} -> {shown_default(self.new)}"


@dataclass(frozen=True, slots=True)
class ChangeNullability:
    """Whether an attribute may be absent; `fill` is what absent values become."""

    old: Attribute
    new: Attribute
    fill: Fill | None = None

    def __str__(self) -> str:
        filled = f", nulls become {self.fill.value.text!r}" if self.fill else ""
        return f"{self.new.name} {'may be null' if self.new.nullable else 'is required'}{filled}"


@dataclass(frozen=True, slots=True)
class ChangeComment:
    """An attribute's comment."""

    old: Attribute
    new: Attribute

    def __str__(self) -> str:
        return f"comment of {self.new.name}: {self.old.comment!r} -> {self.new.comment!r}"


@dataclass(frozen=True, slots=True)
class ChangePrimaryKey:
    """The primary key has other attributes."""

    old: tuple[str, ...]
    new: tuple[str, ...]

    def __str__(self) -> str:
        return f"primary key: ({', '.join(self.old)}) -> ({', '.join(self.new)})"


@dataclass(frozen=True, slots=True)
class DropForeignKey:
    """A reference goes; the attributes that it brought may stay."""

    key: ForeignKey

    def __str__(self) -> str:
        return f"drop foreign key {_reference(self.key)}"


@dataclass(frozen=True, slots=True)
class AddForeignKey:
    """A new reference."""

    key: ForeignKey

    def __str__(self) -> str:
        return f"add foreign key {_reference(self.key)}"


@dataclass(frozen=True, slots=True)
class DropIndex:
    """An index goes; `name` is what the database calls it."""

    index: IndexSpec
    name: str = ""

    def __str__(self) -> str:
        return f"drop {_index(self.index)}"


@dataclass(frozen=True, slots=True)
class AddIndex:
    """A new index."""

    index: IndexSpec

    def __str__(self) -> str:
        return f"add {_index(self.index)}"


Change: TypeAlias = (
    CreateTable
    | ChangeTableComment
    | AddColumn
    | DropColumn
    | RenameColumn
    | ChangeType
    | ChangeDefault
    | ChangeNullability
    | ChangeComment
    | ChangePrimaryKey
    | DropForeignKey
    | AddForeignKey
    | DropIndex
    | AddIndex
)


@dataclass(frozen=True, slots=True)
class TableChange:
    """One change of one table.

    >>> print(TableChange(TableName("lab", "subject"), RenameColumn("dob", "born")))
    lab.subject: rename dob -> born
    """

    table: TableName
    change: Change

    def __str__(self) -> str:
        return f"{self.table}: {self.change}"


def shown_default(column: Attribute) -> str:
    """A default as a definition writes it, or `none`."""
    default: Default | None = column.default
    match default:
        case None:
            return "none"
        case Null():
            return "null"
        case CurrentTimestamp():
            return "CURRENT_TIMESTAMP"
        case Literal(text):
            return repr(text)


def _line(column: Attribute) -> str:
    default = "" if column.default is None else f" = {shown_default(column)}"
    return f"{'key attribute ' if column.in_key else ''}{column.name}{default} : {column.type}"


def _reference(key: ForeignKey) -> str:
    return f"({', '.join(key.own)}) -> {key.parent} ({', '.join(key.referenced)})"


def _index(index: IndexSpec) -> str:
    return f"{'unique ' if index.unique else ''}index({', '.join(index.items)})"
