"""Arithmetic, texts, CASE, casts and paths in documents."""

import re
from typing import TYPE_CHECKING, Final

from djflow.planner import scalar as s
from djflow.planner.calls import alike, as_text, call, common_of
from djflow.planner.casts import cast
from djflow.planner.coerce import constant_type
from djflow.planner.moments import moved
from djflow.planner.operators import arithmetic_type
from djflow.planner.translate.base import Base

if TYPE_CHECKING:
    from sqlglot import exp

_JSON_PATH: Final = re.compile(r"\$((?:\.\w+|\[\d+\])*)")


class Values(Base):
    """Handlers of what has a value."""

    def _arithmetic(self, op: s.ArithmeticOp, tree: "exp.Expression") -> s.Scalar:
        from sqlglot import exp

        if isinstance(tree.expression, exp.Interval) and op in ("+", "-"):
            return self._moved(tree.this, tree.expression, op, tree)
        if isinstance(tree.this, exp.Interval) and op == "+":
            return self._moved(tree.expression, tree.this, op, tree)
        return self._computed(op, self.translate(tree.this), self.translate(tree.expression), tree)

    def _computed(
        self, op: s.ArithmeticOp, left: s.Scalar, right: s.Scalar, tree: "exp.Expression"
    ) -> s.Scalar:
        type_ = arithmetic_type(op, s.type_of(left), s.type_of(right))
        if type_ is None:
            hint = _hint(op, left, right)
            raise self._refuse(tree, f"{s.type_of(left)} {op} {s.type_of(right)} has no meaning here.{hint}")
        return s.Arithmetic(op, left, right, type_)

    def _moved(
        self, moment: "exp.Expression", interval: "exp.Expression", op: s.ArithmeticOp, tree: "exp.Expression"
    ) -> s.Scalar:
        self._refuse_unread("interval", interval)
        unit = interval.args.get("unit")
        count = interval.this.this if type(interval.this).__name__ == "Literal" else None
        return moved(self.translate(moment), op, count, unit.name if unit else "", self._refusing(tree))

    def _on_neg(self, tree: "exp.Neg") -> s.Scalar:
        item = self.translate(tree.this)
        if isinstance(item, s.Constant) and isinstance(item.value, int | float):
            return s.Constant(-item.value, constant_type(-item.value))
        type_ = arithmetic_type("-", s.INT64, s.type_of(item))
        if type_ is None:
            raise self._refuse(tree, f"-{s.type_of(item)} has no meaning here.")
        return s.Arithmetic("-", s.Constant(0, s.INT64), item, type_)

    def _on_intdiv(self, tree: "exp.Expression") -> s.Scalar:
        return call("div", [self.translate(tree.this), self.translate(tree.expression)], self._refusing(tree))

    def _on_dpipe(self, tree: "exp.DPipe") -> s.Scalar:
        sides = [self.translate(side) for side in (tree.this, tree.expression)]
        if any(s.type_of(side) == s.BOOL for side in sides):
            raise self._refuse(tree, "|| joins two texts; write OR between conditions.")
        refuse = self._refusing(tree)
        return s.Call("||", tuple(as_text(side, refuse) for side in sides), s.TEXT)

    def _on_case(self, tree: "exp.Case") -> s.Scalar:
        default = tree.args.get("default")
        otherwise = None if default is None else self.translate(default)
        if tree.this is None:
            whens = [self._condition(branch.this) for branch in tree.args["ifs"]]
        else:
            item = self.translate(tree.this)
            whens = [self._fit("=", item, self.translate(branch.this), branch) for branch in tree.args["ifs"]]
        return self._case(whens, [self.translate(b.args["true"]) for b in tree.args["ifs"]], otherwise, tree)

    def _case(
        self,
        whens: list[s.Scalar],
        values: list[s.Scalar],
        otherwise: s.Scalar | None,
        tree: "exp.Expression",
    ) -> s.Scalar:
        every = alike([*values, *([] if otherwise is None else [otherwise])], self._refusing(tree))
        pairs = tuple(zip(whens, every, strict=False))  # the default has no condition
        return s.Case(pairs, None if otherwise is None else every[-1], common_of(every))

    def _on_cast(self, tree: "exp.Cast") -> s.Scalar:
        item = self.translate(tree.this)
        return self._placed(tree, lambda: cast(item, tree.to, self._refusing(tree)))

    def _on_jsonextractscalar(self, tree: "exp.JSONExtractScalar") -> s.Scalar:
        document, keys = tree.this, [self._keys(tree)]
        while type(document).__name__ == "JSONExtract":
            keys.append(self._keys(document))
            document = document.this
        return self._json(self.translate(document), tuple(k for part in reversed(keys) for k in part), tree)

    def _on_jsonextract(self, tree: "exp.JSONExtract") -> s.Scalar:
        raise self._refuse(tree, "Write ->> for the value: -> gives a JSON document.")

    def _keys(self, tree: "exp.Expression") -> tuple[str, ...]:
        from sqlglot import exp

        found = [str(node.this) for node in tree.expression.find_all(exp.JSONPathKey, exp.JSONPathSubscript)]
        literal = tree.expression
        written = found or ([literal.this] if isinstance(literal, exp.Literal) else [])
        if len(written) != 1:
            raise self._refuse(tree, "Write one key after ->> as a text, or meta->'a'->>'b' for a path.")
        return self._path(written[0], tree) if written[0].startswith("$.") else (written[0],)

    def _path(self, written: str, tree: "exp.Expression") -> tuple[str, ...]:
        match = _JSON_PATH.fullmatch(written)
        if match is None:
            raise self._refuse(tree, "Write a path of names and numbers, as in '$.a.b[0]'.")
        return tuple(re.findall(r"\w+", match[1]))

    def _json(self, document: s.Scalar, path: tuple[str, ...], tree: "exp.Expression") -> s.Scalar:
        if s.core_name(s.type_of(document)) != "json":
            raise self._refuse(tree, f"{s.show(document)} is {s.type_of(document)}, not a JSON document.")
        return s.JsonPath(document, path)


def _hint(op: s.ArithmeticOp, *sides: s.Scalar) -> str:
    families = [s.family(s.type_of(side)) for side in sides]
    if families == ["time", "time"]:
        return " Write TIMESTAMPDIFF(SECOND, x, y)."
    return " Join texts with || or concat(a, b)." if op == "+" and "text" in families else ""
