"""Definitions cut into lines of tokens, each with its position."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from djflow.errors import DefinitionError


class Kind(Enum):
    """What a token is."""

    WORD = auto()
    STRING = auto()
    NUMBER = auto()
    ARROW = auto()
    DASHES = auto()
    SYMBOL = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a line; `start` and `end` are 0-based offsets."""

    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset after the last character."""
        return self.start + len(self.text)

    @property
    def value(self) -> str:
        """The content of a string without its quotes, any other token as it stands."""
        if self.kind is not Kind.STRING:
            return self.text
        quote = self.text[0]
        return self.text[1:-1].replace(quote * 2, quote)


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of a definition: `number` is 1-based, `comment` is what follows `#`, or None."""

    number: int
    text: str
    tokens: tuple[Token, ...]
    comment: str | None

    def error(self, reason: str, *, at: int, hint: str = "") -> DefinitionError:
        """An error that points at offset `at` of this line."""
        shown = self.text.replace("\t", " ")  # the caret counts characters
        return DefinitionError(reason, text=shown, line=self.number, column=at + 1, hint=hint)

    def located(self, error: DefinitionError, *, at: int) -> DefinitionError:
        """An error that knew no position, now pointing at offset `at` of this line."""
        return self.error(error.reason, at=at, hint=error.hint)


_INDEX: Final = re.compile(r"\s*(?:unique\s+)?index\s*\(", re.IGNORECASE)
_TOKEN: Final = re.compile(
    r"""
    (?P<STRING>'(?:[^']|'')*'|"(?:[^"]|"")*")
  | (?P<ARROW>->)
  | (?P<DASHES>-{3,})
  | (?P<NUMBER>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<WORD>[^\W\d]\w*)
  | (?P<SYMBOL>\S)
    """,
    re.VERBOSE,
)


def lex(text: str) -> Iterator[SourceLine]:
    """The lines of a definition that are not blank.

    A `#` within quotes starts no comment, nor does one within the parentheses of an index,
    where it may be part of an SQL operator.

    >>> [line] = lex("name = 'a # b' : varchar(8)  # it's a comment")
    >>> [token.text for token in line.tokens], line.comment
    (['name', '=', "'a # b'", ':', 'varchar', '(', '8', ')'], " it's a comment")
    """
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.rstrip()
        if line:
            yield _lex_line(line, number)


def _lex_line(text: str, number: int) -> SourceLine:
    tokens: list[Token] = []
    in_index = _INDEX.match(text) is not None
    depth = position = 0
    while match := _TOKEN.search(text, position):
        kind, piece = Kind[str(match.lastgroup)], match[0]
        if piece == "#" and not (in_index and depth):
            return SourceLine(number, text, tuple(tokens), text[match.end() :])
        if kind is Kind.SYMBOL and piece in "'\"":
            unread = SourceLine(number, text, (), None)
            raise unread.error("The string is not closed.", at=match.start(), hint="Add the missing quote.")
        depth += (piece == "(") - (piece == ")")
        tokens.append(Token(kind, piece, match.start()))
        position = match.end()
    return SourceLine(number, text, tuple(tokens), None)
