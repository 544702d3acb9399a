"""Users' strings become scalars: one parser for conditions and computed attributes.

Both dialects that old pipelines mix are read: backticks and double-quoted strings from MySQL,
casts and operators from PostgreSQL. What is not one expression over known attributes and
allowed functions is refused with its position; nothing of the text itself reaches the server.
"""

import re
from dataclasses import replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from djflow.errors import QuerySyntaxError, UnknownAttributeError, did_you_mean
from djflow.model.table import Heading
from djflow.model.types import CoreType, StoredType
from djflow.planner import scalar as s
from djflow.planner.coerce import coerce, constant_type
from djflow.planner.functions import ALIKE, FUNCTIONS, common_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlglot import exp

_CLAUSES: Final = {"condition": "SELECT 1 WHERE ", "expression": "SELECT "}
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


def parse_condition(text: str, heading: Heading) -> s.Scalar:
    """The boolean scalar of a restriction string.

    >>> from djflow.model.table import Attribute
    >>> heading = Heading((Attribute("n", s.INT64, s.INT64),))
    >>> s.show(parse_condition("`n` BETWEEN 1 AND 5", heading))
    'n >= 1 AND n <= 5'

    Raises `QuerySyntaxError` for anything but one boolean expression, `UnknownAttributeError` for
    unknown names.
    """
    scalar = _Translator(text, heading).translate(_parse(text, "condition"))
    return as_condition(scalar, text)


def as_condition(scalar: s.Scalar, text: str) -> s.Scalar:
    """A scalar used as a condition; a number counts as true when it is not zero, as in MySQL."""
    type_ = s.type_of(scalar)
    if type_ == s.BOOL or str(type_) == "boolean":
        return scalar
    if isinstance(scalar, s.Constant) and scalar.value in (0, 1):
        return s.TRUE if scalar.value else s.FALSE
    if isinstance(scalar, s.Column) and s.is_numeric(type_):
        return s.Compare("<>", scalar, s.Constant(0, s.INT64))
    raise QuerySyntaxError(f"A condition must be true or false, but this is {type_}.", text=text)


def parse_expression(text: str, heading: Heading) -> s.Scalar:
    """The scalar of a computed attribute or a summary."""
    return _Translator(text, heading).translate(_parse(text, "expression"))


@cache
def _dialect() -> type[Any]:
    from sqlglot.dialects.postgres import Postgres

    class UserText(Postgres):
        class Tokenizer(Postgres.Tokenizer):
            QUOTES = ["'", '"']  # noqa: RUF012 - sqlglot reads class attributes
            IDENTIFIERS = ["`"]  # noqa: RUF012 - sqlglot reads class attributes

    return UserText


@lru_cache(maxsize=1024)
def _parse(text: str, clause: str) -> "exp.Expression":
    import sqlglot
    from sqlglot import errors, exp

    prefix = _CLAUSES[clause]
    _refuse_comments(text)
    try:
        statements = sqlglot.parse(prefix + text, dialect=_dialect())
    except errors.ParseError as error:
        at = (error.errors[0].get("col") or 0) if error.errors else 0
        raise QuerySyntaxError(
            f"Cannot read this {clause}.", text=text, position=max(0, at - len(prefix) - 1)
        ) from error
    except errors.TokenError as error:
        raise QuerySyntaxError(f"Cannot read this {clause}: is a quote left open?", text=text) from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        raise QuerySyntaxError(f"Write one {clause}, without a semicolon.", text=text)
    select = statements[0]
    present = {name for name, value in select.args.items() if value}
    wanted = {"expressions", "where"} if clause == "condition" else {"expressions"}
    if present != wanted or len(select.expressions) != 1:
        raise QuerySyntaxError(f"Write one {clause}; other clauses of SQL do not belong here.", text=text)
    found: exp.Expression = select.args["where"].this if clause == "condition" else select.expressions[0]
    return found


_COMMENT: Final = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|`[^`]*`|(--|/\*|\x00)""")


def _refuse_comments(text: str) -> None:
    for match in _COMMENT.finditer(text):
        if match.group(1):
            raise QuerySyntaxError(
                "Comments do not belong in a condition.", text=text, position=match.start()
            )


class _Translator:
    """Turns a parsed tree into scalars over one heading."""

    def __init__(self, text: str, heading: Heading) -> None:
        self.text, self.heading = text, heading

    def translate(self, tree: "exp.Expression") -> s.Scalar:
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
            prefix = _CLAUSES["condition"] if tree.find_ancestor(exp.Where) else _CLAUSES["expression"]
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


def compare(op: s.CompareOp, left: s.Scalar, right: s.Scalar, text: str = "") -> s.Scalar:
    """A comparison whose constant has been made to fit the other side."""
    if isinstance(right, s.Constant):
        if isinstance(left, s.JsonPath) and isinstance(right.value, int | float):
            left = replace(left, type=s.FLOAT64)
        if right.value is None:
            return s.Compare(op, left, s.Constant(None, s.type_of(left)))
        value, type_ = coerce(right.value, s.type_of(left), s.show(left))
        return s.Compare(op, left, s.Constant(value, type_))
    if s.family(s.type_of(left)) != s.family(s.type_of(right)):
        raise QuerySyntaxError(
            f"Cannot compare {s.show(left)} ({s.type_of(left)}) with {s.show(right)} ({s.type_of(right)}).",
            text=text,
        )
    return s.Compare(op, left, right)


def in_list(item: s.Scalar, values: list[Any]) -> s.Scalar:
    """`item IN (values)`; values of several types become several lists."""
    by_type: dict[StoredType, list[Any]] = {}
    for value in values:
        coerced, type_ = coerce(value, s.type_of(item), s.show(item))
        by_type.setdefault(type_, []).append(coerced)
    lists = tuple(s.InList(item, tuple(dict.fromkeys(found)), type_) for type_, found in by_type.items())
    return lists[0] if len(lists) == 1 else s.Or(lists)


def arithmetic_type(op: s.ArithmeticOp, left: StoredType, right: StoredType) -> StoredType | None:
    """The type of an arithmetic result, or None where it has no meaning."""
    if not (s.is_numeric(left) and s.is_numeric(right)):
        return _time_arithmetic(op, left, right)
    if op == "/":
        return s.FLOAT64
    if s.is_integer(left) and s.is_integer(right):
        return s.INT64
    scales = [_scale(left), _scale(right)]
    if None in scales:
        return s.FLOAT64
    digits = [scale or 0 for scale in scales]
    return CoreType("decimal", (38, sum(digits) if op == "*" else max(digits)))


def _scale(type_: StoredType) -> int | None:
    match type_:
        case CoreType("decimal", (_, scale)):
            return scale
        case _:
            return 0 if s.is_integer(type_) else None


def _time_arithmetic(op: s.ArithmeticOp, left: StoredType, right: StoredType) -> StoredType | None:
    match op, s.core_name(left), s.core_name(right):
        case "-", "date", "date":
            return s.INT64
        case "+" | "-", "date", _ if s.is_integer(right):
            return s.DATE
        case _:
            return None


def refuse_aggregates(scalar: s.Scalar, text: str) -> None:
    """Raise for a summary function where rows are computed one by one."""
    for node in s.walk(scalar):
        if isinstance(node, s.Call) and FUNCTIONS[node.function].is_aggregate:
            raise QuerySyntaxError(f"{node.function}() summarises rows: use it in .aggr().", text=text)


__all__ = [
    "arithmetic_type",
    "as_condition",
    "compare",
    "in_list",
    "parse_condition",
    "parse_expression",
    "refuse_aggregates",
]
