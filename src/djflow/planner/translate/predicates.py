"""Logic, comparisons and patterns."""

from typing import TYPE_CHECKING

from djflow.planner import scalar as s
from djflow.planner.operators import in_list, same
from djflow.planner.patterns import as_like
from djflow.planner.translate.base import Base

if TYPE_CHECKING:
    from sqlglot import exp


class Predicates(Base):
    """Handlers of what is true or false."""

    def _on_and(self, tree: "exp.And") -> s.Scalar:
        return s.And(tuple(map(self._condition, _chain(tree))))

    def _on_or(self, tree: "exp.Or") -> s.Scalar:
        return s.Or(tuple(map(self._condition, _chain(tree))))

    def _on_not(self, tree: "exp.Not") -> s.Scalar:
        return s.Not(self._condition(tree.this))

    def _on_is(self, tree: "exp.Is") -> s.Scalar:
        from sqlglot import exp

        if isinstance(tree.expression, exp.Null):
            found: s.Scalar = s.IsNull(self.translate(tree.this))
        elif isinstance(tree.expression, exp.Boolean):
            item = self._condition(tree.this)
            found = s.IsTrue(item if tree.expression.this else s.Not(item))
        else:
            raise self._refuse(tree, "IS is followed by NULL, TRUE or FALSE.")
        return self._negated(tree, found)

    def _compare(self, op: s.CompareOp, tree: "exp.Expression") -> s.Scalar:
        from sqlglot import exp

        if isinstance(tree.this, exp.Tuple):
            if op not in ("=", "<>"):
                raise self._refuse(tree, "Groups of attributes compare with = and <> only.")
            found = self._tuples_equal(tree.this, tree.expression)
            return found if op == "=" else s.Not(found)
        return self._fit(op, self.translate(tree.this), self.translate(tree.expression), tree)

    def _tuples_equal(self, left: "exp.Tuple", right: "exp.Expression") -> s.Scalar:
        if type(left) is not type(right) or len(left.expressions) != len(right.expressions):
            raise self._refuse(right, f"Write {len(left.expressions)} values in parentheses here.")
        pairs = zip(left.expressions, right.expressions, strict=True)
        return s.And(tuple(self._fit("=", self.translate(a), self.translate(b), b) for a, b in pairs))

    def _on_nullsafeeq(self, tree: "exp.Expression") -> s.Scalar:
        left, right = self.translate(tree.this), self.translate(tree.expression)
        if isinstance(left, s.Constant):
            left, right = right, left
        return same(left, right, lambda: self._fit("=", left, right, tree))

    def _on_nullsafeneq(self, tree: "exp.NullSafeNEQ") -> s.Scalar:
        return s.Not(self._on_nullsafeeq(tree))

    def _on_between(self, tree: "exp.Between") -> s.Scalar:
        item = self.translate(tree.this)
        low, high = (self.translate(tree.args[bound]) for bound in ("low", "high"))
        found = s.And((self._fit(">=", item, low, tree), self._fit("<=", item, high, tree)))
        return self._negated(tree, found)

    def _on_in(self, tree: "exp.In") -> s.Scalar:
        from sqlglot import exp

        if not tree.expressions:
            raise self._refuse(
                tree, "Write the values after IN; restrict by a list or a query with `&` instead."
            )
        if isinstance(tree.this, exp.Tuple):
            rows = tuple(self._tuples_equal(tree.this, option) for option in tree.expressions)
            return self._negated(tree, s.Or(rows))
        item = self.translate(tree.this)
        options = [self.translate(option) for option in tree.expressions]
        if all(isinstance(option, s.Constant) and option.value is not None for option in options):
            values = [option.value for option in options if isinstance(option, s.Constant)]
            found = self._placed(tree, lambda: in_list(item, values))
        else:
            found = s.Or(tuple(self._fit("=", item, option, tree) for option in options))
        return self._negated(tree, found)

    def _on_like(self, tree: "exp.Like") -> s.Scalar:
        return self._negated(tree, s.Like(self._text(tree.this), self._pattern(tree.expression)))

    def _on_ilike(self, tree: "exp.ILike") -> s.Scalar:
        found = s.Like(self._text(tree.this), self._pattern(tree.expression), ignore_case=True)
        return self._negated(tree, found)

    def _pattern(self, tree: "exp.Expression") -> s.Scalar:
        pattern = self._text(tree)
        if isinstance(pattern, s.Constant) and isinstance(pattern.value, str):
            ending = len(pattern.value) - len(pattern.value.rstrip("\\"))
            if ending % 2:
                raise self._refuse(tree, "The pattern ends in a backslash; write two for one that is meant.")
        return pattern

    def _on_regexplike(self, tree: "exp.RegexpLike") -> s.Scalar:
        return self._regular(tree, ignore_case=False)

    def _on_regexpilike(self, tree: "exp.RegexpILike") -> s.Scalar:
        return self._regular(tree, ignore_case=True)

    def _regular(self, tree: "exp.Expression", *, ignore_case: bool) -> s.Scalar:
        item, pattern = self._text(tree.this), self.translate(tree.expression)
        written = pattern.value if isinstance(pattern, s.Constant) else None
        likes = as_like(written) if isinstance(written, str) else None
        if likes is None:
            raise self._refuse(
                tree.expression,
                "Databases differ on this regular expression; texts with ^ $ . .* and | are read. "
                "Write LIKE, or filter with Polars.",
            )
        return s.Or(tuple(s.Like(item, s.Constant(like, s.TEXT), ignore_case=ignore_case) for like in likes))


def _chain(tree: "exp.Expression") -> "list[exp.Expression]":
    """The operands of `a AND b AND c`, however many: they nest to the left."""
    found = []
    kind = type(tree)
    while isinstance(tree, kind):
        found.append(tree.expression)
        tree = tree.this
    return [tree, *reversed(found)]
