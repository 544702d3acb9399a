"""Relations cut into ranges of their primary key, by the server and in the order of every result."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, TypeAlias

from djflow.errors import PlannerBugError
from djflow.model.table import Attribute, Heading
from djflow.model.types import EnumType
from djflow.planner.carry import carried_fragment
from djflow.planner.lower_sql import Statement, lower_insert
from djflow.planner.nodes import Node, Project, Top
from djflow.planner.parameters import Parameters
from djflow.planner.rewriter import optimise
from djflow.planner.scalar import BOOL, TEXT, Column, core_name, is_text
from djflow.sql.identifiers import quote
from djflow.sql.select import Select, print_select

Key: TypeAlias = tuple[str, ...]

_ROWS: Final = "part"


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Keys from `start` up to, not including, `end`, each as the server writes its values; None is open."""

    start: Key | None = None
    end: Key | None = None

    @property
    def is_open(self) -> bool:
        """Whether it covers all keys."""
        return self.start is None and self.end is None


def plan_key_ranges(starts: tuple[Key, ...]) -> tuple[KeyRange, ...]:
    """The ranges that begin at these keys; the first and the last are open towards the ends.

    >>> plan_key_ranges((("1",), ("5",)))
    (KeyRange(start=None, end=('5',)), KeyRange(start=('5',), end=None))
    """
    edges = (None, *starts[1:], None)
    return tuple(KeyRange(start, end) for start, end in pairwise(edges))


def lower_starts(plan: Node, parts: int) -> Statement:
    """The statement that gives the first key of each of `parts` shares of the rows, and the last key of all.

    The shares are about equal in number of rows; fewer rows than parts give fewer. Values come as the
    server's text, which it reads back exactly; behind them is whether the key begins a share.
    """
    heading = plan.heading.select(plan.heading.primary_key)
    keys = Project(plan, tuple((a, Column(a.name, a.stored)) for a in heading))
    inner = lower_insert(optimise(keys).plan, heading.names)
    order = ", ".join(_sortable(a) for a in heading)
    numbered = Select(
        (
            *((_column(a), a.name) for a in heading),
            (f"row_number() OVER (ORDER BY {order}) - 1", "_place"),
        ),
        f"({inner.sql}) AS {_ROWS}",
    )
    # Apart from the numbering, which can then stream through an index: count(*) OVER () would store all keys.
    counted = Select((("count(*)", "_all"),), numbered.source)
    first = f'("_place" = 0 OR "_place" * {parts} / "_all" <> ("_place" - 1) * {parts} / "_all")'
    select = Select(
        (*((f"{_column(a)}::text", a.name) for a in heading), (first, "_first")),
        f"({print_select(numbered)}) AS {_ROWS}, ({print_select(counted)}) AS counted",
        (f'({first} OR "_place" = "_all" - 1)',),
        order_by=('"_place"',),
    )
    texts = (Attribute(a.name, TEXT, TEXT, in_key=True) for a in heading)
    return Statement(select, inner.parameters, Heading((*texts, Attribute("_first", BOOL, BOOL))))


def lower_range(plan: Node, keys: KeyRange) -> Statement:
    """The statement that gives the rows of a plan whose keys are in a range."""
    inner = lower_insert(optimise(plan).plan, plan.heading.names)
    key = [a for a in plan.heading if a.in_key]
    row = _row([_sortable(a) for a in key])
    bounds = ((">=", keys.start), ("<", keys.end))
    params = Parameters(list(inner.parameters))
    select = Select(
        tuple((carried_fragment(_column(a), a.stored), a.name) for a in plan.heading),
        f"({inner.sql}) AS {_ROWS}",
        tuple(f"{row} {op} {_row_of(bound, key, params)}" for op, bound in bounds if bound is not None),
    )
    return Statement(select, tuple(params.values), plan.heading)


def sorted_by_key(statement: Statement) -> Statement:
    """A statement of `lower_range` with its rows in the order of the key."""
    order = tuple(_sortable(a) for a in statement.heading if a.in_key)
    return replace(statement, select=replace(statement.select, order_by=order))


def sliced(plan: Node, offset: int, limit: int) -> Node:
    """The rows of an ordered plan from a place on, at most `limit` of them.

    >>> from djflow.planner.nodes import Empty
    >>> top = sliced(Top(Empty(Heading(())), (), limit=9, offset=2), 3, 7)
    >>> top.offset, top.limit
    (5, 6)
    """
    match plan:
        case Top():
            most = limit if plan.limit is None else max(0, min(limit, plan.limit - offset))
            return replace(plan, offset=plan.offset + offset, limit=most)
        case Project(source):
            return replace(plan, source=sliced(source, offset, limit))
        case _:
            raise PlannerBugError("Only an ordered plan has rows by place.")


def _column(attribute: Attribute) -> str:
    return f"{_ROWS}.{quote(attribute.name)}"


def _sortable(attribute: Attribute) -> str:
    """A key's column as it is ordered and compared: text by its bytes, on every server alike."""
    if not is_text(attribute.stored):
        return _column(attribute)
    plain = isinstance(attribute.stored, EnumType) or core_name(attribute.stored) == "char"
    return f'{_column(attribute)}{"::text" if plain else ""} COLLATE "C"'


def _row(fragments: list[str]) -> str:
    return fragments[0] if len(fragments) == 1 else f"({', '.join(fragments)})"


def _row_of(key: Key, attributes: list[Attribute], params: Parameters) -> str:
    types = (TEXT if is_text(a.stored) else a.stored for a in attributes)
    return _row([params.add_written(text, type_) for text, type_ in zip(key, types, strict=True)])
