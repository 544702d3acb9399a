"""The first rows in an order."""

from collections.abc import Sequence

from djflow.errors import InvalidArgumentError, QueryError, UnknownAttributeError
from djflow.model.table import Heading
from djflow.planner.memo import memoised
from djflow.planner.nodes import Node, Order, Top, is_ordered


@memoised
def top(
    source: Node, order_by: str | Sequence[str] | None = None, limit: int | None = None, offset: int = 0
) -> Node:
    """The first rows in an order; ties are broken by the primary key.

    Without `order_by` the order of the source stays, or is by primary key where it has none.

    >>> from djflow.model.table import Attribute
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import DATE, INT64
    >>> heading = Heading((Attribute("n", INT64, INT64, in_key=True), Attribute("d", DATE, DATE)))
    >>> latest = top(Empty(heading), "d DESC", 3)
    >>> latest.order
    (Order(name='d', descending=True), Order(name='n', descending=False))
    >>> top(latest, None, 2).order
    ()
    """
    _check_bounds(limit, offset)
    if order_by is None and is_ordered(source):
        return Top(source, (), limit, offset)
    order: dict[str, Order] = {}
    for term in _terms(order_by):
        for item in _order_terms(term, source.heading):
            order.setdefault(item.name, item)
    for name in source.heading.primary_key:
        order.setdefault(name, Order(name))
    return Top(source, tuple(order.values()), limit, offset)


def _check_bounds(limit: object, offset: object) -> None:
    for name, value in (("limit", limit), ("offset", offset)):
        if value is None and name == "limit":
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidArgumentError(f"{name} is a whole number, not {value!r}.")
        if value < 0:
            raise QueryError(f"{name} is zero or more, not {value}.")


def _terms(order_by: object) -> list[str]:
    if order_by is None:
        return ["KEY"]
    terms = [order_by] if isinstance(order_by, str) else order_by
    if not isinstance(terms, Sequence) or not all(isinstance(term, str) for term in terms):
        raise InvalidArgumentError(f"order_by is a text or a list of texts, not {order_by!r}.")
    return [piece for term in terms or ["KEY"] for piece in term.split(",")]


def _order_terms(term: str, heading: Heading) -> list[Order]:
    if not term.strip():
        raise QueryError("order_by names no attribute; leave it out for the order of the key.")
    name, *direction = term.split()
    name = name.strip('`"')
    if len(direction) > 1 or (direction and direction[0].upper() not in ("ASC", "DESC")):
        raise QueryError(f"Cannot order by {term.strip()!r}; write an attribute, and ASC or DESC after it.")
    descending = bool(direction) and direction[0].upper() == "DESC"
    if name.upper() == "KEY":
        return [Order(key, descending) for key in heading.primary_key]
    if name.removeprefix("-") in heading and name not in heading:
        raise QueryError(
            f"Cannot order by {name!r}; write '{name.removeprefix('-')} DESC' for the opposite order."
        )
    if name not in heading:
        raise UnknownAttributeError(name, heading.names, context="order_by")
    return [Order(name, descending)]
