"""What all handlers of a tree share: the way to the handler, conditions, refusals with their place."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from djflow.errors import DataTypeError, QuerySyntaxError
from djflow.model.table import Heading
from djflow.planner import scalar as s
from djflow.planner.calls import as_text
from djflow.planner.grammar import place_of
from djflow.planner.operators import as_condition, compare
from djflow.planner.tree_parts import unread_parts

if TYPE_CHECKING:
    from sqlglot import exp

_COMPARE: Final[dict[str, s.CompareOp]] = {
    "eq": "=",
    "neq": "<>",
    "lt": "<",
    "lte": "<=",
    "gt": ">",
    "gte": ">=",
}
_MIRROR: Final[dict[s.CompareOp, s.CompareOp]] = {
    "=": "=",
    "<>": "<>",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
}
_ARITHMETIC: Final[dict[str, s.ArithmeticOp]] = {"add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%"}
_PREDICATES: Final = frozenset(
    {
        *_COMPARE,
        *("is", "like", "ilike", "in", "between", "nullsafeeq", "nullsafeneq", "regexplike", "regexpilike"),
    }
)
_UNSUPPORTED: Final = {
    "placeholder": "There are no parameters in a text: write the value, or restrict by a dict.",
    "distinct": "DISTINCT stands in COUNT(DISTINCT x) alone. For other summaries of different values, "
    "summarise dj.U(...) & query, or write a Polars expression: pl.col('x').unique().sum().",
    "order": "ORDER BY does not belong here: GROUP_CONCAT joins texts in their own order. "
    "For another one, fetch the rows with order_by and join them.",
    "bitwiserightshift": "Shifts of bits are not part of djflow's expressions; is one > too many?",
    "bitwiseleftshift": "Shifts of bits are not part of djflow's expressions; is one < too many?",
}
_BARE_DATE: Final = re.compile(r"(?<!['\"\d])\d{4}-\d{1,2}-\d{1,2}(?!\d)", re.ASCII)


class Base(ABC):
    """Finds the handler of a tree by its type's name: `_on_between` for a BETWEEN."""

    text: str
    heading: Heading

    def __init__(self, text: str, heading: Heading) -> None:
        self.text, self.heading = text, heading

    def translate(self, tree: "exp.Expression") -> s.Scalar:
        """The scalar of a tree. Raises `QuerySyntaxError`, `UnknownAttributeError` or `DataTypeError`."""
        kind = type(tree).__name__.lower()
        self._refuse_unread(kind, tree)
        self._refuse_chains(kind, tree)
        if kind in _COMPARE:
            return self._compare(_COMPARE[kind], tree)
        if kind in _ARITHMETIC:
            return self._arithmetic(_ARITHMETIC[kind], tree)
        handler: Callable[[Any], s.Scalar] | None = getattr(self, f"_on_{kind}", None)
        if handler is None:
            raise self._refuse(
                tree, _UNSUPPORTED.get(kind) or f"{type(tree).__name__} is not part of djflow's expressions."
            )
        return handler(tree)

    def _refuse_unread(self, kind: str, tree: "exp.Expression") -> None:
        """Raise for a part of the tree that no handler below would look at: nothing is dropped silently."""
        if unread := unread_parts(kind, tree):
            raise self._refuse(tree, f"{', '.join(unread)} of {kind.upper()} is not supported here.")

    def _refuse_chains(self, kind: str, tree: "exp.Expression") -> None:
        """Raise for `1 < a < 3` and `a = b IS NULL`: databases differ in what binds first."""
        from sqlglot import exp

        if kind not in _PREDICATES:
            return
        for side in tree.iter_expressions():
            if type(side).__name__.lower() in _COMPARE and any(
                type(part) is exp.DPipe for part in side.walk()
            ):
                raise self._refuse(side, "Write OR between conditions: || joins two texts.")
            if type(side).__name__.lower() in {*_PREDICATES, "not"}:
                raise self._refuse(
                    side,
                    "Put parentheses around this part, or write two comparisons, as in 1 < a AND a < 3.",
                )

    def _refuse(self, tree: "exp.Expression", reason: str) -> QuerySyntaxError:
        return QuerySyntaxError(reason, text=self.text, position=place_of(tree))

    def _refusing(self, tree: "exp.Expression") -> Callable[[str], QuerySyntaxError]:
        return lambda reason: self._refuse(tree, reason)

    def _placed(self, tree: "exp.Expression", make: Callable[[], s.Scalar]) -> s.Scalar:
        """What `make` makes; its refusal is given the place of the tree."""
        try:
            return make()
        except QuerySyntaxError as error:
            if error.position is not None:
                raise
            raise self._refuse(tree, error.reason) from None
        except DataTypeError as error:
            raise error.point_at(self.text, place_of(tree)) from error.__cause__

    def _condition(self, tree: "exp.Expression") -> s.Scalar:
        return as_condition(self.translate(tree), self._refusing(tree))

    def _text(self, tree: "exp.Expression") -> s.Scalar:
        return as_text(self.translate(tree), self._refusing(tree))

    def _fit(self, op: s.CompareOp, left: s.Scalar, right: s.Scalar, tree: "exp.Expression") -> s.Scalar:
        if isinstance(left, s.Constant) and not isinstance(right, s.Constant):
            return self._fit(_MIRROR[op], right, left, tree)
        self._refuse_bare_date(left, right)
        return self._placed(tree, lambda: compare(op, left, right, self.text))

    def _refuse_bare_date(self, left: s.Scalar, right: s.Scalar) -> None:
        for side, other in ((left, right), (right, left)):
            if s.family(s.type_of(side)) == "time" and isinstance(other, s.Arithmetic):
                date = _BARE_DATE.search(self.text)
                if date:
                    reason = f"A date stands in quotes: '{date[0]}'."
                    raise QuerySyntaxError(reason, text=self.text, position=date.start())

    def _negated(self, tree: "exp.Expression", found: s.Scalar) -> s.Scalar:
        return s.Not(found) if tree.args.get("negate") else found

    @abstractmethod
    def _compare(self, op: s.CompareOp, tree: "exp.Expression") -> s.Scalar: ...

    @abstractmethod
    def _arithmetic(self, op: s.ArithmeticOp, tree: "exp.Expression") -> s.Scalar: ...
