"""What plans mean: a slow evaluator in plain Python, written from the definition of each operator.

It shares no code with the optimiser, the lowering to SQL or the engine, so that agreement with
them is evidence.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cmp_to_key
from typing import Any, TypeAlias, assert_never

from djflow.model.names import TableName
from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    Empty,
    Group,
    Join,
    LocalAggregate,
    LocalCompute,
    LocalFrame,
    LocalRestrict,
    Node,
    Order,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    Top,
    Union,
)
from djflow.testing.naive_polars import evaluate_local
from djflow.testing.naive_scalar import Row, Rows, matches, summary_of, value_of
from djflow.testing.naive_values import compare_values, decode

Stored: TypeAlias = Mapping[TableName, Rows]
_RowsOf: TypeAlias = Callable[[Node], Rows]


def evaluate(plan: Node, stored: Stored) -> Rows:
    """The rows of a plan over stored rows, in order where the plan asks for one.

    Values are Python's: text for enums and UUIDs, decoded documents for json, bytes for blobs.

    Raises `UndefinedValueError` where SQL would refuse a value, such as a division by zero.

    >>> from djflow.model.table import Heading
    >>> evaluate(Empty(Heading(())), {})
    []
    """
    found: dict[int, Rows] = {}

    def rows_of(node: Node) -> Rows:
        # Conditions ask for the rows of a plan once a row.
        if id(node) not in found:
            found[id(node)] = _rows(node, stored, rows_of)
        return found[id(node)]

    return rows_of(plan)


def _rows(plan: Node, stored: Stored, rows_of: _RowsOf) -> Rows:
    match plan:
        case Scan(table):
            return [{a.name: row[a.name] for a in table.heading} for row in stored[table.name]]
        case LocalFrame():
            return _frame(plan)
        case Empty():
            return []
        case Restrict(source, condition):
            return [row for row in rows_of(source) if value_of(condition, row, rows_of) is True]
        case SemiJoin():
            return _semi_join(plan, rows_of)
        case Project(source, columns):
            return [{a.name: value_of(e, row, rows_of) for a, e in columns} for row in rows_of(source)]
        case Join():
            return _join(plan, rows_of)
        case Aggregate():
            return _aggregate(plan, rows_of)
        case Group():
            return _group(plan, rows_of)
        case Distinct(source):
            return _once(rows_of(source), source.heading.names)
        case Union():
            return _union(plan, rows_of)
        case LocalRestrict() | LocalCompute() | LocalAggregate():
            return evaluate_local(plan, rows_of)
        case Top(source, order, limit, offset):
            ordered = _ordered(rows_of(source), order) if order else rows_of(source)
            return ordered[offset:] if limit is None else ordered[offset : offset + limit]
        case _ as never:
            assert_never(never)


def _frame(node: LocalFrame) -> Rows:
    columns = {a.name: [decode(v, a.stored) for v in node.frame[a.name].to_pylist()] for a in node.heading}
    if not columns:
        return [{} for _ in range(node.frame.num_rows)]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _semi_join(node: SemiJoin, rows_of: _RowsOf) -> Rows:
    others = rows_of(node.other)
    return [
        row
        for row in rows_of(node.source)
        if any(matches(row, other, node.on) for other in others) is not node.negated
    ]


def _join(node: Join, rows_of: _RowsOf) -> Rows:
    rights = rows_of(node.right)
    alone: Row = dict.fromkeys(node.right.heading.names)
    joined: Rows = []
    for left in rows_of(node.left):
        found = [right for right in rights if matches(left, right, node.on)]
        if not found and node.kind == "left":
            found = [alone]
        joined += [_in_order({**right, **left}, node) for right in found]
    return joined


def _aggregate(node: Aggregate, rows_of: _RowsOf) -> Rows:
    others = rows_of(node.other)
    summarised: Rows = []
    for row in rows_of(node.source):
        group = [{**row, **other} for other in others if matches(row, other, node.on)]
        if group or node.keep_all:
            made = {a.name: summary_of(e, group, row, rows_of) for a, e in node.summaries}
            summarised.append({**row, **made})
    return summarised


def _group(node: Group, rows_of: _RowsOf) -> Rows:
    rows = rows_of(node.source)
    grouped: Rows = []
    for first in _once(rows, node.keys) if node.keys else [dict[str, Any]()]:
        group = [row for row in rows if _alike(row, first, node.keys)]
        made = {a.name: summary_of(e, group, first, rows_of, count_of_none=0) for a, e in node.summaries}
        grouped.append({**{name: first[name] for name in node.keys}, **made})
    return grouped


def _union(node: Union, rows_of: _RowsOf) -> Rows:
    keys = node.heading.primary_key
    lefts, rights = rows_of(node.left), rows_of(node.right)
    nothing: Row = dict.fromkeys(node.heading.names)
    joined: Rows = []
    for left in lefts:
        found = [right for right in rights if _alike(left, right, keys)] or [{}]
        joined += [_in_order({**nothing, **right, **left}, node) for right in found]
    alone = [right for right in rights if not any(_alike(left, right, keys) for left in lefts)]
    return joined + [_in_order({**nothing, **right}, node) for right in alone]


def _once(rows: Rows, names: Iterable[str]) -> Rows:
    """The first of the rows for each combination of values."""
    names = tuple(names)
    firsts: Rows = []
    for row in rows:
        if not any(_alike(row, first, names) for first in firsts):
            firsts.append(row)
    return firsts


def _alike(left: Row, right: Row, names: Iterable[str]) -> bool:
    """Whether two rows have the same values, a null being like a null."""
    return all(
        (left[name] is None and right[name] is None) or matches(left, right, (name,)) for name in names
    )


def _in_order(row: Row, node: Node) -> Row:
    return {name: row[name] for name in node.heading.names}


def _ordered(rows: Rows, order: tuple[Order, ...]) -> Rows:
    def compare(left: Row, right: Row) -> int:
        return next((sign for term in order if (sign := _by_term(left, right, term))), 0)

    return sorted(rows, key=cmp_to_key(compare))


def _by_term(left: Row, right: Row, term: Order) -> int:
    """Nulls come last, whichever way the order goes."""
    first: Any = left[term.name]
    second: Any = right[term.name]
    if first is None or second is None:
        return (first is None) - (second is None)
    sign = compare_values(first, second)
    return -sign if term.descending else sign
