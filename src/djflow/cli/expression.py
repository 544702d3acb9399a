"""Queries as text: `Session & 'duration > 60'` becomes a query. It is parsed, and never run as Python."""

import ast
import operator
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from djflow.errors import DjflowError, QuerySyntaxError
from djflow.errors.text import pointed

Lookup: TypeAlias = Callable[[str], Any]

_LONGEST: Final = 100_000
_DEEPEST: Final = 60
_OPERATORS: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.BitAnd: operator.and_,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Add: operator.add,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}
_ALLOWED: Final = (ast.Name, ast.Attribute, ast.Call, ast.keyword, ast.List, ast.Tuple, ast.Dict)
_METHODS: Final = ("proj", "aggr", "extend", "join", "union", "restrict", "restrict_by")
_MADE: Final = ("Top", "U", "Not", "AndList")
_GRAMMAR: Final = (
    "tables, texts, numbers, dicts and lists, & - * + << >>, the methods "
    f"{', '.join(_METHODS)}, and {', '.join(_MADE)}"
)
_INSTEAD: Final[Mapping[type[ast.AST], str]] = {
    ast.Compare: "A condition is a text: write it in quotes, as in Session & 'duration > 60'.",
    ast.BoolOp: "Write A & 'x > 1' & 'y > 1', or one text: A & 'x > 1 and y > 1'.",
    ast.BitOr: "Any of several conditions is a list: A & ['x > 1', 'y > 1'].",
    ast.Not: "Write A - condition, or A & Not(condition).",
    ast.Subscript: "Write lab.Session for a table, and Top(10) for the first rows.",
    ast.JoinedStr: "Write the values into the text.",
}


def parsed(text: str, lookup: Lookup) -> Any:
    """What an expression means, where `lookup` gives the table of a name, dotted as it was typed.

    Raises `QuerySyntaxError`, which points at the place, for what is no such expression, and whatever
    `lookup` and the operators raise.

    >>> parsed("Top(3, 'duration DESC')", str)
    Top(limit=3, order_by='duration DESC', offset=0)
    """
    if len(text) > _LONGEST:
        raise QuerySyntaxError(f"The expression is longer than {_LONGEST} characters.")
    source = text.strip()
    tree = _tree(source)
    _check(tree, source)
    return _Reader(source, lookup).value(tree, 0)


def _tree(source: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python, about texts that are not its own
            return ast.parse(source, mode="eval").body
    except SyntaxError as error:
        position = _position(source, error.lineno or 1, max((error.offset or 1) - 1, 0))
        raise QuerySyntaxError(f"This is no query: {error.msg}.", text=source, position=position) from None
    except (ValueError, RecursionError, MemoryError):
        raise QuerySyntaxError("This is no query, or one that is too deeply nested.") from None


def _check(tree: ast.expr, source: str) -> None:
    """Refuse what is not on the list of what may stand in an expression: the first of it, in the text."""
    refused = [(_place_of(node, source), _advice(node)) for node in _parts(tree) if not _is_allowed(node)]
    if refused:
        position, message = min(refused, key=operator.itemgetter(0))
        raise QuerySyntaxError(message, text=source, position=position)


def _parts(tree: ast.expr) -> Iterator[ast.expr]:
    """The expression and all expressions in it. What else there is, these tell."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.expr))


class _Reader:
    """Walks the tree of one expression and builds what it means."""

    def __init__(self, source: str, lookup: Lookup) -> None:
        self._source, self._lookup = source, lookup

    def value(self, node: ast.expr, depth: int) -> Any:
        """What a part of the expression means."""
        if depth > _DEEPEST:
            raise self._refused(node, f"Expressions nest up to {_DEEPEST} times.")
        below = depth + 1
        match node:
            case ast.Constant(constant):
                return constant
            case ast.BinOp():
                return self._combined(node, below)
            case ast.Call():
                return self._called(node, below)
            case ast.UnaryOp(_, operand):
                return -self.value(operand, below)
            case ast.List(items):
                return [self.value(item, below) for item in items]
            case ast.Tuple(items):
                return tuple(self.value(item, below) for item in items)
            case ast.Dict(keys, values):
                names = [self._name(key, node) for key in keys]
                return dict(zip(names, [self.value(value, below) for value in values], strict=True))
            case _:
                return self._table(node)

    def _name(self, node: ast.expr | None, whole: ast.expr) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        raise self._refused(node or whole, "The keys of a dict are names of attributes in quotes.")

    def _combined(self, node: ast.BinOp, depth: int) -> Any:
        left, right = self.value(node.left, depth), self.value(node.right, depth)
        if not _has_methods(left):
            raise self._refused(node, "On the left there must be a table or a query.")
        try:
            return _OPERATORS[type(node.op)](left, right)
        except TypeError as error:
            if isinstance(error, DjflowError):
                raise
            raise self._refused(node, f"These do not go together ({error}).") from None

    def _called(self, node: ast.Call, depth: int) -> Any:
        function = self._function(node.func, depth)
        arguments = [self.value(argument, depth) for argument in node.args]
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise self._refused(keyword.value, "Name each argument: `**` is not allowed.")
            named[keyword.arg] = self.value(keyword.value, depth)
        try:
            return function(*arguments, **named)
        except TypeError as error:
            if isinstance(error, DjflowError):
                raise
            raise self._refused(node, f"These are not its arguments: {error}.") from None

    def _function(self, node: ast.expr, depth: int) -> Callable[..., Any]:
        match node:
            case ast.Name(name) | ast.Attribute(ast.Name("dj"), name) if name in _MADE:
                return _maker(name)
            case ast.Attribute(owner, name) if name in _METHODS:
                value = self.value(owner, depth)
                method = getattr(value, name, None) if _has_methods(value) else None
                if method is None:
                    raise self._refused(owner, f"What stands before .{name} is neither a table nor a query.")
                return method  # type: ignore[no-any-return]
            case _:
                raise self._refused(node, f"This cannot be called. Allowed are {_GRAMMAR}.")

    def _table(self, node: ast.expr) -> Any:
        name = _dotted(node)
        if name is None:
            raise self._refused(node, f"This is not one of its methods. Allowed are {_GRAMMAR}.")
        try:
            return self._lookup(name)
        except DjflowError as error:
            error.add_note(pointed(self._source, _place_of(node, self._source)).removeprefix("\n  "))
            raise

    def _refused(self, node: ast.expr, message: str) -> QuerySyntaxError:
        return QuerySyntaxError(message, text=self._source, position=_place_of(node, self._source))


def _place_of(node: ast.AST, source: str) -> int:
    """Where a node shows itself: an operation at its operator, anything else at its beginning."""
    match node:
        case ast.BinOp(left, _, right) | ast.Compare(left, _, [right, *_]) | ast.BoolOp(_, [left, right, *_]):
            end = _position(source, left.end_lineno or 1, left.end_col_offset or 0, is_bytes=True)
            between = source[end : _place_of_beginning(right, source)]
            return end + len(between) - len(between.lstrip(" )\t\n"))
        case _:
            return _place_of_beginning(node, source)


def _place_of_beginning(node: Any, source: str) -> int:
    return _position(source, getattr(node, "lineno", 1), getattr(node, "col_offset", 0), is_bytes=True)


def _position(source: str, line: int, column: int, *, is_bytes: bool = False) -> int:
    """Where a line and column of Python's parser are in the text; it counts bytes in nodes."""
    lines = source.splitlines(keepends=True) or [""]
    line = min(line, len(lines))
    if is_bytes:
        column = len(lines[line - 1].encode()[:column].decode(errors="ignore"))
    return sum(map(len, lines[: line - 1])) + min(column, len(lines[line - 1]))


def _is_allowed(node: ast.AST) -> bool:
    match node:
        case ast.BinOp(_, kind, _):
            return type(kind) in _OPERATORS
        case ast.UnaryOp(ast.USub(), ast.Constant(value)):
            return type(value) in {int, float}
        case ast.Constant(value):
            return value is None or value is ... or type(value) in {str, bool, int, float}
        case _:
            return isinstance(node, _ALLOWED)


def _advice(node: ast.AST) -> str:
    kind = type(node.op) if isinstance(node, ast.UnaryOp | ast.BinOp) else type(node)
    return _INSTEAD.get(kind, f"This has no place here. Allowed are {_GRAMMAR}.")


def _dotted(node: ast.expr) -> str | None:
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(owner, name):
            before = _dotted(owner)
            return None if before is None else f"{before}.{name}"
        case _:
            return None


def _maker(name: str) -> Callable[..., Any]:
    from djflow.relation import conditions, universal

    return getattr(universal if name == "U" else conditions, name)  # type: ignore[no-any-return]


def _has_methods(value: object) -> bool:
    from djflow.relation.relation import Relation
    from djflow.relation.universal import U

    return isinstance(value, Relation | U)
