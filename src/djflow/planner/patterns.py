"""Regular expressions that say no more than LIKE does become LIKE; the others are refused.

Engines differ in what a regular expression means, so only what all agree on is read.
"""

import re
from typing import Final

_PART: Final = re.compile(r"\\([^\w\s])|(\.\*)|(\.)|([^\\.*+?\[\](){}|^$])", re.DOTALL)


def as_like(pattern: str) -> tuple[str, ...] | None:
    r"""The LIKE patterns of which one matches where the regular expression does, or None.

    >>> as_like("^ab.*c$"), as_like("x_|^y"), as_like("[0-9]+")
    (('ab%c',), ('%x\\_%', 'y%'), None)
    """
    found = [_like(part) for part in pattern.split("|")]
    return None if None in found else tuple(like for like in found if like is not None)


def _like(pattern: str) -> str | None:
    body = pattern.removeprefix("^")
    opened = body == pattern
    closed = body.endswith("$") and not body.endswith("\\$")
    body = body.removesuffix("$") if closed else body
    parts, place = [], 0
    while place < len(body):
        part = _PART.match(body, place)
        if part is None:
            return None
        parts.append(_translated(part))
        place = part.end()
    return ("%" if opened else "") + "".join(parts) + ("" if closed else "%")


def _translated(part: re.Match[str]) -> str:
    escaped, many, one, plain = part.groups()
    if many or one:
        return "%" if many else "_"
    text = str(escaped or plain)
    return f"\\{text}" if text in "%_\\" else text
