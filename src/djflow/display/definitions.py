"""Definitions in colour, in notebooks and on terminals."""

import sys
from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

from djflow.definition.lexer import Kind, SourceLine, Token, lex
from djflow.display.letters import one_line
from djflow.display.sheet import page
from djflow.errors import DefinitionError

# A piece of a definition and the class of what it is, which is nothing for signs and spaces.
Piece = tuple[str, str]

_ANSI: Final = {
    "dj-key": "1;4",
    "dj-type": "35",
    "dj-text": "33",
    "dj-arrow": "1;31",
    "dj-name": "34",
    "dj-comment": "2;3",
    "dj-rule": "2",
}


class Definition(str):
    r"""The text of a definition, shown in colours by notebooks and, where there are any, by terminals.

    It is plain text in all other respects.

    >>> text = Definition("subject : int32\n---\nname : varchar(20)\n")
    >>> text
    subject : int32
    ---
    name : varchar(20)
    >>> text == "subject : int32\n---\nname : varchar(20)\n"
    True
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return (in_ansi(self) if _is_coloured() else _safe(self)).rstrip("\n")

    def _repr_html_(self) -> str:
        return page(f"<pre>{in_html(self)}</pre>")


def _is_coloured() -> bool:
    import os

    return bool(sys.stdout and sys.stdout.isatty()) and "NO_COLOR" not in os.environ


def in_html(definition: str) -> str:
    """The definition with its names, types, texts and comments in colours; everything is escaped.

    >>> in_html("x = '<'")
    "<span class='dj-key'>x</span> = <span class='dj-text'>&#x27;&lt;&#x27;</span>"
    """
    return "".join(
        f"<span class='{kind}'>{escape(text)}</span>" if kind else escape(text)
        for text, kind in pieces(definition)
    )


def in_ansi(definition: str) -> str:
    r"""The definition in the colours of a terminal.

    >>> in_ansi("---")
    '\x1b[2m---\x1b[0m'
    """
    return "".join(
        f"\x1b[{_ANSI[kind]}m{_safe(text)}\x1b[0m" if kind else _safe(text)
        for text, kind in pieces(definition)
    )


def _safe(text: str) -> str:
    return "\n".join(map(one_line, text.split("\n")))


def pieces(definition: str) -> Iterator[Piece]:
    """The definition piece by piece; together they are the whole. What cannot be read is left plain.

    >>> list(pieces("-> Subject  # whose"))[:2]
    [('->', 'dj-arrow'), (' ', '')]
    """
    try:
        lines = {line.number: line for line in lex(definition)}
    except DefinitionError:
        yield definition, ""
        return
    in_key = True
    for number, text in enumerate(definition.split("\n"), start=1):
        if number > 1:
            yield "\n", ""
        line = lines.get(number)
        if line is None:
            yield text, ""
            continue
        yield from _line(line, in_key=in_key)
        yield from _gap(text[len(line.text) :])
        in_key = in_key and not any(token.kind is Kind.DASHES for token in line.tokens)


def _line(line: SourceLine, *, in_key: bool) -> Iterator[Piece]:
    end = 0
    for token, kind in _kinds(line.tokens, in_key=in_key):
        yield from _gap(line.text[end : token.start])
        yield token.text, kind
        end = token.end
    rest = line.text[end:]
    comment = rest.lstrip() if line.comment is not None else ""
    yield from _gap(rest[: len(rest) - len(comment)])
    if comment:
        yield comment, "dj-comment"


def _gap(text: str) -> Iterator[Piece]:
    if text:
        yield text, ""


def _kinds(tokens: Iterable[Token], *, in_key: bool) -> Iterator[tuple[Token, str]]:
    """What each token is: a name stands first, a type behind the colon, a parent behind the arrow."""
    is_first, is_behind = True, ""
    for token in tokens:
        match token.kind, token.text:
            case Kind.DASHES, _:
                yield token, "dj-rule"
            case Kind.ARROW, _:
                is_behind = "dj-name"
                yield token, "dj-arrow"
            case Kind.STRING, _:
                yield token, "dj-text"
            case Kind.SYMBOL, ":":
                is_behind = "dj-type"
                yield token, ""
            case Kind.WORD, _ if is_first:
                yield token, "dj-key" if in_key else ""
            case ((Kind.WORD | Kind.NUMBER), _):
                yield token, is_behind
            case Kind.SYMBOL, ("<" | ">" | "@") if is_behind == "dj-type":
                yield token, is_behind
            case _:
                yield token, ""
        is_first = False
