"""Functions, by their syntax (`_on_`) or by their name (`_call_`)."""

from typing import TYPE_CHECKING, Any, Final

from djflow.planner import scalar as s
from djflow.planner.calls import call, canonical, known_functions, refusal_of
from djflow.planner.functions import FUNCTIONS
from djflow.planner.translate.values import Values

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlglot import exp

_PARTS: Final = frozenset({"year", "month", "day", "hour", "minute", "quarter"})


class Calls(Values):
    """Handlers of functions."""

    def _on_currentdate(self, tree: "exp.Expression") -> s.Scalar:
        return call("current_date", [], self._refusing(tree))

    def _on_currenttimestamp(self, tree: "exp.Expression") -> s.Scalar:
        return call("now", [], self._refusing(tree))

    _on_localtimestamp = _on_currenttimestamp

    def _on_extract(self, tree: "exp.Extract") -> s.Scalar:
        return self._extracted(tree.name, self.translate(tree.expression), tree)

    def _extracted(self, part: str, moment: s.Scalar, tree: "exp.Expression") -> s.Scalar:
        if part.lower() not in _PARTS:
            known = ", ".join(sorted(_PARTS))
            raise self._refuse(tree, f"EXTRACT takes {known}; second(x) gives whole seconds.")
        return call(part.lower(), [moment], self._refusing(tree))

    def _on_substring(self, tree: "exp.Substring") -> s.Scalar:
        parts = [tree.args[name] for name in ("this", "start", "length") if tree.args.get(name) is not None]
        if "start" not in tree.args or tree.args["start"] is None:
            raise self._refuse(tree, "Write substring(text, start, length).")
        return call("substring", list(map(self.translate, parts)), self._refusing(tree))

    def _on_anonymous(self, tree: "exp.Anonymous") -> s.Scalar:
        written = str(tree.this)
        kind = written.lower().partition(" ")[0]  # grammar.py puts a unit behind
        special: Callable[[Any], s.Scalar] | None = getattr(self, f"_call_{kind}", None)
        if special is not None and not tree.args.get("quoted"):
            return special(tree)
        name = canonical(written)
        if name not in known_functions() or tree.args.get("quoted"):
            raise self._refuse(tree, refusal_of(written))
        args = [self.translate(arg) for arg in self._arguments(tree)]
        return self._placed(tree, lambda: call(name, args, self._refusing(tree)))

    def _arguments(self, tree: "exp.Anonymous", *counts: int) -> "list[exp.Expression]":
        if counts and len(tree.expressions) not in counts:
            wanted = " or ".join(map(str, counts))
            plural = "" if counts == (1,) else "s"
            raise self._refuse(
                tree, f"{tree.this}() takes {wanted} argument{plural}, not {len(tree.expressions)}."
            )
        return list(tree.expressions)

    def _call_count(self, tree: "exp.Anonymous") -> s.Scalar:
        from sqlglot import exp

        if not tree.expressions:
            raise self._refuse(tree, "Write count(*) for the number of rows, count(x) for that of values.")
        (only,) = self._arguments(tree, 1)
        refuse = self._refusing(tree)
        if isinstance(only, exp.Star):
            return call("count", [], refuse)
        if isinstance(only, exp.Distinct):
            if len(only.expressions) != 1 or only.args.get("on"):
                raise refuse("COUNT(DISTINCT ...) takes one attribute.")
            return call("count_distinct", [self.translate(only.expressions[0])], refuse)
        return call("count", [self.translate(only)], refuse)

    def _call_if(self, tree: "exp.Anonymous") -> s.Scalar:
        when, then, otherwise = self._arguments(tree, 3)
        return self._case([self._condition(when)], [self.translate(then)], self.translate(otherwise), tree)

    def _call_isnull(self, tree: "exp.Anonymous") -> s.Scalar:
        (only,) = self._arguments(tree, 1)
        return s.IsNull(self.translate(only))

    def _call_mod(self, tree: "exp.Anonymous") -> s.Scalar:
        left, right = map(self.translate, self._arguments(tree, 2))
        return self._computed("%", left, right, tree)

    def _call_log(self, tree: "exp.Anonymous") -> s.Scalar:
        args = self._arguments(tree)
        if len(args) == 2 and args[0].name == "10":  # noqa: PLR2004 - base and number
            return call("log10", [self.translate(args[1])], self._refusing(tree))
        raise self._refuse(tree, refusal_of("log"))

    def _call_date_part(self, tree: "exp.Anonymous") -> s.Scalar:
        part, moment = self._arguments(tree, 2)
        return self._extracted(part.name, self.translate(moment), tree)

    def _call_date_trunc(self, tree: "exp.Anonymous") -> s.Scalar:
        unit, moment = self._arguments(tree, 2)
        name = f"date_trunc_{unit.name.lower()}"
        if name not in FUNCTIONS:
            raise self._refuse(tree, refusal_of("date_trunc"))
        return call(name, [self.translate(moment)], self._refusing(tree))

    def _call_timestampdiff(self, tree: "exp.Anonymous") -> s.Scalar:
        name = "_".join(str(tree.this).lower().split(" "))
        if name not in FUNCTIONS:
            raise self._refuse(tree, refusal_of("timestampdiff"))
        return call(name, list(map(self.translate, self._arguments(tree))), self._refusing(tree))

    def _call_date_add(self, tree: "exp.Anonymous") -> s.Scalar:
        return self._shifted("+", tree)

    def _call_date_sub(self, tree: "exp.Anonymous") -> s.Scalar:
        return self._shifted("-", tree)

    def _shifted(self, op: s.ArithmeticOp, tree: "exp.Anonymous") -> s.Scalar:
        from sqlglot import exp

        moment, interval = self._arguments(tree, 2)
        if not isinstance(interval, exp.Interval):
            raise self._refuse(tree, "Write DATE_ADD(x, INTERVAL 1 DAY).")
        return self._moved(moment, interval, op, tree)

    def _call_json_value(self, tree: "exp.Anonymous") -> s.Scalar:
        document, path = self._arguments(tree, 2)
        return self._json(self.translate(document), self._path(path.name, path), tree)

    def _call_json_unquote(self, tree: "exp.Anonymous") -> s.Scalar:
        (only,) = self._arguments(tree, 1)
        if only.name.lower() != "json_extract":
            raise self._refuse(tree, "Write JSON_VALUE(meta, '$.key').")
        return self._call_json_value(only)  # type: ignore[arg-type]
