"""Users' text becomes a tree: its tokens are judged one by one, then sqlglot parses one expression.

Both dialects that old pipelines mix are read. Texts and numbers are taken from the source by
rules of our own, and every function keeps the name and the arguments as written.
"""

import re
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Final

from djflow.errors import QuerySyntaxError
from djflow.planner.unreadable import unreadable

if TYPE_CHECKING:
    from sqlglot import Token, exp

_MAX_LENGTH: Final = 1_000_000
_MAX_DEPTH: Final = 24
_MAX_DIGITS: Final = 300
_WORD: Final = re.compile(r"[^\W\d]\w*(\s+\w+)*")
_NUMBER: Final = re.compile(r"(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_HEX: Final = re.compile(r"0x[0-9a-f]+", re.ASCII | re.IGNORECASE)
_INTERVAL: Final = re.compile(r"-?\d{1,12}( [a-z]+)?", re.ASCII | re.IGNORECASE)
_NAME_START: Final = re.compile(r"\w")
_SYMBOLS: Final = frozenset(
    [
        "(",
        ")",
        ",",
        ".",
        "+",
        "-",
        "*",
        "/",
        "%",
        "=",
        "==",
        "<>",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "<=>",
        "||",
        "&&",
        "~",
        "!~",
        "~*",
        "!~*",
        "->",
        "->>",
        "::",
    ]
)
_REFUSED: Final = {
    "select": "Subqueries do not belong here: restrict by a query with `&` instead.",
    "!": "Write NOT (...) for the opposite: what `!` applies to differs between databases.",
    "^": "Write power(x, y): `^` means other things in other databases.",
    "xor": "Write (a) <> (b): XOR is not part of djflow's expressions.",
    ";": "Write one expression, without a semicolon.",
    "?": "There are no parameters in a text: write the value, or restrict by a dict.",
    "$": "There are no parameters in a text: write the value, or restrict by a dict.",
    ":": "There are no parameters in a text: write the value, or restrict by a dict.",
    "#>>": "Write meta->'a'->>'b' for a path in a JSON document.",
    "[": "Write x IN (1, 2) for a list: arrays are not part of djflow's expressions.",
}


@lru_cache(maxsize=1024)
def parse_tree(text: str) -> "exp.Expression":
    """The tree of one expression, whose nodes carry their place in the text: see `place_of`.

    Raises `QuerySyntaxError` for anything else.
    """
    try:
        return _parsed(text, _judged(text))
    except RecursionError:
        raise QuerySyntaxError("The expression is nested too deeply.", text=text) from None


def place_of(tree: "exp.Expression") -> int | None:
    """Where in the text a tree begins."""
    places = [node.meta["place"] for node in tree.walk() if "place" in node.meta]
    return min(places, default=None)


@cache
def _dialect() -> type[Any]:
    from sqlglot import TokenType
    from sqlglot.dialects.postgres import Postgres
    from sqlglot.errors import ParseError

    base: Any = Postgres.Parser

    class UserText(Postgres):
        class Tokenizer(Postgres.Tokenizer):
            QUOTES = ["'", '"']  # noqa: RUF012 - sqlglot reads class attributes
            IDENTIFIERS = ["`"]  # noqa: RUF012
            COMMANDS: ClassVar[set[TokenType]] = set()  # they would swallow the rest of the text

        class Parser(base):  # type: ignore[misc, unused-ignore]
            # Functions keep their names and arguments: sqlglot's own readings differ between its versions.
            FUNCTIONS: dict[str, Any] = {}  # noqa: RUF012
            LAMBDAS: dict[TokenType, Any] = {}  # noqa: RUF012
            FUNCTION_PARSERS = {  # noqa: RUF012
                name: base.FUNCTION_PARSERS[name] for name in ("CAST", "EXTRACT", "SUBSTRING")
            }
            NO_PAREN_FUNCTION_PARSERS = {"CASE": base.NO_PAREN_FUNCTION_PARSERS["CASE"]}  # noqa: RUF012
            NO_PAREN_FUNCTIONS = {  # noqa: RUF012
                token: base.NO_PAREN_FUNCTIONS[token]
                for token in (TokenType.CURRENT_DATE, TokenType.CURRENT_TIMESTAMP, TokenType.LOCALTIMESTAMP)
            }

            def _parse_unary(self) -> Any:
                start = self._curr.start if self._curr else None
                tree = super()._parse_unary()
                if tree is not None and start is not None:
                    tree.meta.setdefault("place", start)
                return tree

            def raise_error(self, message: str, token: "Token | None" = None) -> None:
                place = token or self._curr or self._prev
                raise ParseError(message, errors=[{"place": place.start if place else None}])

        def to_json_path(self, path: Any) -> Any:
            return path

    return UserText


# tokens


def _judged(text: str) -> list["Token"]:
    """The tokens of a text, without those that no expression has."""
    if len(text) > _MAX_LENGTH:
        raise QuerySyntaxError(
            f"The expression has {len(text)} characters; restrict by a list or a frame instead.",
            text=text,
            position=_MAX_LENGTH,
        )
    for position, character in enumerate(text) if not text.isascii() or "\0" in text else ():
        if character == "\0" or "\ud800" <= character <= "\udfff":
            raise QuerySyntaxError("No text of PostgreSQL's can hold this.", text=text, position=position)
    tokens = _tokens(text)
    if not tokens:
        raise QuerySyntaxError("The expression is empty.", text=text)
    _refuse_gaps(text, tokens)
    _refuse_depth(text, tokens)
    return _rewritten(text, _joined(text, [_read(text, token) for token in tokens]))


def _tokens(text: str) -> list["Token"]:
    from sqlglot.errors import TokenError

    try:
        tokens: list[Token] = _dialect()().tokenize(text)
    except TokenError as error:
        raise QuerySyntaxError(
            "Is a quote left open? A quote inside a text is doubled, as in 'it''s'.",
            text=text,
            position=_open_quote(text),
        ) from error
    return tokens


def _open_quote(text: str) -> int | None:
    start, quote = None, ""
    for position, character in enumerate(text):
        if start is None and character in "'\"`":
            start, quote = position, character
        elif start is not None and character == quote:
            start = None
    return start


def _refuse_gaps(text: str, tokens: list["Token"]) -> None:
    """Raise for a comment: whatever is not a token must be blank."""
    ends = [0, *(token.end + 1 for token in tokens)]
    starts = [*(token.start for token in tokens), len(text)]
    for end, start in zip(ends, starts, strict=True):
        gap = text[end:start]
        if gap.strip():
            position = end + len(gap) - len(gap.lstrip())
            raise QuerySyntaxError("Comments do not belong here.", text=text, position=position)


def _refuse_depth(text: str, tokens: list["Token"]) -> None:
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth > _MAX_DEPTH:
            raise QuerySyntaxError("The expression is nested too deeply.", text=text, position=token.start)


def _read(text: str, token: "Token") -> "Token":
    """A token with its value as djflow reads it."""
    from sqlglot import TokenType

    source = text[token.start : token.end + 1]
    reason = _REFUSED.get(source.lower())
    if reason and not text.startswith("!~", token.start):
        raise QuerySyntaxError(reason, text=text, position=token.start)
    match token.token_type:
        case TokenType.STRING if source[0] in "'\"":
            return _at(token, TokenType.STRING, source[1:-1].replace(source[0] * 2, source[0]))
        case TokenType.IDENTIFIER:
            return token
        case TokenType.HEX_STRING if _HEX.fullmatch(source):
            return _at(token, TokenType.NUMBER, _digits(text, token, str(int(source, 16))))
        case TokenType.NUMBER if _NUMBER.fullmatch(source) and not _NAME_START.match(text, token.end + 1):
            return _at(token, TokenType.NUMBER, _digits(text, token, source))
        case TokenType.NUMBER:
            raise QuerySyntaxError("This is not a number.", text=text, position=token.start)
    if source in _SYMBOLS or source == "!" or _WORD.fullmatch(source):
        return token
    raise QuerySyntaxError(
        f"{source!r} is not part of djflow's expressions.", text=text, position=token.start
    )


def _digits(text: str, token: "Token", number: str) -> str:
    if len(number) > _MAX_DIGITS or float(number) == float("inf"):
        raise QuerySyntaxError("The number is too large.", text=text, position=token.start)
    return number


def _at(token: "Token", kind: Any, text: str) -> "Token":
    return type(token)(kind, text, token.line, token.col, token.start, token.end)


def _joined(text: str, tokens: list["Token"]) -> list["Token"]:
    """Refuse texts in a row, except for the halves of `"a""b"`."""
    from sqlglot import TokenType

    found: list[Token] = []
    for token in tokens:
        before = found[-1] if found else None
        if before is None or {before.token_type, token.token_type} != {TokenType.STRING}:
            found.append(token)
        elif before.end + 1 == token.start and text[before.end] == text[token.start] == '"':
            joined = _at(before, TokenType.STRING, f'{before.text}"{token.text}')
            joined.end = token.end
            found[-1] = joined
        else:
            raise QuerySyntaxError("Write || between two texts.", text=text, position=token.start)
    return found


def _rewritten(text: str, tokens: list["Token"]) -> list["Token"]:
    """Words of MySQL's that PostgreSQL's grammar does not know, in a form that it does."""
    from sqlglot import TokenType

    infix = {"div": TokenType.DIV, "mod": TokenType.MOD, "separator": TokenType.COMMA}
    operands = {
        TokenType.VAR,
        TokenType.IDENTIFIER,
        TokenType.NUMBER,
        TokenType.STRING,
        TokenType.R_PAREN,
    }
    found = [_at(token, TokenType.AND, "AND") if token.text == "&&" else token for token in tokens]
    for place, (before, token) in enumerate(pairwise(tokens), start=1):
        kind = infix.get(token.text.lower()) if token.token_type == TokenType.VAR else None
        if kind and before.token_type in operands:
            found[place] = _at(token, kind, token.text)
    _check_intervals(text, found)
    return _with_units(found)


def _check_intervals(text: str, tokens: list["Token"]) -> None:
    """Refuse `INTERVAL '1 day and more'`, of which sqlglot would read the beginning."""
    from sqlglot import TokenType

    for before, token in pairwise(tokens):
        is_interval = before.token_type == TokenType.INTERVAL and token.token_type == TokenType.STRING
        if is_interval and not _INTERVAL.fullmatch(token.text):
            raise QuerySyntaxError(
                "Write an interval as a whole number of one unit, as in INTERVAL '1 day'.",
                text=text,
                position=token.start,
            )


def _with_units(tokens: list["Token"]) -> list["Token"]:
    """`TIMESTAMPDIFF(MONTH, a, b)` becomes a function of that unit, which is no attribute.

    Its name, `timestampdiff month`, has a space: no text can call it by itself.
    """
    found: list[Token] = []
    rest = iter(range(len(tokens)))
    for place in rest:
        token = tokens[place]
        following = [after.text for after in tokens[place + 1 : place + 4]]
        if token.text.lower() == "timestampdiff" and following[::2] == ["(", ","]:
            found += [
                _at(token, token.token_type, f"timestampdiff {following[1].lower()}"),
                tokens[place + 1],
            ]
            next(rest), next(rest), next(rest)
        else:
            found.append(token)
    return found


# tree


def _parsed(text: str, tokens: list["Token"]) -> "exp.Expression":
    from sqlglot import exp
    from sqlglot.errors import ParseError

    try:
        trees = _parser().parse_into(exp.Condition, tokens, text)
    except ParseError as error:
        place = error.errors[0].get("place") if error.errors else None
        raise unreadable(text, tokens, place) from error
    if len(trees) != 1 or not isinstance(trees[0], exp.Expression):
        raise QuerySyntaxError("Write one expression.", text=text)
    return trees[0]


def _parser() -> Any:
    return _dialect()().parser()
