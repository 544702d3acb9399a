"""What the nodes mean that only Polars can compute: the expression over the rows, in the order of the key."""

from collections.abc import Callable
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from djflow.model.table import Heading
from djflow.model.types import arrow_type
from djflow.planner.nodes import LocalAggregate, LocalCompute, LocalNode, LocalRestrict, Node, is_ordered
from djflow.testing.naive_scalar import Row, Rows, matches
from djflow.testing.naive_values import compare_values

if TYPE_CHECKING:
    import polars as pl

_RowsOf: TypeAlias = Callable[[Node], Rows]


def evaluate_local(node: LocalNode, rows_of: _RowsOf) -> Rows:
    """The rows of a node whose expressions Polars evaluates."""
    rows = _in_key_order(rows_of(node.source), node.source)
    match node:
        case LocalRestrict(source, condition):
            kept = _frame(rows, source.heading).select(condition.expression).to_series().to_list()
            return [
                row
                for row, keep in zip(rows, kept * len(rows) if len(kept) == 1 else kept, strict=False)
                if keep
            ]
        case LocalCompute(source, made):
            frame = _frame(rows, source.heading)
            made_rows = frame.with_columns(**{a.name: e.expression for a, e in made}).to_dicts()
            return [
                {**row, **{a.name: found[a.name] for a, _ in made}}
                for row, found in zip(rows, made_rows, strict=True)
            ]
        case LocalAggregate():
            return _aggregate(node, rows, rows_of)
        case _ as never:
            assert_never(never)


def _aggregate(node: LocalAggregate, rows: Rows, rows_of: _RowsOf) -> Rows:
    others = _in_key_order(rows_of(node.other), node.other)
    found: Rows = []
    for row in rows:
        group = [other for other in others if matches(row, other, node.on)]
        if group or node.keep_all:
            frame = _frame(group, node.other.heading)
            made = frame.select(**{a.name: e.expression for a, e in node.made}).to_dicts()
            found.append({**row, **made[0]} if node.made else row)
    return found


def _in_key_order(rows: Rows, node: Node) -> Rows:
    if is_ordered(node):
        return rows

    def compare(left: Row, right: Row) -> int:
        pairs = ((left[name], right[name]) for name in node.heading.primary_key)
        return next((sign for pair in pairs if (sign := _compare(*pair))), 0)

    return sorted(rows, key=cmp_to_key(compare))


def _compare(left: Any, right: Any) -> int:
    if left is None or right is None:
        return (left is None) - (right is None)
    return compare_values(left, right)


def _frame(rows: Rows, heading: Heading) -> "pl.DataFrame":
    import polars as pl
    import pyarrow as pa

    plain = [a for a in heading if str(a.stored) != "json"]
    arrays = [pa.array([row[a.name] for row in rows], arrow_type(a.stored)) for a in plain]
    frame = pl.from_arrow(pa.table(arrays, names=[a.name for a in plain]))
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table went in
    return frame
