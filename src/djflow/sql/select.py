"""SELECT statements as data, and their printer.

The strings inside are fragments made by `djflow.sql` and the planner's lowering: quoted
identifiers, placeholders and keywords, never a user's text or value.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from djflow.sql.identifiers import quote
from djflow.sql.layout import laid_out


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT; `columns` are (fragment, name) pairs."""

    columns: tuple[tuple[str, str], ...]
    source: str = ""
    where: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()
    limit: int | None = None
    offset: int = 0
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Delete(Select):
    """One DELETE: of the rows that the SELECT of the same clauses would give."""


def map_fragments(select: Select, change: Callable[[str], str]) -> Select:
    """The statement with each of its fragments changed.

    >>> map_fragments(Select((("$2", "n"),), where=("$3",)), lambda fragment: fragment.replace("$", "#"))
    Select(columns=(('#2', 'n'),), source='', where=('#3',), group_by=(), order_by=(), limit=None, offset=0,
           distinct=False)
    """
    return replace(
        select,
        columns=tuple((change(fragment), name) for fragment, name in select.columns),
        source=change(select.source),
        where=tuple(map(change, select.where)),
        group_by=tuple(map(change, select.group_by)),
        order_by=tuple(map(change, select.order_by)),
    )


def print_select(select: Select) -> str:
    """The statement on one line.

    >>> print_select(Select((('t1."n"', "n"),), '"lab"."a" AS t1', ('t1."n" > $1::bigint',), limit=3))
    'SELECT t1."n" AS "n" FROM "lab"."a" AS t1 WHERE t1."n" > $1::bigint LIMIT 3'
    """
    return " ".join(_clauses(select))


def print_pretty(select: Select) -> str:
    """The statement over several lines, for people."""
    return laid_out(print_select(select))


def _clauses(select: Select) -> list[str]:
    clauses = ["DELETE" if isinstance(select, Delete) else f"{_verb(select)} {_columns(select)}"]
    if select.source:
        clauses.append(f"FROM {select.source}")
    if select.where:
        clauses.append(f"WHERE {' AND '.join(select.where)}")
    if select.group_by:
        clauses.append(f"GROUP BY {', '.join(select.group_by)}")
    if select.order_by:
        clauses.append(f"ORDER BY {', '.join(select.order_by)}")
    if select.limit is not None:
        clauses.append(f"LIMIT {select.limit}")
    if select.offset:
        clauses.append(f"OFFSET {select.offset}")
    return clauses


def _columns(select: Select) -> str:
    # A relation may have no visible attributes; SELECT still needs a column.
    return ", ".join(_column(fragment, name) for fragment, name in select.columns) or 'TRUE AS "_row"'


def _verb(select: Select) -> str:
    return "SELECT DISTINCT" if select.distinct else "SELECT"


def _column(fragment: str, name: str) -> str:
    return f"{fragment} AS {quote(name)}"
