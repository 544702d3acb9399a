"""The JSON form of a Polars expression: Polars documents it as unstable, so what is unknown is refused."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

if TYPE_CHECKING:
    import polars as pl

Tree: TypeAlias = Any


class UntranslatableError(Exception):
    """An expression that has no exact twin on the server."""


def tree_of(expr: "pl.Expr") -> Tree:
    """The expression as nested dicts and lists. Raises what Polars raises for functions of Python.

    >>> import polars as pl
    >>> tree_of(pl.col("a").is_null())
    {'Function': {'input': [{'Column': 'a'}], 'function': {'Boolean': 'IsNull'}}}
    """
    return json.loads(expr.meta.serialize(format="json"))


def node_of(tree: Tree) -> tuple[str, Any]:
    """The kind of a node and what it holds.

    >>> node_of({"Column": "a"}), node_of("Len")
    (('Column', 'a'), ('Len', None))
    """
    if isinstance(tree, str):
        return tree, None
    if not isinstance(tree, dict) or len(tree) != 1:
        raise UntranslatableError("a node has one name")
    return next(iter(tree.items()))


def function_path(function: Tree) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The name of a function, family first, and its options.

    >>> function_path({"Boolean": {"IsBetween": {"closed": "Left"}}})
    (('Boolean', 'IsBetween'), {'closed': 'Left'})
    >>> function_path("Abs"), function_path({"Round": {"decimals": 0}})
    ((('Abs',), {}), (('Round',), {'decimals': 0}))
    """
    path: list[str] = []
    while True:
        if function is None or isinstance(function, list | int | float):
            return tuple(path), {}
        if isinstance(function, str):
            return (*path, function), {}
        if (
            len(function) != 1
            or not isinstance(next(iter(function)), str)
            or not next(iter(function))[0].isupper()
        ):
            return tuple(path), function
        ((name, function),) = function.items()
        path.append(name)


def parts(tree: Tree) -> Iterator[Tree]:
    """All dicts of a tree but those inside literals, outermost first."""
    if isinstance(tree, dict):
        yield tree
        for name, held in tree.items():
            if name != "Literal":
                yield from parts(held)
    elif isinstance(tree, list):
        for item in tree:
            yield from parts(item)


def listed(payload: list[int]) -> pa.Array:
    """The values of a list literal, which arrives as an Arrow stream of one column."""
    column = pa.ipc.open_stream(bytes(payload)).read_all().column(0)
    combined = column.combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined
