"""Which attributes an expression reads."""

import sys
from typing import TYPE_CHECKING, TypeGuard

from djflow.errors import UnknownAttributeError
from djflow.model.table import Heading
from djflow.planner.polars_expressions.serialised import Tree, parts, tree_of

if TYPE_CHECKING:
    import polars as pl


def is_expression(value: object) -> TypeGuard["pl.Expr"]:
    """Whether a value is a Polars expression; Polars is not imported to find out.

    >>> import polars as pl
    >>> is_expression(pl.col("a") > 1), is_expression("a > 1")
    (True, False)
    """
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(value, polars.Expr)


def names_read(expr: "pl.Expr", heading: Heading) -> frozenset[str]:
    """The attributes that an expression reads; all where a selector or a function of Python decides.

    Raises `UnknownAttributeError` for a column that is no attribute.

    >>> import polars as pl
    >>> from djflow.model.table import Attribute
    >>> from djflow.planner.scalar import INT64
    >>> heading = Heading(tuple(Attribute(name, INT64, INT64) for name in "abc"))
    >>> sorted(names_read(pl.col("a") + pl.col("b"), heading)), len(names_read(pl.all(), heading))
    (['a', 'b'], 3)
    """
    try:
        tree = tree_of(expr)
    except Exception:  # noqa: BLE001 - a function of Python inside: it cannot be written down
        _refuse_unknown(frozenset(expr.meta.root_names()), heading)
        return frozenset(heading.names)
    return names_in(tree, heading)


def names_in(tree: Tree, heading: Heading) -> frozenset[str]:
    """The attributes that a serialised expression reads."""
    names: set[str] = set()
    for part in parts(tree):
        if isinstance(part.get("Column"), str):
            names.add(part["Column"])
        if "Selector" in part:
            names |= _selected(part["Selector"], heading)
    _refuse_unknown(names, heading)
    return frozenset(names)


def _selected(selector: Tree, heading: Heading) -> set[str]:
    match selector:
        case {"ByName": {"names": [*names], "strict": True}}:
            return set(names)
        case _:
            return set(heading.names)


def _refuse_unknown(names: set[str] | frozenset[str], heading: Heading) -> None:
    for name in sorted(names):
        if name not in heading:
            raise UnknownAttributeError(name, heading.names, context="the Polars expression")
