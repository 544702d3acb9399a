"""Pairs of matching rows, and the primary key of what comes out."""

from dataclasses import replace

from djflow.errors import QueryError
from djflow.model.table import Heading
from djflow.planner.analyze.matching import homologous
from djflow.planner.memo import memoised
from djflow.planner.nodes import Join, Node


@memoised
def join(left: Node, right: Node, *, semantic_check: bool = True, keep_left: bool = False) -> Node:
    """Pairs of matching rows; the primary key follows from which side determines the other.

    Raises `QueryError` if `keep_left` and the left side does not determine the right one.
    """
    on = homologous(left.heading, right.heading, semantic_check=semantic_check)
    missing = [name for name in right.heading.primary_key if name not in left.heading]
    if keep_left:
        if missing:
            raise QueryError(
                "A left join needs the left side to determine the right one; "
                f"{missing} of the right side's key are not in the left side."
            )
        return Join(left, right, on, _extended(left.heading, right.heading), "left")
    return Join(left, right, on, _joined(left.heading, right.heading))


def _joined(left: Heading, right: Heading) -> Heading:
    if all(name in left for name in right.primary_key):
        return _with_key(left, right, left.primary_key)
    if all(name in right for name in left.primary_key):
        return _with_key(right, left, right.primary_key)
    extra = tuple(name for name in right.primary_key if name not in left.primary_key)
    return _with_key(left, right, left.primary_key + extra)


def _with_key(first: Heading, second: Heading, key: tuple[str, ...]) -> Heading:
    every = {a.name: a for a in (*second, *first)}
    names = dict.fromkeys((*key, *first.names, *second.names))
    # A matched attribute is present if either side requires it.
    shared = {name for name in first.names if name in second}
    return Heading(
        tuple(
            replace(
                every[name],
                in_key=name in key,
                nullable=every[name].nullable and not (name in shared and not second[name].nullable),
            )
            for name in names
        )
    )


def _extended(left: Heading, right: Heading) -> Heading:
    added = tuple(replace(a, in_key=False, nullable=True) for a in right if a.name not in left)
    return Heading((*left, *added))
