"""Statements that look for rows which the server would refuse, in a temporary table that holds them."""

from collections.abc import Iterable, Sequence
from typing import Final

from djflow.model.table import ForeignKey, IndexSpec, Table
from djflow.sql.expression import checked_expression
from djflow.sql.identifiers import qualified, quote
from djflow.sql.indexes import is_expression

ROW: Final = "~row"
_CHECKED: Final = 'pg_temp."djflow_checked"'
_ROW: Final = quote(ROW)


def create_checked(table: Table, columns: Iterable[str]) -> str:
    """A temporary table of the number of each row and the columns, which may all be null."""
    listed = ", ".join([f"NULL::bigint AS {_ROW}", *map(quote, columns)])
    return (
        f'CREATE TEMPORARY TABLE "djflow_checked" ON COMMIT DROP AS '
        f"SELECT {listed} FROM {qualified(table.name)} WITH NO DATA"
    )


def copy_checked(columns: Iterable[str], form: str) -> str:
    """`COPY` into the temporary table."""
    return f"COPY {_CHECKED} ({', '.join(map(quote, columns))}) FROM STDIN (FORMAT {form})"


def analyze_checked() -> str:
    """Let the planner know the temporary table's rows."""
    return f"ANALYZE {_CHECKED}"


def drop_checked() -> str:
    """Remove the temporary table."""
    return f"DROP TABLE {_CHECKED}"


# The results are the number of a row, and the values in question as text.


def select_existing(table: Table) -> str:
    """The rows whose primary key the table has."""
    key = table.heading.primary_key
    return (
        f"SELECT s.{_ROW}, {_text(key)} FROM {_CHECKED} AS s "
        f"WHERE EXISTS (SELECT 1 FROM {qualified(table.name)} AS t{_where(_same(key, key, 't'))}) "
        f"ORDER BY s.{_ROW}"
    )


def select_orphans(table: Table, foreign_key: ForeignKey) -> str:
    """The rows that refer to a row of the parent that does not exist, and does not come with them."""
    own = foreign_key.own
    same = _where(_same(own, foreign_key.referenced, "p"))
    given = [f"s.{quote(name)} IS NOT NULL" for name in own]
    parents = [qualified(foreign_key.parent)]
    if foreign_key.parent == table.name:
        parents.append(_CHECKED)
    absent = [f"NOT EXISTS (SELECT 1 FROM {parent} AS p{same})" for parent in parents]
    return f"SELECT s.{_ROW}, {_text(own)} FROM {_CHECKED} AS s{_where([*given, *absent])} ORDER BY s.{_ROW}"


def select_not_unique(table: Table, index: IndexSpec) -> str:
    """The rows that have what another row has, of the same source or of the table; nulls differ.

    A row of the table with the same primary key is not another one.
    """
    items = [f"e{number}" for number, _ in enumerate(index.items, start=1)]
    listed = ", ".join(f"{_item(text)} AS {name}" for text, name in zip(index.items, items, strict=True))
    key = table.heading.primary_key
    keys = "".join(f", {quote(name)}" for name in key)
    given = f"SELECT {listed}, {_ROW}{keys} FROM {_CHECKED}"
    counted = f"SELECT *, count(*) OVER (PARTITION BY {', '.join(items)}) AS times FROM ({given}) AS g"
    existing = f"SELECT {listed}{keys} FROM {qualified(table.name)}"
    same_key = " AND ".join(_same(key, key, "t")) or "true"
    found = [*(f"t.{name} = s.{name}" for name in items), f"({same_key}) IS NOT TRUE"]
    present = [f"s.{name} IS NOT NULL" for name in items]
    taken = f"(s.times > 1 OR EXISTS (SELECT 1 FROM ({existing}) AS t{_where(found)}))"
    return (
        f"SELECT s.{_ROW}, {_text(items)} FROM ({counted}) AS s{_where([*present, taken])} ORDER BY s.{_ROW}"
    )


def _item(text: str) -> str:
    return checked_expression(text) if is_expression(text) else quote(text)


def _text(columns: Iterable[str]) -> str:
    listed = ", ".join(f"s.{quote(name)}::text" for name in columns)
    return f"concat_ws(', ', {listed})" if listed else "''"


def _same(own: Sequence[str], others: Sequence[str], alias: str) -> list[str]:
    pairs = zip(own, others, strict=True)
    return [f"{alias}.{quote(other)} = s.{quote(name)}" for name, other in pairs]


def _where(conditions: Iterable[str]) -> str:
    text = " AND ".join(conditions)
    return f" WHERE {text}" if text else ""
