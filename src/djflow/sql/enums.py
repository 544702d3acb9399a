"""The PostgreSQL types behind enums: which a table needs, what they are called, which to create."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import md5

from djflow.model.names import TableName
from djflow.model.table import Attribute, Table
from djflow.model.types import EnumType
from djflow.sql.identifiers import literal, qualified


@dataclass(frozen=True, slots=True)
class SchemaEnum:
    """The enum type of one schema with these labels in this order."""

    schema: str
    type: EnumType


@dataclass(frozen=True, slots=True)
class EnumPlan:
    """What the types are called, and the statements that create those which do not exist yet."""

    names: Mapping[SchemaEnum, str]
    statements: tuple[str, ...]


def enum_types(table: Table) -> tuple[SchemaEnum, ...]:
    """The enum types that a table's columns use, each once, in column order.

    A column that came with a foreign key uses the type of the schema where it was first declared:
    PostgreSQL compares no two enum types, however alike.

    >>> from djflow.model.types import CoreType
    >>> sex = Attribute("sex", EnumType(("M", "F")), EnumType(("M", "F")))
    >>> enum_types(Table(TableName("lab", "subject"), "", (sex,)))
    (SchemaEnum(schema='lab', type=EnumType(labels=('M', 'F'))),)
    """
    needed = (enum_of(table, column) for column in table.columns)
    return tuple(dict.fromkeys(enum for enum in needed if enum is not None))


def enum_of(table: Table, column: Attribute) -> SchemaEnum | None:
    """The enum type of a column, or None where it is of another type."""
    if not isinstance(column.stored, EnumType):
        return None
    parents = [fk.parent.schema for fk in table.foreign_keys if column.name in fk.own]
    if not parents:
        return SchemaEnum(table.name.schema, column.stored)
    origin = column.lineage.rsplit(".", 2)[0] if column.lineage else parents[0]
    return SchemaEnum(origin, column.stored)


def enum_type_name(enum: EnumType) -> str:
    """The name that an enum's type gets first: it depends on the labels, not on their order.

    >>> enum_type_name(EnumType(("M", "F", "U"))), enum_type_name(EnumType(("U", "M", "F")))
    ('enum_e54fc739', 'enum_e54fc739')
    """
    return _name(sorted(enum.labels))


def plan_enums(wanted: Iterable[SchemaEnum], existing: Mapping[str, Mapping[str, EnumType]]) -> EnumPlan:
    """Names for the wanted types, given the types that exist: `schema -> type name -> labels`.

    Where another order of the same labels holds the usual name, the name comes from the order as declared.

    >>> plan = plan_enums([SchemaEnum("lab", EnumType(("no", "yes")))], {})
    >>> print(*plan.statements)
    CREATE TYPE "lab"."enum_bbe7b96d" AS ENUM ('no', 'yes')
    """
    names: dict[SchemaEnum, str] = {}
    statements: list[str] = []
    known = {schema: dict(types) for schema, types in existing.items()}
    for enum in dict.fromkeys(wanted):
        types = known.setdefault(enum.schema, {})
        names[enum] = name = _free_or_same(enum.type, types)
        if name not in types:
            types[name] = enum.type
            statements.append(create_enum(enum.schema, name, enum.type))
    return EnumPlan(names, tuple(statements))


def create_enum(schema: str, name: str, enum: EnumType) -> str:
    """The statement that creates an enum's type, labels in their declared order."""
    labels = ", ".join(literal(label) for label in enum.labels)
    return f"CREATE TYPE {qualified(TableName(schema, name))} AS ENUM ({labels})"


def _free_or_same(enum: EnumType, types: Mapping[str, EnumType]) -> str:
    # Labels may contain "_", so even the ordered name can be taken: then lengths tell them apart.
    candidates = (
        enum_type_name(enum),
        _name(enum.labels),
        _name([f"{len(label)}:{label}" for label in enum.labels]),
    )
    return next((name for name in candidates if types.get(name, enum) == enum), candidates[-1])


def _name(labels: Iterable[str]) -> str:
    return "enum_" + md5("_".join(labels).encode(), usedforsecurity=False).hexdigest()[:8]
