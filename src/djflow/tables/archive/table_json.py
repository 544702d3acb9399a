"""Tables as JSON and back, exactly: what an archive needs in order to declare them again."""

from collections.abc import Mapping, Sequence
from typing import Any

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
from djflow.model.types import CodecType, CoreType, DataType, EnumType, NativeType, StoredType

Json = Mapping[str, Any]


def table_to_json(table: Table) -> dict[str, Any]:
    """A table, hidden columns included, as values that JSON has.

    >>> key = Attribute("id", CoreType("int32"), CoreType("int32"), in_key=True)
    >>> table = Table(TableName("lab", "subject"), "animals", (key,))
    >>> table_from_json(table_to_json(table)) == table
    True
    """
    return {
        "schema": table.name.schema,
        "table": table.name.table,
        "comment": table.comment,
        "columns": [_column_to_json(column) for column in table.columns],
        "foreign_keys": [_key_to_json(key) for key in table.foreign_keys],
        "indexes": [{"items": list(index.items), "unique": index.unique} for index in table.indexes],
    }


def table_from_json(value: Json) -> Table:
    """The table. Raises `KeyError`, `TypeError` or `ValueError` for JSON that describes none."""
    return Table(
        TableName(str(value["schema"]), str(value["table"])),
        str(value["comment"]),
        tuple(_column_from_json(column) for column in value["columns"]),
        tuple(_key_from_json(key) for key in value["foreign_keys"]),
        tuple(IndexSpec(_texts(index["items"]), bool(index["unique"])) for index in value["indexes"]),
    )


def _column_to_json(column: Attribute) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": _type_to_json(column.type),
        "stored": _type_to_json(column.stored),
        "in_key": column.in_key,
        "nullable": column.nullable,
        "default": _default_to_json(column.default),
        "comment": column.comment,
        "lineage": column.lineage,
    }


def _column_from_json(value: Json) -> Attribute:
    stored = _type_from_json(value["stored"])
    if isinstance(stored, CodecType):
        raise TypeError("a codec stores nothing itself")
    return Attribute(
        str(value["name"]),
        _type_from_json(value["type"]),
        stored,
        in_key=bool(value["in_key"]),
        nullable=bool(value["nullable"]),
        default=_default_from_json(value["default"]),
        comment=str(value["comment"]),
        lineage=None if value["lineage"] is None else str(value["lineage"]),
    )


def _type_to_json(type_: DataType) -> dict[str, Any]:
    match type_:
        case CoreType(name, args):
            return {"core": name, "arguments": list(args)}
        case EnumType(labels):
            return {"enum": list(labels)}
        case NativeType(sql):
            return {"native": sql}
        case CodecType(name, store):
            return {"codec": name, "store": store}


def _type_from_json(value: Json) -> StoredType | CodecType:
    match value:
        case {"core": str(name), "arguments": [*arguments]}:
            return CoreType(name, tuple(int(each) for each in arguments))
        case {"enum": [*labels]}:
            return EnumType(_texts(labels))
        case {"native": str(sql)}:
            return NativeType(sql)
        case {"codec": str(name), "store": store}:
            return CodecType(name, None if store is None else str(store))
        case _:
            raise ValueError(f"{value!r} is no type")


def _default_to_json(default: Default | None) -> dict[str, Any] | None:
    match default:
        case None:
            return None
        case Null():
            return {"null": True}
        case CurrentTimestamp():
            return {"now": True}
        case Literal(text):
            return {"text": text}


def _default_from_json(value: Json | None) -> Default | None:
    match value:
        case None:
            return None
        case {"null": True}:
            return Null()
        case {"now": True}:
            return CurrentTimestamp()
        case {"text": str(text)}:
            return Literal(text)
        case _:
            raise ValueError(f"{value!r} is no default")


def _key_to_json(key: ForeignKey) -> dict[str, Any]:
    return {
        "parent": [key.parent.schema, key.parent.table],
        "columns": [list(pair) for pair in key.columns],
        "in_key": key.in_key,
        "nullable": key.nullable,
        "unique": key.unique,
    }


def _key_from_json(value: Json) -> ForeignKey:
    schema, table = _texts(value["parent"])
    pairs = (_texts(pair) for pair in value["columns"])
    return ForeignKey(
        TableName(schema, table),
        tuple((own, referenced) for own, referenced in pairs),
        in_key=bool(value["in_key"]),
        nullable=bool(value["nullable"]),
        unique=bool(value["unique"]),
    )


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
