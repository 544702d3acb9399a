"""SELECT statements as data, and their printer.

The strings inside are fragments made by `djflow.sql` and the planner's lowering: quoted
identifiers, placeholders and keywords, never a user's text or value.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from djflow.sql.identifiers import quote

_WIDTH: Final = 88


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


def map_fragments(select: Select, change: Callable[[str], str]) -> Select:
    """The statement with each of its fragments changed.

    >>> map_fragments(Select((("$2", "n"),), where=("$3",)), lambda fragment: fragment.replace("$", "#"))
    Select(columns=(('#2', 'n'),), source='', where=('#3',), group_by=(), order_by=(), limit=None, offset=0)
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
    """The statement with a clause a line, for people."""
    columns, *clauses = _clauses(select)
    listed = columns.removeprefix("SELECT ")
    if len(listed) > _WIDTH:
        listed = ",\n       ".join(_column(fragment, name) for fragment, name in select.columns)
    return "\n".join([f"SELECT {listed}", *(_broken(clause) for clause in clauses)])


def _broken(clause: str) -> str:
    """A long clause with each of its outermost conjuncts on a line of its own."""
    if len(clause) <= _WIDTH:
        return clause
    pieces = [""]
    depth = 0
    for word in clause.split(" "):
        if word == "AND" and depth == 0:
            pieces.append("  AND")
            continue
        depth += word.count("(") - word.count(")")
        pieces[-1] += f" {word}" if pieces[-1] else word
    return "\n".join(pieces)


def _clauses(select: Select) -> list[str]:
    # A relation may have no visible attributes; SELECT still needs a column.
    columns = ", ".join(_column(fragment, name) for fragment, name in select.columns) or 'TRUE AS "_row"'
    clauses = [f"SELECT {columns}"]
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


def _column(fragment: str, name: str) -> str:
    return f"{fragment} AS {quote(name)}"
