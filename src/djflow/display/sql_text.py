"""SQL in colour."""

import re
from html import escape
from typing import Final

from djflow.sql.tokens import Token, tokens_of

_KINDS: Final = {"text": "dj-text", "place": "dj-place"}
# Other words of our SQL are names of functions and types, in lower case.
_KEYWORDS: Final = re.compile(r"[A-Z]{2,}")


def coloured_sql(sql: str) -> str:
    """Escaped SQL with its keywords, texts and placeholders in colour.

    >>> coloured_sql("a < 'x'")
    "a &lt; <span class='dj-text'>&#x27;x&#x27;</span>"
    """
    pieces: list[str] = []
    end = 0
    for token in tokens_of(sql):
        begin = sql.index(token.text, end)
        pieces += [sql[end:begin], _coloured(token)]
        end = begin + len(token.text)
    return "".join([*pieces, sql[end:]])


def _coloured(token: Token) -> str:
    kind = _KINDS.get(token.kind, "")
    if token.kind == "word" and _KEYWORDS.fullmatch(token.text):
        kind = "dj-keyword"
    text = escape(token.text)
    return f"<span class='{kind}'>{text}</span>" if kind else text
