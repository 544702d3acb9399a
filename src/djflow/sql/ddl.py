"""Statements that create and drop schemas and tables. Pure: nothing here talks to a server."""

from collections.abc import Iterable, Iterator, Mapping

from djflow.model.names import TableName
from djflow.model.table import Attribute, CurrentTimestamp, Default, ForeignKey, Literal, Null, Table
from djflow.model.types import CoreType, NativeType, sql_type
from djflow.sql.enums import SchemaEnum, enum_of
from djflow.sql.identifiers import literal, qualified, quote
from djflow.sql.indexes import create_indexes

# A child's copy of a serial key must not count on its own.
_COUNTED = {"smallserial": "smallint", "serial": "integer", "bigserial": "bigint"}
_MANNER = " ON UPDATE CASCADE ON DELETE RESTRICT"


def create_schema(schema: str) -> str:
    """The statement that creates a schema where it is missing.

    >>> create_schema("lab")
    'CREATE SCHEMA IF NOT EXISTS "lab"'
    """
    return f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}"


def drop_schema(schema: str) -> str:
    """The statement that drops a schema with all that it contains.

    Foreign keys that point into it from other schemas go too: look for such tables first.
    """
    return f"DROP SCHEMA {quote(schema)} CASCADE"


def drop_tables(names: Iterable[TableName]) -> str:
    """Drop tables that depend on each other at once. What else depends on them stops it.

    >>> drop_tables([TableName("lab", "subject"), TableName("lab", "session")])
    'DROP TABLE "lab"."subject", "lab"."session"'
    """
    return f"DROP TABLE {', '.join(map(qualified, names))}"


def create_table(
    table: Table, *, enum_names: Mapping[SchemaEnum, str], taken_names: Iterable[str] = ()
) -> tuple[str, ...]:
    """The statements that create a table: the table, its comments, its indexes.

    `enum_names` names the types of `enum_types(table)`, see `plan_enums`. `taken_names` are the relations
    that the schema has already, which indexes must not be called; by default none.

    >>> from djflow.model.table import Attribute
    >>> key = Attribute("species", CoreType("varchar", (20,)), CoreType("varchar", (20,)), in_key=True)
    >>> for statement in create_table(Table(TableName("lab", "#species"), "", (key,)), enum_names={}):
    ...     print(statement)
    CREATE TABLE "lab"."#species" (
      "species" character varying(20) NOT NULL,
      PRIMARY KEY ("species")
    )
    COMMENT ON COLUMN "lab"."#species"."species" IS ':varchar(20):'

    Raises `QuerySyntaxError` for an index expression that is not one expression.
    """
    lines = [
        *(column_clause(table, column, enum_names) for column in table.columns),
        # Tables that others made may come back from an archive without one.
        *([f"PRIMARY KEY ({_names(table.primary_key)})"] if table.primary_key else []),
        *(foreign_key_clause(fk) for fk in table.foreign_keys),
    ]
    body = ",\n".join(f"  {line}" for line in lines)
    return (
        f"CREATE TABLE {qualified(table.name)} (\n{body}\n)",
        *_comments(table),
        *create_indexes(table, taken_names),
    )


def column_comment(column: Attribute) -> str:
    """The comment of a column that a table declares itself: `:type:comment`; a native type needs no mark.

    >>> column_comment(Attribute("a", CoreType("int32"), CoreType("int32"), comment="id"))
    ':int32:id'
    """
    return column.comment if isinstance(column.type, NativeType) else f":{column.type}:{column.comment}"


def column_clause(table: Table, column: Attribute, enum_names: Mapping[SchemaEnum, str]) -> str:
    """A column of a table with its type, whether it is required, and its default."""
    null = [] if column.nullable else ["NOT NULL"]
    return " ".join([quote(column.name), column_type(table, column, enum_names), *null, *_default(column)])


def column_type(table: Table, column: Attribute, enum_names: Mapping[SchemaEnum, str]) -> str:
    """The type of a column as PostgreSQL calls it."""
    enum = enum_of(table, column)
    if enum is not None:
        return qualified(TableName(enum.schema, enum_names[enum]))
    name = sql_type(column.stored)
    return _COUNTED.get(name, name) if column.name in _inherited(table) else name


def _default(column: Attribute) -> Iterator[str]:
    if column.default is not None:
        yield f"DEFAULT {default_value(column.default, column)}"


def default_value(default: Default, column: Attribute) -> str:
    """A default of a column as an SQL expression."""
    match default:
        case Null():
            return "NULL"
        case Literal(text):
            return literal(text)
        case CurrentTimestamp():
            digits = column.stored.args if isinstance(column.stored, CoreType) else ()
            return f"CURRENT_TIMESTAMP({digits[0]})" if digits else "CURRENT_TIMESTAMP"


def foreign_key_clause(fk: ForeignKey, manner: str = _MANNER) -> str:
    """A foreign key as a table constraint; `manner` is what happens when the parent's rows change."""
    own, referenced = _names(fk.own), _names(fk.referenced)
    return f"FOREIGN KEY ({own}) REFERENCES {qualified(fk.parent)} ({referenced}){manner}"


def _comments(table: Table) -> Iterator[str]:
    name = qualified(table.name)
    if table.comment:
        yield f"COMMENT ON TABLE {name} IS {literal(table.comment)}"
    inherited = _inherited(table)
    for column in table.columns:
        comment = "" if column.name in inherited else column_comment(column)
        if comment:
            yield f"COMMENT ON COLUMN {name}.{quote(column.name)} IS {literal(comment)}"


def _inherited(table: Table) -> frozenset[str]:
    return frozenset(own for fk in table.foreign_keys if fk.parent != table.name for own in fk.own)


def _names(names: Iterable[str]) -> str:
    return ", ".join(quote(name) for name in names)
