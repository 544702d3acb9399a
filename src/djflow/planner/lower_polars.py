"""What runs in Polars: a node over frames that hold the rows of its operands."""

from typing import TYPE_CHECKING

from djflow.errors import PlannerBugError
from djflow.planner.naming import unused_name
from djflow.planner.nodes import (
    LocalAggregate,
    LocalCompute,
    LocalExpression,
    LocalRestrict,
    Node,
    Project,
    Top,
)
from djflow.planner.scalar import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from djflow.model.table import Attribute


def lower_polars(node: Node, frames: "Sequence[pl.DataFrame]") -> "pl.DataFrame":
    """The rows of a node; where order matters, the frames are in it.

    >>> import polars as pl
    >>> from djflow.model.table import Attribute, Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import INT64
    >>> source = Empty(Heading((Attribute("n", INT64, INT64),)))
    >>> above = LocalExpression(pl.col("n") > pl.col("n").mean(), frozenset(["n"]), is_elementwise=False)
    >>> lower_polars(LocalRestrict(source, above), [pl.DataFrame({"n": [1, 2, 6]})])["n"].to_list()
    [6]
    """
    match node:
        case LocalRestrict(_, condition):
            return frames[0].filter(condition.expression)
        case LocalCompute(_, made):
            return frames[0].with_columns(**_named(made))
        case LocalAggregate():
            return _aggregate(node, *frames)
        case Project(_, ()):
            return frames[0].drop(frames[0].columns)  # a selection of nothing has no rows
        case Project(_, columns):
            return frames[0].select(**{a.name: e.name for a, e in columns if isinstance(e, Column)})
        case Top():
            return _top(node, frames[0])
        case _:
            raise PlannerBugError(f"{type(node).__name__} does not run in Polars.")


def _named(made: "tuple[tuple[Attribute, LocalExpression], ...]") -> "dict[str, pl.Expr]":
    return {attribute.name: expression.expression for attribute, expression in made}


def _aggregate(node: LocalAggregate, source: "pl.DataFrame", other: "pl.DataFrame") -> "pl.DataFrame":
    """Rows with the summaries of their group; those without a match get the summaries of no rows."""
    import polars as pl

    summaries = _named(node.made)
    nothing = other.clear().select(**summaries)
    if not node.on:
        return _with_one_group(
            node, source, other.select(**summaries) if other.height else nothing, other.height
        )
    matched = unused_name("matched", (*source.columns, *summaries))
    groups = other.group_by(list(node.on), maintain_order=True).agg(**summaries)
    joined = source.join(
        groups.with_columns(pl.lit(value=True).alias(matched)),
        on=list(node.on),
        how="left" if node.keep_all else "inner",
        maintain_order="left",
    )
    found = pl.col(matched).is_not_null()
    filled = {name: pl.when(found).then(name).otherwise(_only(nothing[name])) for name in summaries}
    return joined.with_columns(**filled).drop(matched)


def _with_one_group(
    node: LocalAggregate, source: "pl.DataFrame", summary: "pl.DataFrame", rows: int
) -> "pl.DataFrame":
    if not rows and not node.keep_all:
        return source.clear().with_columns(**{a.name: None for a, _ in node.made})
    return source.with_columns(**{name: _only(summary[name]) for name in summary.columns})


def _only(values: "pl.Series") -> "pl.Expr":
    """The first of the values in their type; on its own, a text would name a column."""
    import polars as pl

    return pl.lit(values).first()


def _top(node: Top, frame: "pl.DataFrame") -> "pl.DataFrame":
    if node.order:
        frame = frame.sort(
            [term.name for term in node.order],
            descending=[term.descending for term in node.order],
            nulls_last=True,
            maintain_order=True,
        )
    return frame.slice(node.offset, node.limit)
