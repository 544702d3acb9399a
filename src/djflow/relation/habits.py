"""What people write out of habit from frames and SQL, answered with what to write here."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NoReturn

from djflow.errors import InvalidArgumentError, MissingMethodError, QueryError

_RESTRICT: Final = 'restrict with `{0} & condition`, as in {0} & "x > 1" or {0} & {{"x": 1}}'
_PROJECT: Final = '{0}.proj("x", new="x + 1") chooses and computes attributes'
_FIRST: Final = "{0} & dj.Top(n) keeps the first rows, and to_dicts(limit=n) reads them"
_ORDERED: Final = (
    '{0}.to_polars(order_by="x DESC") reads in an order, {0} & dj.Top(n, order_by="x") keeps the first'
)
_SUMMARISE: Final = (
    '{0}.aggr(other, n="count(*)") summarises per row, dj.U("x").aggr({0}, n="count(*)") per value'
)
_ASK: Final = "{0}.heading describes the attributes, {0}.heading.names lists them, len({0}) counts rows"
_JOIN: Final = "{0} * other joins, {0}.extend(other) keeps the rows without a match"
_WRITE: Final = (
    "rows are written in tables; those that match a query are (Table & {0}), as in (Table & {0}).delete()"
)
_HABITS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("where", "filter", "query", "loc", "iloc"), _RESTRICT),
    **dict.fromkeys(("select", "with_columns", "assign", "rename", "drop", "project"), _PROJECT),
    **dict.fromkeys(("limit", "top", "first", "sample", "take"), _FIRST),
    **dict.fromkeys(("order_by", "sort", "sort_values", "sort_by", "orderby"), _ORDERED),
    **dict.fromkeys(("group_by", "groupby", "agg", "sum", "mean", "count", "min", "max"), _SUMMARISE),
    **dict.fromkeys(("columns", "shape", "dtypes", "schema", "attributes", "fields"), _ASK),
    **dict.fromkeys(("merge", "left_join"), _JOIN),
    **dict.fromkeys(("insert", "insert1", "update1", "delete", "delete_quick"), _WRITE),
}


def missing(owner: str, name: str, attributes: Callable[[], Collection[str]]) -> MissingMethodError:
    """The error for a Python attribute that a query of some name does not have.

    >>> missing("Run", "where", tuple)
    MissingMethodError('Run has no where: restrict with `Run & condition`, as in Run & "x > 1" or ...')
    """
    if name.startswith("_"):
        return MissingMethodError(f"{owner!r} object has no attribute {name!r}")
    owner = "query" if owner == "Relation" else owner
    if name in attributes():
        return MissingMethodError(
            f"{name!r} is an attribute of the rows of {owner}: {owner}.proj({name!r}) chooses it, "
            f"{owner}.to_arrays({name!r}) reads it."
        )
    if name in _HABITS:
        return MissingMethodError(f"{owner} has no {name}: {_HABITS[name].format(owner)}.")
    return MissingMethodError(f"{owner!r} object has no attribute {name!r}")


def refuse_item(owner: str, item: object) -> NoReturn:
    """Raise for `Run["score"]`: brackets mean rows to some, and columns to others."""
    name = repr(item) if isinstance(item, str) else "'x'"
    owner = "query" if owner == "Relation" else owner
    raise InvalidArgumentError(
        f"{owner}[{item!r}] has no meaning: {owner}.proj({name}) chooses an attribute, "
        f"{owner}.to_arrays({name}) reads it, {owner} & condition restricts, "
        f"and {owner} & dj.Top(n) keeps the first rows."
    )


def refuse_or() -> NoReturn:
    """Raise for `a | b`."""
    raise QueryError(
        "| has no meaning between queries: write a + b for a union, "
        "and query & [a, b] for the rows that meet any of several conditions."
    )


def expected(other: Any, kinds: str) -> QueryError:
    """The error for an operand that is no query."""
    advice = ""
    if isinstance(other, str | Mapping):
        advice = " A condition stands with the query that it restricts: (query & condition)."
    elif hasattr(other, "as_operand"):
        advice = f" {other.as_operand}"
    elif isinstance(other, type):
        advice = f" This is the class {other.__name__} itself."
    return QueryError(f"Expected {kinds}, not {type(other).__name__}.{advice}")


def unrestricting(condition: Any) -> QueryError:
    """The error for what is no condition."""
    advice = "Use a dict, a string, a list of these, a frame, or a query."
    if hasattr(condition, "as_operand") and not isinstance(condition, type):
        advice = condition.as_operand
    elif isinstance(condition, type):
        advice = f"{condition.__name__} is a class: give an instance of it, as in dj.Top()."
    elif isinstance(condition, int | float) or getattr(condition, "ndim", None) == 0:
        advice = "For values of an attribute, give a dict: {'x': [1, 2]}."
    return QueryError(f"Cannot restrict by {type(condition).__name__}. {advice}")
