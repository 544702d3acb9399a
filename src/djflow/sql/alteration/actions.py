"""Pieces of the statements that alter tables."""

from djflow.model.table import Attribute, Table
from djflow.model.types import EnumType, NativeType
from djflow.sql.alteration.casts import physical_sql
from djflow.sql.alteration.delta import Delta, FromParent, inherited
from djflow.sql.ddl import column_comment, default_value
from djflow.sql.identifiers import literal, qualified, quote


def alter_table(delta: Delta, *actions: str) -> str:
    """Actions on one table, at once."""
    body = ",\n".join(f"  {action}" for action in actions)
    return f"ALTER TABLE {qualified(delta.name)}" + (f" {actions[0]}" if len(actions) == 1 else f"\n{body}")


def set_default(column: Attribute) -> str:
    """The action that makes a column's default what it shall be."""
    if column.default is None:
        return "DROP DEFAULT"
    return f"SET DEFAULT {default_value(column.default, column)}"


def fill_from_parent(delta: Delta, column: Attribute, source: FromParent) -> str:
    """The statement that gives a new column its values."""
    join = " AND ".join(f"child.{quote(own)} = parent.{quote(theirs)}" for own, theirs in source.pairs)
    return (
        f"UPDATE {qualified(delta.name)} AS child SET {quote(column.name)} = parent.{quote(source.column)}\n"
        f"FROM {qualified(source.parent)} AS parent WHERE {join}"
    )


def has_same_type(old: Attribute, new: Attribute) -> bool:
    """Whether PostgreSQL stores two columns in the same type."""
    if isinstance(old.stored, EnumType) or isinstance(new.stored, EnumType):
        return old.stored == new.stored
    return physical_sql(old.stored) == physical_sql(new.stored) and is_serial(old) == is_serial(new)


def is_serial(column: Attribute) -> bool:
    """Whether a column counts by itself."""
    return isinstance(column.stored, NativeType) and "serial" in column.stored.sql


def comment_of(table: Table, column: Attribute) -> str:
    """A column's comment in the database, where "" is none."""
    return "" if column.name in inherited(table) else column_comment(column)


def comment_text(comment: str) -> str:
    """A comment as a statement writes it."""
    return literal(comment) if comment else "NULL"
