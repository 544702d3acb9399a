"""The words of our own SQL, for those who print it: it has no comments and no dollar quotes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast

Kind: TypeAlias = Literal["name", "text", "place", "number", "word", "sign"]

_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<name>"[^"]*(?:""[^"]*)*")
  | (?P<text>E'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'|'[^']*(?:''[^']*)*')
  | (?P<place>\$\d+)
  | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
  | (?P<word>[^\W\d]\w*)
  | (?P<sign>::|[<>=!|+\-*/%~^&\#@?]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a sign, or something in quotes; `is_apart` tells that white space came before it."""

    kind: Kind
    text: str
    is_apart: bool = False


def tokens_of(sql: str) -> tuple[Token, ...]:
    """The tokens of a statement; nothing but white space is lost.

    >>> [token.text for token in tokens_of('"odd $1" > $2::bigint')]
    ['"odd $1"', '>', '$2', '::', 'bigint']
    """
    found: list[Token] = []
    is_apart = False
    for match in _TOKEN.finditer(sql):
        if match.lastgroup == "space":
            is_apart = True
            continue
        found.append(Token(cast("Kind", match.lastgroup), match[0], is_apart))
        is_apart = False
    return tuple(found)


def with_places(sql: str, change: Callable[[int], str]) -> str:
    """The statement with another text for each of its placeholders; what is in quotes stays as it is.

    >>> with_places('"odd $1" > $1::bigint', lambda number: f"(-{number})")
    '"odd $1" > (-1)::bigint'
    """
    return "".join(
        (" " if token.is_apart else "")
        + (change(int(token.text[1:])) if token.kind == "place" else token.text)
        for token in tokens_of(sql)
    )
