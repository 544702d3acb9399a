"""Tables as data: attributes, headings, foreign keys, indexes.

A `TableSpec` is what a definition says, line by line; a `Table` is what it means once its
foreign keys are resolved to the attributes that they bring along.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

from djflow.errors import UnknownAttributeError
from djflow.model.names import TableName, Tier
from djflow.model.types import CodecType, DataType, NativeType, StoredType


@dataclass(frozen=True, slots=True)
class Null:
    """`= null`: the attribute may be absent."""

    def __str__(self) -> str:
        return "null"


@dataclass(frozen=True, slots=True)
class CurrentTimestamp:
    """`= CURRENT_TIMESTAMP`: the server's time at insertion."""

    def __str__(self) -> str:
        return "CURRENT_TIMESTAMP"


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant default, as canonical text: `5`, `2.5`, `true`, `U`, `2024-01-01`."""

    text: str

    def __str__(self) -> str:
        return self.text


Default: TypeAlias = Null | CurrentTimestamp | Literal


@dataclass(frozen=True, slots=True)
class AttributeSpec:
    """One attribute line of a definition."""

    name: str
    type: DataType
    default: Default | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ForeignKeySpec:
    """One `->` line. `parent` is the reference as written; `renames` are (new, old) pairs."""

    parent: str
    renames: tuple[tuple[str, str], ...] = ()
    nullable: bool = False
    unique: bool = False


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """One `index` line; an item in parentheses is an SQL expression."""

    items: tuple[str, ...]
    unique: bool = False


Line: TypeAlias = AttributeSpec | ForeignKeySpec


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A definition as data; `render` and `parse` are inverse to each other."""

    comment: str = ""
    primary: tuple[Line, ...] = ()
    secondary: tuple[Line, ...] = ()
    indexes: tuple[IndexSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column of a table or of a query's result.

    `stored` is the type in the database, which differs from `type` where a codec encodes.
    `lineage` names the attribute's origin, `schema.table.attribute`, or is None.
    """

    name: str
    type: DataType
    stored: StoredType
    in_key: bool = False
    nullable: bool = False
    default: Default | None = None
    comment: str = ""
    lineage: str | None = None

    def __str__(self) -> str:
        default = Null() if self.nullable else self.default
        name = self.name if default is None else f"{self.name} = {default}"
        return f"{name} : {self.type}" + (f"  # {self.comment}" if self.comment else "")

    @property
    def is_hidden(self) -> bool:
        """Whether the attribute is djflow's own bookkeeping."""
        return self.name.startswith("_")

    @property
    def is_required(self) -> bool:
        """Whether an insert must give a value."""
        counted = isinstance(self.stored, NativeType) and self.stored.sql in ("serial", "bigserial")
        return self.default is None and not counted


@dataclass(frozen=True, slots=True)
class Heading:
    """The ordered attributes of a relation, primary key first.

    >>> from djflow.model.types import CoreType
    >>> int32 = CoreType("int32")
    >>> heading = Heading.of([Attribute("x", int32, int32), Attribute("id", int32, int32, in_key=True)])
    >>> heading.names, heading.primary_key, "x" in heading
    (('id', 'x'), ('id',), True)
    >>> print(heading)
    id : int32
    ---
    x : int32
    """

    attributes: tuple[Attribute, ...]
    _index: Mapping[str, Attribute] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {a.name: a for a in self.attributes})

    @classmethod
    def of(cls, attributes: Iterable[Attribute]) -> "Heading":
        """A heading with the key first, the order kept otherwise."""
        return cls(tuple(sorted(attributes, key=lambda a: not a.in_key)))

    def __str__(self) -> str:
        """An attribute a line, as in a definition."""
        lines = list(map(str, self.attributes))
        lines.insert(len(self.primary_key), "---")
        return "\n".join(lines)

    def __iter__(self) -> Iterator[Attribute]:
        return iter(self.attributes)

    def __len__(self) -> int:
        return len(self.attributes)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __getitem__(self, name: str) -> Attribute:
        try:
            return self._index[name]
        except KeyError:
            raise UnknownAttributeError(name, self.names) from None

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in order."""
        return tuple(a.name for a in self.attributes)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The names of the primary key."""
        return tuple(a.name for a in self.attributes if a.in_key)

    @property
    def secondary(self) -> tuple[str, ...]:
        """The names outside the primary key."""
        return tuple(a.name for a in self.attributes if not a.in_key)

    def select(self, names: Iterable[str]) -> "Heading":
        """The heading of these attributes, in the order given."""
        return Heading(tuple(self[name] for name in names))

    def renamed(self, mapping: Mapping[str, str]) -> "Heading":
        """The heading with names replaced, old to new."""
        return Heading(tuple(replace(a, name=mapping.get(a.name, a.name)) for a in self.attributes))


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A reference to a parent's primary key; `columns` pairs own with parent's, in the parent's key order."""

    parent: TableName
    columns: tuple[tuple[str, str], ...]
    in_key: bool = False
    nullable: bool = False
    unique: bool = False
    # Whether every row obeys it at every moment: the server may have been told to look later, or never, or
    # to take different texts for equal.
    is_enforced: bool = field(default=True, compare=False)

    @property
    def own(self) -> tuple[str, ...]:
        """The referencing columns."""
        return tuple(own for own, _ in self.columns)

    @property
    def referenced(self) -> tuple[str, ...]:
        """The parent's columns."""
        return tuple(parent for _, parent in self.columns)


@dataclass(frozen=True)
class Table:
    """A table with everything resolved; what DDL is made from and what introspection returns.

    `columns` are all columns, hidden ones included, in physical order or that of a class's definition;
    `heading` is what users see.
    """

    name: TableName
    comment: str
    columns: tuple[Attribute, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    indexes: tuple[IndexSpec, ...] = ()

    @property
    def tier(self) -> Tier:
        """What fills the table."""
        return self.name.tier

    @cached_property
    def heading(self) -> Heading:
        """The visible attributes, key first."""
        return Heading.of(a for a in self.columns if not a.is_hidden)

    @cached_property
    def primary_key(self) -> tuple[str, ...]:
        """The columns of the primary key, `_singleton` included."""
        return tuple(a.name for a in self.columns if a.in_key)

    def ordered_like(self, other: "Table") -> "Table":
        """The table with its columns in the order that they have in another, those that it lacks behind."""
        places = {column.name: place for place, column in enumerate(other.columns)}
        columns = tuple(sorted(self.columns, key=lambda column: places.get(column.name, len(places))))
        return self if columns == self.columns else replace(self, columns=columns)

    @property
    def is_singleton(self) -> bool:
        """Whether the table holds at most one row."""
        return self.primary_key == ("_singleton",)

    @property
    def is_keyed(self) -> bool:
        """Whether what users see of the primary key tells rows apart; so it is in all declared tables."""
        key = [column for column in self.columns if column.in_key]
        return self.is_singleton or (bool(key) and not any(column.is_hidden for column in key))


def is_recoded(old: Attribute, new: Attribute) -> bool:
    """Whether what is stored for an attribute means something else, or nothing, for another one.

    A reference names its store, so that types which differ in the store's name alone read the same.
    """
    if not isinstance(new.type, CodecType):
        return isinstance(old.type, CodecType) and old.stored != new.stored
    if not isinstance(old.type, CodecType):
        return True
    same_place = (old.type.store is None) == (new.type.store is None)
    return old.type.name != new.type.name or not same_place
