"""A tree of sqlglot's becomes a scalar over one heading; what has no handler here is refused."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from djflow.errors import DataTypeError, QuerySyntaxError, UnknownAttributeError
from djflow.model.table import Heading
from djflow.planner import scalar as s
from djflow.planner.calls import alike, as_text, call, canonical, common_of, known_functions, refusal_of
from djflow.planner.casts import cast
from djflow.planner.coerce import constant_type
from djflow.planner.functions import FUNCTIONS
from djflow.planner.grammar import place_of
from djflow.planner.moments import moved
from djflow.planner.operators import arithmetic_type, as_condition, compare, in_list, same
from djflow.planner.patterns import as_like
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
_SHOWN: Final = 60
_PARTS: Final = frozenset({"year", "month", "day", "hour", "minute", "quarter"})
_JSON_PATH: Final = re.compile(r"\$((?:\.\w+|\[\d+\])*)")


class Translator:
    """Turns a parsed tree into scalars over one heading."""

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

    # names and constants

    def _on_column(self, tree: "exp.Column") -> s.Scalar:
        if tree.table:
            raise self._refuse(tree, "Write the attribute's name alone, without a table.")
        name = tree.name
        if name not in self.heading and not tree.this.args.get("quoted") and name.lower() in self.heading:
            name = name.lower()
        if name not in self.heading:
            raise self._unknown(name, place_of(tree))
        return s.Column(name, self.heading[name].stored)

    def _unknown(self, name: str, place: int | None) -> UnknownAttributeError:
        shown = repr(name) if len(name) < _SHOWN else "'...'"
        hint = f"A text stands in single quotes: {shown}."
        if self.text.strip('`" ') == name and self.heading.names:
            hint = f"For a value, restrict by a dict: {{{self.heading.names[0]!r}: {shown}}}."
        return UnknownAttributeError(name, self.heading.names, text=self.text, position=place, hint=hint)

    def _on_literal(self, tree: "exp.Literal") -> s.Scalar:
        if tree.is_string:
            place = place_of(tree)
            if tree.this in self.heading and place is not None and self.text[place] == '"':
                raise self._refuse(
                    tree,
                    f'"{tree.this}" could be the attribute or a text. '
                    f"Write `{tree.this}` for the attribute, '{tree.this}' for the text.",
                )
            return s.Constant(tree.this, s.TEXT)
        value = int(tree.this) if tree.this.isdecimal() else float(tree.this)
        return s.Constant(value, constant_type(value))

    def _on_boolean(self, tree: "exp.Boolean") -> s.Scalar:
        return s.TRUE if tree.this else s.FALSE

    def _on_null(self, _tree: "exp.Null") -> s.Scalar:
        return s.Constant(None, s.TEXT)

    def _on_paren(self, tree: "exp.Paren") -> s.Scalar:
        return self.translate(tree.this)

    # logic

    def _on_and(self, tree: "exp.And") -> s.Scalar:
        return s.And(tuple(map(self._condition, _chain(tree))))

    def _on_or(self, tree: "exp.Or") -> s.Scalar:
        return s.Or(tuple(map(self._condition, _chain(tree))))

    def _on_not(self, tree: "exp.Not") -> s.Scalar:
        return s.Not(self._condition(tree.this))

    def _condition(self, tree: "exp.Expression") -> s.Scalar:
        return as_condition(self.translate(tree), self._refusing(tree))

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

    def _negated(self, tree: "exp.Expression", found: s.Scalar) -> s.Scalar:
        return s.Not(found) if tree.args.get("negate") else found

    def _text(self, tree: "exp.Expression") -> s.Scalar:
        return as_text(self.translate(tree), self._refusing(tree))

    # values

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

    # functions

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


def _chain(tree: "exp.Expression") -> "list[exp.Expression]":
    """The operands of `a AND b AND c`, however many: they nest to the left."""
    found = []
    kind = type(tree)
    while isinstance(tree, kind):
        found.append(tree.expression)
        tree = tree.this
    return [tree, *reversed(found)]


def _hint(op: s.ArithmeticOp, *sides: s.Scalar) -> str:
    families = [s.family(s.type_of(side)) for side in sides]
    if families == ["time", "time"]:
        return " Write TIMESTAMPDIFF(SECOND, x, y)."
    return " Join texts with || or concat(a, b)." if op == "+" and "text" in families else ""
