"""A tree of sqlglot's becomes a scalar over one heading; what has no handler here is refused."""

import re
from typing import TYPE_CHECKING, Any, Final

from djflow.errors import QuerySyntaxError, UnknownAttributeError, did_you_mean
from djflow.model.table import Heading
from djflow.model.types import CoreType, StoredType
from djflow.planner import scalar as s
from djflow.planner.coerce import coerce, constant_type
from djflow.planner.functions import ALIKE, FUNCTIONS, common_type
from djflow.planner.operators import arithmetic_type, as_condition, compare, in_list

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlglot import exp

CLAUSES: Final = {"condition": "SELECT 1 WHERE ", "expression": "SELECT "}
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
# sqlglot's names of functions that it knows under another one than ours
_RENAMED: Final = {
    "stddev": "stddev",
    "stddevpop": "stddev_pop",
    "stddevsamp": "stddev_samp",
    "variance": "var_samp",
    "variancepop": "var_pop",
    "groupconcat": "group_concat",
    "currenttimestamp": "now",
    "currentdate": "current_date",
    "pow": "power",
    "logicaland": "bool_and",
    "logicalor": "bool_or",
    "ceiling": "ceil",
    "substr": "substring",
    "char_length": "length",
    "ifnull": "coalesce",
    "bytelength": "octet_length",
    "timestamp": "now",
}
_CASTS: Final[dict[str, StoredType]] = {
    "INT": CoreType("int32"),
    "BIGINT": s.INT64,
    "SMALLINT": CoreType("int16"),
    "DOUBLE": s.FLOAT64,
    "FLOAT": CoreType("float32"),
    "TEXT": s.TEXT,
    "VARCHAR": s.TEXT,
    "DATE": s.DATE,
    "TIMESTAMP": s.DATETIME,
    "BOOLEAN": s.BOOL,
}


# The parts of each kind of tree that its handler reads; what else is there is refused.
_OPERANDS: Final = frozenset({"this", "expression", "expressions"})
_READ: Final = {
    "is": frozenset({"this", "expression", "negate"}),
    "like": frozenset({"this", "expression", "negate"}),
    "ilike": frozenset({"this", "expression", "negate"}),
    "in": frozenset({"this", "expressions", "negate"}),
    "between": frozenset({"this", "low", "high", "negate"}),
    "column": frozenset({"this", "table"}),
    "literal": frozenset({"this", "is_string"}),
    "case": frozenset({"this", "ifs", "default"}),
    "if": frozenset({"this", "true", "false"}),
    "cast": frozenset({"this", "to"}),
}
# Notes of sqlglot to itself about dialects, without a meaning of their own.
_FLAGS: Final = frozenset(
    {"typed", "safe", "big_int", "coalesce", "only_json_types", "zero_based", "ignore_nulls"}
)


class Translator:
    """Turns a parsed tree into scalars over one heading."""

    def __init__(self, text: str, heading: Heading) -> None:
        self.text, self.heading = text, heading

    def translate(self, tree: "exp.Expression") -> s.Scalar:
        """The scalar of a tree. Raises `QuerySyntaxError` or `UnknownAttributeError`."""
        kind = type(tree).__name__.lower()
        self._refuse_unread(kind, tree)
        if kind in _COMPARE:
            return self._compare(_COMPARE[kind], tree.this, tree.expression)
        if kind in _ARITHMETIC:
            return self._arithmetic(_ARITHMETIC[kind], tree)
        handler: Callable[[Any], s.Scalar] | None = getattr(self, f"_on_{kind}", None)
        if handler is not None:
            return handler(tree)
        return self._function(kind, tree)

    def _refuse_unread(self, kind: str, tree: "exp.Expression") -> None:
        """Raise for a part of the tree that no handler below would look at: nothing is dropped silently."""
        given = {name for name, value in tree.args.items() if value not in (None, False, [])}
        unread = given - _READ.get(kind, _OPERANDS) - _FLAGS
        is_function = kind not in _READ and _is_function(tree)
        if is_function:
            unread = {name for name in unread if not _is_operand(tree.args[name])}
        if unread:
            raise self._refuse(tree, f"{', '.join(sorted(unread))} of {kind.upper()} is not supported here.")

    def _refuse(self, tree: "exp.Expression", reason: str) -> QuerySyntaxError:
        from sqlglot import exp

        starts = [node.meta["start"] for node in tree.find_all(exp.Identifier) if "start" in node.meta]
        position = None
        if starts:
            prefix = CLAUSES["condition"] if tree.find_ancestor(exp.Where) else CLAUSES["expression"]
            position = max(0, min(starts) - len(prefix))
        return QuerySyntaxError(reason, text=self.text, position=position)

    # names and constants

    def _on_column(self, tree: "exp.Column") -> s.Scalar:
        if tree.table:
            raise self._refuse(tree, "Write the attribute's name alone, without a table.")
        name = tree.name
        if name not in self.heading and not tree.this.args.get("quoted") and name.lower() in self.heading:
            name = name.lower()
        if name not in self.heading:
            raise UnknownAttributeError(name, self.heading.names, context=f"the expression {self.text!r}")
        return s.Column(name, self.heading[name].stored)

    def _on_literal(self, tree: "exp.Literal") -> s.Scalar:
        if tree.is_string:
            if self._is_double_quoted(tree.this):
                raise self._refuse(
                    tree,
                    f'"{tree.this}" could be the attribute or a text. '
                    f"Write `{tree.this}` for the attribute, '{tree.this}' for the text.",
                )
            return s.Constant(tree.this, s.TEXT)
        text = tree.this
        value = int(text) if re.fullmatch(r"\d+", text) else float(text)
        return s.Constant(value, constant_type(value))

    def _is_double_quoted(self, text: str) -> bool:
        return text in self.heading and f'"{text}"' in self.text and f"'{text}'" not in self.text

    def _on_boolean(self, tree: "exp.Boolean") -> s.Scalar:
        return s.TRUE if tree.this else s.FALSE

    def _on_null(self, _tree: "exp.Null") -> s.Scalar:
        return s.Constant(None, s.TEXT)

    def _on_paren(self, tree: "exp.Paren") -> s.Scalar:
        return self.translate(tree.this)

    # logic

    def _on_and(self, tree: "exp.And") -> s.Scalar:
        return s.And((self._condition(tree.this), self._condition(tree.expression)))

    def _on_or(self, tree: "exp.Or") -> s.Scalar:
        return s.Or((self._condition(tree.this), self._condition(tree.expression)))

    def _on_not(self, tree: "exp.Not") -> s.Scalar:
        return s.Not(self._condition(tree.this))

    def _condition(self, tree: "exp.Expression") -> s.Scalar:
        return as_condition(self.translate(tree), self.text)

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

    def _compare(self, op: s.CompareOp, left: "exp.Expression", right: "exp.Expression") -> s.Scalar:
        return self._fit(op, self.translate(left), self.translate(right))

    def _fit(self, op: s.CompareOp, left: s.Scalar, right: s.Scalar) -> s.Scalar:
        if isinstance(left, s.Constant) and not isinstance(right, s.Constant):
            return self._fit(_MIRROR[op], right, left)
        return compare(op, left, right, self.text)

    def _on_between(self, tree: "exp.Between") -> s.Scalar:
        low = self._compare(">=", tree.this, tree.args["low"])
        found = s.And((low, self._compare("<=", tree.this, tree.args["high"])))
        return self._negated(tree, found)

    def _on_in(self, tree: "exp.In") -> s.Scalar:
        if not tree.expressions:
            raise self._refuse(tree, "Write the values after IN; restrict by a query with `&` instead.")
        item = self.translate(tree.this)
        options = [self.translate(option) for option in tree.expressions]
        if all(isinstance(option, s.Constant) and option.value is not None for option in options):
            found = in_list(item, [option.value for option in options if isinstance(option, s.Constant)])
        else:
            found = s.Or(tuple(self._fit("=", item, option) for option in options))
        return self._negated(tree, found)

    def _on_like(self, tree: "exp.Like") -> s.Scalar:
        return self._negated(tree, s.Like(self._text(tree.this), self._text(tree.expression)))

    def _on_ilike(self, tree: "exp.ILike") -> s.Scalar:
        found = s.Like(self._text(tree.this), self._text(tree.expression), ignore_case=True)
        return self._negated(tree, found)

    def _negated(self, tree: "exp.Expression", found: s.Scalar) -> s.Scalar:
        return s.Not(found) if tree.args.get("negate") else found

    def _text(self, tree: "exp.Expression") -> s.Scalar:
        item = self.translate(tree)
        return item if s.is_text(s.type_of(item)) else s.Cast(item, s.TEXT)

    # values

    def _arithmetic(self, op: s.ArithmeticOp, tree: "exp.Expression") -> s.Scalar:
        left, right = self.translate(tree.this), self.translate(tree.expression)
        type_ = arithmetic_type(op, s.type_of(left), s.type_of(right))
        if type_ is None:
            raise self._refuse(tree, f"{s.type_of(left)} {op} {s.type_of(right)} has no meaning here.")
        return s.Arithmetic(op, left, right, type_)

    def _on_neg(self, tree: "exp.Neg") -> s.Scalar:
        item = self.translate(tree.this)
        if isinstance(item, s.Constant) and isinstance(item.value, int | float):
            return s.Constant(-item.value, item.type)
        type_ = arithmetic_type("-", s.INT64, s.type_of(item))
        if type_ is None:
            raise self._refuse(tree, f"-{s.type_of(item)} has no meaning here.")
        return s.Arithmetic("-", s.Constant(0, s.INT64), item, type_)

    def _on_dpipe(self, tree: "exp.DPipe") -> s.Scalar:
        return s.Call("||", (self._text(tree.this), self._text(tree.expression)), s.TEXT)

    def _on_case(self, tree: "exp.Case") -> s.Scalar:
        if tree.this is not None:
            raise self._refuse(tree, "Write CASE WHEN condition THEN value.")
        branches = [(branch.this, branch.args["true"]) for branch in tree.args["ifs"]]
        return self._case(branches, tree.args.get("default"), tree)

    def _on_if(self, tree: "exp.If") -> s.Scalar:
        return self._case([(tree.this, tree.args["true"])], tree.args.get("false"), tree)

    def _case(
        self,
        branches: "list[tuple[exp.Expression, exp.Expression]]",
        default: "exp.Expression | None",
        tree: "exp.Expression",
    ) -> s.Scalar:
        conditions = [self._condition(when) for when, _ in branches]
        values = [self.translate(then) for _, then in branches]
        if default is not None:
            values.append(self.translate(default))
        values = self._alike(values, tree)
        otherwise = None if default is None else values[-1]
        pairs = tuple(zip(conditions, values, strict=False))  # the default has no condition
        return s.Case(pairs, otherwise, common_type([s.type_of(value) for value in values]))

    def _alike(self, values: list[s.Scalar], tree: "exp.Expression") -> list[s.Scalar]:
        """Values of one family of types; constants take the type of what stands beside them."""
        present = [v for v in values if not (isinstance(v, s.Constant) and v.value is None)] or values
        typed = [v for v in present if not isinstance(v, s.Constant)] or present
        anchor = s.type_of(typed[0])
        if any(s.family(s.type_of(value)) != s.family(anchor) for value in typed):
            kinds = ", ".join(dict.fromkeys(str(s.type_of(value)) for value in typed))
            raise self._refuse(tree, f"The values are of different kinds: {kinds}. Convert them with CAST.")
        return [self._as_alike(value, anchor) if isinstance(value, s.Constant) else value for value in values]

    def _as_alike(self, value: s.Constant, anchor: StoredType) -> s.Constant:
        if value.value is not None and s.family(value.type) == s.family(anchor):
            return value
        return s.Constant(*coerce(value.value, anchor, self.text))

    def _on_cast(self, tree: "exp.Cast") -> s.Scalar:
        if type(tree.this).__name__ == "IntDiv":  # sqlglot wraps div() in a cast of its own
            return self._call("div", [tree.this.this, tree.this.expression], tree)
        target = _CASTS.get(str(tree.to.this.name if hasattr(tree.to.this, "name") else tree.to.this))
        if target is None:
            raise self._refuse(tree, f"No cast to {tree.to.sql()}; known: {', '.join(sorted(_CASTS))}.")
        return s.Cast(self.translate(tree.this), target)

    def _on_jsonextractscalar(self, tree: "exp.JSONExtractScalar") -> s.Scalar:
        from sqlglot import exp

        keys = [str(node.this) for node in tree.expression.find_all(exp.JSONPathKey, exp.JSONPathSubscript)]
        return s.JsonPath(self.translate(tree.this), tuple(keys))

    # functions

    def _on_count(self, tree: "exp.Count") -> s.Scalar:
        from sqlglot import exp

        if isinstance(tree.this, exp.Star):
            return s.Call("count", (), s.INT64)
        if isinstance(tree.this, exp.Distinct):
            (only,) = tree.this.expressions
            return s.Call("count_distinct", (self.translate(only),), s.INT64)
        return s.Call("count", (self.translate(tree.this),), s.INT64)

    def _function(self, kind: str, tree: "exp.Expression") -> s.Scalar:
        from sqlglot import exp

        if not isinstance(tree, exp.Func):
            raise self._refuse(tree, f"{type(tree).__name__} is not part of djflow's expressions.")
        anonymous = isinstance(tree, exp.Anonymous)
        written = str(tree.this).lower() if anonymous else tree.sql_name().lower()
        name = _RENAMED.get(written, _RENAMED.get(kind, written))
        args = list(tree.expressions) if anonymous else _arguments(tree)
        function = FUNCTIONS.get(name)
        if function is None:
            known = did_you_mean(name, sorted(FUNCTIONS))
            raise self._refuse(tree, f"Function {written!r} is not allowed in an expression.{known}")
        return self._call(name, args, tree)

    def _on_log(self, tree: "exp.Log") -> s.Scalar:
        if str(tree.this) != "10" or tree.expression is None:
            raise self._refuse(tree, "Write ln(x) or log10(x): log(x) has another base in each database.")
        return self._call("log10", [tree.expression], tree)  # as which sqlglot reads log(10, x)

    def _call(self, name: str, args: "list[exp.Expression]", tree: "exp.Expression") -> s.Scalar:
        function = FUNCTIONS[name]
        if not function.arity[0] <= len(args) <= function.arity[1]:
            raise self._refuse(tree, f"Function {name!r} does not take {len(args)} arguments.")
        translated = list(map(self.translate, args))
        if name in ALIKE:
            translated = self._alike(translated, tree)
        types = [s.type_of(arg) for arg in translated]
        if name in ("min", "max") and s.core_name(types[0]) == "json":
            raise self._refuse(tree, f"{name}() needs values with an order; JSON documents have none.")
        return s.Call(name, tuple(translated), function.result(types))


def _is_function(tree: "exp.Expression") -> bool:
    from sqlglot import exp

    return isinstance(tree, exp.Func)


def _is_operand(value: Any) -> bool:
    from sqlglot import exp

    return isinstance(value, exp.Expression) or (
        isinstance(value, list) and all(isinstance(item, exp.Expression) for item in value)
    )


def _arguments(tree: "exp.Expression") -> list["exp.Expression"]:
    from sqlglot import exp

    found: list[exp.Expression] = []
    for value in tree.args.values():
        if isinstance(value, exp.Expression):
            found.append(value)
        elif isinstance(value, list):
            found.extend(item for item in value if isinstance(item, exp.Expression))
    return found
