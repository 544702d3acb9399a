"""Which versions of their parents' rows keys have: one that is updated, or inserted anew, is another."""

from djflow.model.table import Attribute, ForeignKey, Table
from djflow.model.types import EnumType, StoredType, sql_type
from djflow.sql.identifiers import qualified, quote


def parents_in_key(table: Table, key: tuple[str, ...]) -> tuple[ForeignKey, ...]:
    """The foreign keys by which a key alone tells the parent's row."""
    return tuple(fk for fk in table.foreign_keys if fk.in_key and all(own in key for own, _ in fk.columns))


def array_type(stored: StoredType) -> str:
    """The type of an array of values of a column, as it is known to the database.

    >>> from djflow.model.types import CoreType
    >>> array_type(CoreType("int16")), array_type(EnumType(("a",), '"lab"."kind"'))
    ('smallint[]', '"lab"."kind"[]')
    """
    return f"{stored.sql_name if isinstance(stored, EnumType) else sql_type(stored)}[]"


def select_versions(table: Table, key: tuple[Attribute, ...]) -> str:
    """The version of each parent's row for the keys `$1`, `$2`, ..., in their order; null for none.

    Each parameter is an array with an attribute's values. The version is the transaction that wrote the row
    (`xmin`), as text.
    """
    names = tuple(a.name for a in key)
    column = {a.name: f"k.k{i}" for i, a in enumerate(key)}
    parents = parents_in_key(table, names)
    arrays = ", ".join(f"${i}::{array_type(a.stored)}" for i, a in enumerate(key, 1))
    listed = ", ".join(f"k{i}" for i in range(len(key)))
    joins = "".join(
        f"LEFT JOIN {qualified(fk.parent)} AS p{i} ON "
        + " AND ".join(f"p{i}.{quote(referenced)} = {column[own]}" for own, referenced in fk.columns)
        + "\n"
        for i, fk in enumerate(parents)
    )
    versions = ", ".join(f"p{i}.xmin::text" for i in range(len(parents)))
    return (
        f"SELECT {versions}\n"
        f"FROM unnest({arrays}) WITH ORDINALITY AS k({listed}, place)\n"
        f"{joins}ORDER BY k.place"
    )
