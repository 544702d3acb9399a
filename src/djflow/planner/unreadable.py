"""What is missing where a text breaks off, or stops making sense."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from djflow.errors import QuerySyntaxError

if TYPE_CHECKING:
    from sqlglot import Token

_DOUBLED: Final = {
    "*": "Write power(a, b): `**` is not part of djflow's expressions.",
    "/": "Write div(a, b): `//` is not part of djflow's expressions.",
}
_SIDES: Final = frozenset({"leading", "trailing", "both"})
_WORDS: Final = ("and", "or", "not", "in", "like", "ilike", "is", "between", "div", "mod")
_SIGNS: Final = (
    ",",
    "||",
    "&&",
    "=",
    "==",
    "<>",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "<=>",
    "+",
    "-",
    "*",
    "/",
    "%",
    "::",
)
_INFIX: Final = frozenset({*_WORDS, *_SIGNS, "->", "->>"})


def unreadable(text: str, tokens: Sequence["Token"], place: int | None) -> QuerySyntaxError:
    """The error for a text that is no expression; `place` is where reading it failed."""
    reason, position = (
        _doubled(tokens)
        or _unbalanced(tokens)
        or _unfinished(tokens)
        or _sided(tokens)
        or (_unconnected(text, tokens, place))
    )
    return QuerySyntaxError(reason, text=text, position=position)


def _doubled(tokens: Sequence["Token"]) -> tuple[str, int] | None:
    for before, token in pairwise(tokens):
        if token.text in _DOUBLED and before.text == token.text and before.end + 1 == token.start:
            return _DOUBLED[token.text], before.start
    return None


def _unbalanced(tokens: Sequence["Token"]) -> tuple[str, int] | None:
    opened: list[int] = []
    for token in tokens:
        if token.text == "(" and not _is_text(token):
            opened.append(token.start)
        elif token.text == ")" and not _is_text(token):
            if not opened:
                return "This parenthesis closes none.", token.start
            opened.pop()
    return ("A parenthesis is left open.", opened[-1]) if opened else None


def _unfinished(tokens: Sequence["Token"]) -> tuple[str, int] | None:
    last = tokens[-1]
    if last.text.lower() in _INFIX and not _is_text(last):
        return f"The expression ends after {last.text}; what follows is missing.", last.start
    return None


def _sided(tokens: Sequence["Token"]) -> tuple[str, int] | None:
    for name, _, side in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if name.text.lower() == "trim" and side.text.lower() in _SIDES:
            return (
                f"TRIM with {side.text} is not supported; trim(x) removes blanks on both sides.",
                side.start,
            )
    return None


def _unconnected(text: str, tokens: Sequence["Token"], place: int | None) -> tuple[str, int | None]:
    for before, token in pairwise(tokens):
        if token.start == place and _is_operand(before) and _is_operand(token):
            between = _shortened(text[before.start : token.end + 1])
            return f"An operator is missing in {between!r}; a text stands in single quotes.", place
    return "Cannot read this expression.", place


def _shortened(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[: limit // 2]} ... {text[-limit // 2 :]}"


def _is_operand(token: "Token") -> bool:
    from sqlglot import TokenType

    return token.token_type in (TokenType.VAR, TokenType.IDENTIFIER, TokenType.NUMBER, TokenType.STRING)


def _is_text(token: "Token") -> bool:
    from sqlglot import TokenType

    return token.token_type in (TokenType.STRING, TokenType.IDENTIFIER)
