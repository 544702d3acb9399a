"""Two tables of the same name compared by the server, row by row and column by column."""

from collections.abc import Iterator
from typing import Any, Final

from djflow.model.table import Attribute, Table
from djflow.model.types import EnumType, sql_type
from djflow.relation.database import Database
from djflow.sql.identifiers import literal, qualified, quote
from djflow.tables.migration.targets import pair_of_tables

_EXAMPLES: Final = 3
_FLOATS: Final = frozenset({"real", "double precision"})


def compare_query_results(
    prod_schema: str,
    test_schema: str,
    table: str,
    tolerance: float = 1e-6,
    connection: Database | None = None,
) -> dict[str, Any]:
    """Compare the rows of two tables of one name: `match`, `row_count` (of the first), `discrepancies`.

    Rows match by primary key. Floats may differ by `tolerance`, absolutely or relative to the larger one;
    NaN equals NaN; everything else has to be equal. A discrepancy is a sentence: what differs, in how many
    rows, and the keys of some of them. `table` is the name in PostgreSQL; `connection` is the database, by
    default `dj.conn()`.
    """
    first, second, database = pair_of_tables(connection, prod_schema, test_schema, table)
    found = list(_headings(first, second))
    key = first.primary_key
    [(row_count,)] = database.session.execute(f"SELECT count(*) FROM {qualified(first.name)}")
    if key == second.primary_key:
        found += _rows(database, first, second, tolerance)
    else:
        found.append(f"primary keys differ: {', '.join(key)} and {', '.join(second.primary_key)}")
    return {"match": not found, "row_count": row_count, "discrepancies": found}


def _headings(first: Table, second: Table) -> Iterator[str]:
    for one, other in ((first, second), (second, first)):
        missing = [name for name in one.heading.names if name not in other.heading]
        if missing:
            yield f"{other.name} lacks the columns {', '.join(missing)}"


def _rows(database: Database, first: Table, second: Table, tolerance: float) -> Iterator[str]:
    key = ", ".join(quote(name) for name in first.primary_key)
    joined = f"{qualified(first.name)} a FULL JOIN {qualified(second.name)} b USING ({key})"
    one = quote(first.primary_key[0])
    yield from _told(database, first, joined, f"b.{one} IS NULL", f"only in {first.name}")
    yield from _told(database, first, joined, f"a.{one} IS NULL", f"only in {second.name}")
    both = f"a.{one} IS NOT NULL AND b.{one} IS NOT NULL"
    for attribute in first.heading:
        if not attribute.in_key and attribute.name in second.heading:
            differs = f"{both} AND {_differs(attribute, second.heading[attribute.name], tolerance)}"
            yield from _told(database, first, joined, differs, f"with a different {attribute.name}")


def _told(database: Database, table: Table, joined: str, condition: str, what: str) -> Iterator[str]:
    names = table.primary_key
    key = ", ".join(f"{literal(name)}, {quote(name)}" for name in names)
    order = ", ".join(quote(name) for name in names)
    rows = database.session.execute(
        f"SELECT json_build_object({key})::text, count(*) OVER () FROM {joined} WHERE {condition}"
        f" ORDER BY {order} LIMIT {_EXAMPLES}"
    )
    if rows:
        count = rows[0][1]
        shown = ", ".join(text for text, _ in rows)
        more = ", ..." if count > len(rows) else ""
        yield f"{count:,} row{'s' if count != 1 else ''} {what}: {shown}{more}"


def _differs(one: Attribute, other: Attribute, tolerance: float) -> str:
    a, b = f"a.{quote(one.name)}", f"b.{quote(one.name)}"
    if {_sql(one), _sql(other)} <= _FLOATS:
        a, b = f"{a}::float8", f"{b}::float8"
        near = f"abs({a} - {b}) <= {float(tolerance)!r} * greatest(1, abs({a}), abs({b}))"
        # Infinities and nulls are near nothing, but may be equal.
        return f"{a} IS DISTINCT FROM {b} AND ({near} AND abs({a}) < 'inf' AND abs({b}) < 'inf') IS NOT TRUE"
    return f"{_comparable(a, one)} IS DISTINCT FROM {_comparable(b, other)}"


def _sql(attribute: Attribute) -> str:
    return "enum" if isinstance(attribute.stored, EnumType) else sql_type(attribute.stored)


def _comparable(value: str, attribute: Attribute) -> str:
    # json has no equality, and two schemas have enum types of their own.
    if _sql(attribute) in {"json", "jsonb"}:
        return f"{value}::jsonb"
    return f"{value}::text" if isinstance(attribute.stored, EnumType) else value
