"""What plans mean: a slow evaluator in plain Python, written from the definition of each operator.

It shares no code with the optimiser, the lowering to SQL or the engine, so that agreement with
them is evidence.
"""

from collections.abc import Callable, Mapping
from functools import cmp_to_key
from typing import Any, TypeAlias, assert_never

from djflow.model.names import TableName
from djflow.planner.nodes import (
    Aggregate,
    Empty,
    Join,
    LocalFrame,
    Node,
    Order,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    Top,
)
from djflow.testing.naive_scalar import Row, Rows, matches, summary_of, value_of
from djflow.testing.naive_values import compare_values, decode

Stored: TypeAlias = Mapping[TableName, Rows]
_RowsOf: TypeAlias = Callable[[Node], Rows]


def evaluate(plan: Node, stored: Stored) -> Rows:  # noqa: C901 - one `match` over the whole closed union
    """The rows of a plan over stored rows, in order where the plan asks for one.

    Values are Python's: text for enums and UUIDs, decoded documents for json, bytes for blobs.

    Raises `UndefinedValueError` where SQL would refuse a value, such as a division by zero.

    >>> from djflow.model.table import Heading
    >>> evaluate(Empty(Heading(())), {})
    []
    """

    def rows_of(node: Node) -> Rows:
        return evaluate(node, stored)

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
        case Top(source, order, limit, offset):
            ordered = _ordered(rows_of(source), order)
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
