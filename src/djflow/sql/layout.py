"""SQL laid out for people: a clause a line, subqueries indented, long lists and conditions broken.

Only white space outside quotes changes, so the text means what it meant.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from djflow.sql.tokens import Token, tokens_of

_WIDTH: Final = 88
_STEP: Final = 2
_SHORT: Final = 40  # opening so short a block would hide more than an overlong line does
_OPENING: Final = {"(": ")", "[": "]"}
_STARTS: Final = frozenset({"SELECT", "FROM", "WHERE", "HAVING", "LIMIT", "OFFSET", "UNION"})
_BEFORE_BY: Final = frozenset({"GROUP", "ORDER"})
_BEFORE_JOIN: Final = frozenset({"LEFT", "RIGHT", "FULL", "CROSS", "INNER"})


@dataclass(frozen=True, slots=True)
class _Block:
    """What stands in parentheses or brackets. `opening` may be the last of a text without the closing one."""

    opening: Token
    inside: "tuple[_Part, ...]"
    closing: str


_Part: TypeAlias = Token | _Block
_Parts: TypeAlias = Sequence[_Part]


def laid_out(sql: str) -> str:
    """The statement over several lines.

    >>> print(laid_out('SELECT t1."n" AS "n" FROM "lab"."a" AS t1 WHERE t1."n" > $1::bigint LIMIT 3'))
    SELECT t1."n" AS "n"
    FROM "lab"."a" AS t1
    WHERE t1."n" > $1::bigint
    LIMIT 3
    """
    return "\n".join(_query(_nested(sql), 0))


def _nested(sql: str) -> tuple[_Part, ...]:
    """The tokens with what is in parentheses as one part."""
    open_blocks: list[Token] = []
    levels: list[list[_Part]] = [[]]
    for token in tokens_of(sql):
        if token.text in _OPENING:
            open_blocks.append(token)
            levels.append([])
        elif open_blocks and token.text == _OPENING[open_blocks[-1].text]:
            inside = tuple(levels.pop())
            levels[-1].append(_Block(open_blocks.pop(), inside, token.text))
        else:
            levels[-1].append(token)
    while open_blocks:
        inside = tuple(levels.pop())
        levels[-1].append(_Block(open_blocks.pop(), inside, ""))
    return tuple(levels[0])


# as one line


def _flat(parts: _Parts) -> str:
    text = "".join((" " if _is_apart(part) else "") + _flat_part(part) for part in parts)
    return text.removeprefix(" ")


def _flat_part(part: _Part) -> str:
    if isinstance(part, Token):
        return part.text
    return f"{part.opening.text}{_flat(part.inside)}{part.closing}"


def _is_apart(part: _Part) -> bool:
    return part.is_apart if isinstance(part, Token) else part.opening.is_apart


def _word(part: _Part | None) -> str:
    return part.text if isinstance(part, Token) and part.kind == "word" else ""


# as several


def _query(parts: _Parts, indent: int) -> list[str]:
    """The lines of a statement, each clause on its own."""
    return [line for clause in _cut(parts, _starts_clause) for line in _clause(clause, indent)]


def _clause(parts: _Parts, indent: int) -> list[str]:
    if _fits(parts, indent):
        return [" " * indent + _flat(parts)]
    match _word(parts[0]):
        case "FROM":
            first, *joins = _cut(parts, _starts_join)
            return [*_source(first, indent), *(x for each in joins for x in _source(each, indent + _STEP))]
        case "WHERE" | "HAVING":
            return _stepped(_conjuncts(parts), indent)
        case "WITH":
            return [line for part in _after_commas(parts) for line in _flow(part, indent)]
        case _:
            return _list(parts, indent)


def _stepped(pieces: Iterator[_Parts], indent: int) -> list[str]:
    """The first piece, and the others a step further in."""
    first, *others = pieces
    return [*_flow(first, indent), *(line for each in others for line in _flow(each, indent + _STEP))]


def _source(parts: _Parts, indent: int) -> list[str]:
    """A table or subquery, and its ON: on the same line where it fits."""
    source, *conditions = _cut(parts, lambda those, place: _word(those[place]) == "ON")
    lines = _flow(source, indent)
    for condition in conditions:
        if len(lines[-1]) + 1 + len(_flat(condition)) <= _WIDTH:
            lines[-1] += f" {_flat(condition)}"
        else:
            lines += [line for each in _conjuncts(condition) for line in _flow(each, indent + _STEP)]
    return lines


def _list(parts: _Parts, indent: int) -> list[str]:
    """SELECT, GROUP BY and ORDER BY: the verb, and below it the items."""
    verb = 1
    while verb < len(parts) and _word(parts[verb]) in {"DISTINCT", "BY", "ALL"}:
        verb += 1
    if verb >= len(parts) or not _is_apart(parts[verb]):
        return _flow(parts, indent)
    return [" " * indent + _flat(parts[:verb]), *_filled(_after_commas(parts[verb:]), indent + _STEP)]


def _filled(items: Iterator[_Parts], indent: int) -> list[str]:
    """Items side by side as long as they fit; one that takes several lines stands alone."""
    lines: list[str] = []
    is_open = False  # whether the last line takes another item
    for item in items:
        fits = _fits(item, indent)
        if is_open and fits and len(lines[-1]) + 1 + len(_flat(item)) <= _WIDTH:
            lines[-1] += f" {_flat(item)}"
            continue
        lines += [" " * indent + _flat(item)] if fits else _flow(item, indent)
        is_open = fits
    return lines


def _flow(parts: _Parts, indent: int) -> list[str]:
    """Parts one after another; blocks that do not fit on the line are opened."""
    lines = [" " * indent]
    for number, part in enumerate(parts):
        gap = " " if number and _is_apart(part) else ""
        text = _flat_part(part)
        if isinstance(part, Token) or len(text) <= _SHORT or len(lines[-1]) + len(gap) + len(text) <= _WIDTH:
            lines[-1] += gap + text
            continue
        own = len(lines[-1]) - len(lines[-1].lstrip(" "))
        opened = _opened(part, own + _STEP)
        if opened is None:
            lines[-1] += gap + text
            continue
        lines[-1] += gap + part.opening.text
        lines += [*opened, " " * own + part.closing]
    return lines


def _opened(block: _Block, indent: int) -> list[str] | None:
    """The inside of a block on lines of its own; None where nothing would be gained."""
    inside = block.inside
    if not inside:
        return None
    if _word(inside[0]) in {"SELECT", "WITH"}:
        return _query(inside, indent)
    by_comma = list(_after_commas(inside))
    if len(by_comma) > 1:
        return _filled(iter(by_comma), indent)
    return [line for piece in _conjuncts(inside) for line in _flow(piece, indent)]


def _fits(parts: _Parts, indent: int) -> bool:
    return indent + len(_flat(parts)) <= _WIDTH


# where to cut


def _cut(parts: _Parts, starts: Callable[[_Parts, int], bool]) -> Iterator[_Parts]:
    """The parts in pieces; a piece begins where `starts` says so and white space stood."""
    begin = 0
    for place in range(1, len(parts)):
        if _is_apart(parts[place]) and starts(parts, place):
            yield parts[begin:place]
            begin = place
    yield parts[begin:]


def _after_commas(parts: _Parts) -> Iterator[_Parts]:
    return _cut(parts, lambda those, place: _flat_part(those[place - 1]) == ",")


def _at(parts: _Parts, place: int) -> str:
    return _word(parts[place]) if 0 <= place < len(parts) else ""


def _starts_clause(parts: _Parts, place: int) -> bool:
    word = _word(parts[place])
    if word == "FROM":
        return _at(parts, place - 1) != "DISTINCT"  # IS DISTINCT FROM
    if word in _BEFORE_BY:
        return _at(parts, place + 1) == "BY"
    return word in _STARTS


def _starts_join(parts: _Parts, place: int) -> bool:
    word = _word(parts[place])
    if word == "JOIN":
        return _at(parts, place - 1) not in _BEFORE_JOIN
    return word in _BEFORE_JOIN and _at(parts, place + 1) == "JOIN"


def _conjuncts(parts: _Parts) -> Iterator[_Parts]:
    """The parts in pieces that begin with AND or OR; those of BETWEEN and inside CASE cut nothing."""
    begin = cases = betweens = 0
    for place, part in enumerate(parts):
        word = _word(part)
        cases += (word == "CASE") - (word == "END")
        betweens += word == "BETWEEN"
        if word == "AND" and betweens:
            betweens -= 1
        elif word in {"AND", "OR"} and not cases and place and _is_apart(part):
            yield parts[begin:place]
            begin = place
    yield parts[begin:]
