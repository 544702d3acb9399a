"""Attribute and index lines to specs; foreign keys have a file of their own."""

from collections.abc import Sequence
from typing import Final

from djflow.definition.defaults import accepts_current_timestamp, canonical_default
from djflow.definition.lexer import Kind, SourceLine, Token
from djflow.definition.types import parse_type
from djflow.errors import DefinitionError
from djflow.model.names import check_attribute_name
from djflow.model.table import AttributeSpec, CurrentTimestamp, Default, IndexSpec, Null
from djflow.model.types import DataType

_ATTRIBUTE_FORM: Final = "Write `name : type`, `name = default : type`, `-> Parent`, or `index (name)`."
_INDEX_FORM: Final = (
    "Write `index (a, b)`; an SQL expression goes in parentheses of its own: `index ((lower(a)))`."
)
_TIMESTAMPS: Final = ("current_timestamp", "now")


def checked_name(line: SourceLine, token: Token) -> str:
    """The attribute name at a token's place, or a `DefinitionError` that points at it."""
    name = token.value
    if problem := check_attribute_name(name):
        lowered = name.strip("_").lower()
        hint = f"Write {lowered!r}." if check_attribute_name(lowered) is None else ""
        raise line.error(f"{name!r} cannot name an attribute: {problem}.", at=token.start, hint=hint)
    return name


def split_at(tokens: Sequence[Token], symbol: str) -> list[Sequence[Token]]:
    """Tokens cut at a symbol outside of any parentheses."""
    pieces: list[Sequence[Token]] = []
    depth = start = 0
    for position, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if token.text == symbol and depth == 0:
            pieces.append(tokens[start:position])
            start = position + 1
    return [*pieces, tokens[start:]]


def parse_attribute(line: SourceLine) -> tuple[AttributeSpec, str]:
    """An attribute line as a spec, and the text of its type as written."""
    before, colon, after = _around_colon(line)
    name = _name(line, before)
    type_text, type_ = _type(line, name, colon, after)
    comment = (line.comment or "").strip()
    if comment.startswith(":"):
        at = line.text.index("#", (*before, colon, *after)[-1].end)
        raise line.error("A comment cannot start with a colon.", at=at, hint="Leave the colon out.")
    return AttributeSpec(name, type_, _default(line, before, type_), comment), type_text


def parse_index(line: SourceLine) -> IndexSpec:
    """An index line as a spec; expressions stay as written, in their parentheses."""
    unique = line.tokens[0].text.lower() == "unique"
    opening, *rest = line.tokens[2 if unique else 1 :]
    depth = 1
    for position, token in enumerate(rest):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0:
            if position + 1 < len(rest):
                raise line.error(
                    "Nothing can follow an index.", at=rest[position + 1].start, hint=_INDEX_FORM
                )
            items = [_index_item(line, item, token) for item in split_at(rest[:position], ",")]
            return IndexSpec(tuple(items), unique)
    raise line.error("The parenthesis is not closed.", at=opening.start, hint="Add the missing `)`.")


def _index_item(line: SourceLine, item: Sequence[Token], closing: Token) -> str:
    if not item:
        raise line.error("An attribute is missing here.", at=closing.start, hint=_INDEX_FORM)
    if len(item) == 1 and item[0].kind is Kind.WORD:
        return item[0].text
    if item[0].text == "(" and _closes_at_end(item):
        return line.text[item[0].start : item[-1].end]
    raise line.error("Not the name of an attribute.", at=item[0].start, hint=_INDEX_FORM)


def _closes_at_end(tokens: Sequence[Token]) -> bool:
    depth = 0
    for position, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0:
            return position == len(tokens) - 1
    return False


def _around_colon(line: SourceLine) -> tuple[Sequence[Token], Token, Sequence[Token]]:
    for position, token in enumerate(line.tokens):
        if token.text == ":":
            return line.tokens[:position], token, line.tokens[position + 1 :]
    raise line.error("This line is not understood.", at=line.tokens[0].start, hint=_ATTRIBUTE_FORM)


def _name(line: SourceLine, before: Sequence[Token]) -> str:
    if not before or before[0].text == "=":
        at = before[0].start if before else line.tokens[0].start
        raise line.error("The name of the attribute is missing.", at=at, hint=_ATTRIBUTE_FORM)
    joined = [
        token for token, previous in zip(before[1:], before, strict=False) if token.start == previous.end
    ]
    is_split = bool(joined) and joined[0] is before[1] and joined[0].text != "="
    if is_split or before[0].kind is Kind.STRING:
        raise line.error(
            "An attribute's name consists of lower-case letters, digits and underscores, without quotes.",
            at=before[1 if is_split else 0].start,
            hint="Write, for example, `session_date : date`.",
        )
    name = checked_name(line, before[0])
    if len(before) > 1 and before[1].text != "=":
        raise line.error("Expected `:` or `=` after the name.", at=before[1].start, hint=_ATTRIBUTE_FORM)
    return name


def _type(line: SourceLine, name: str, colon: Token, after: Sequence[Token]) -> tuple[str, DataType]:
    for token in after:
        if token.text == "=":
            type_text, value = (
                line.text[colon.end : token.start].strip(),
                line.text[token.end : after[-1].end].strip(),
            )
            raise line.error(
                "The default stands before the type.",
                at=token.start,
                hint=f"Write `{name} = {value} : {type_text}`.",
            )
        if token.text == ":":
            raise line.error(
                "A second colon.", at=token.start, hint="Put a default that contains a colon in quotes."
            )
    start, end = (after[0].start, after[-1].end) if after else (colon.start, colon.start)
    try:
        return line.text[start:end], parse_type(line.text[start:end])
    except DefinitionError as error:
        raise line.located(error, at=start) from None


def _default(line: SourceLine, before: Sequence[Token], type_: DataType) -> Default | None:
    match before[2:]:
        case []:
            if len(before) > 1:
                raise line.error(
                    "The default is missing.", at=before[1].start, hint="Write `= value`, or leave `=` out."
                )
            return None
        case [Token(Kind.WORD, word)] if word.lower() == "null":
            return Null()
        case [Token(Kind.WORD, word), *call] if word.lower() in _TIMESTAMPS and _is_call(word, call):
            if not accepts_current_timestamp(type_):
                raise line.error(
                    f"{type_} cannot hold a time.", at=before[2].start, hint="Declare it as `datetime`."
                )
            return CurrentTimestamp()
        case [Token() as token] if _is_constant(token):
            try:
                return canonical_default(type_, token.value)
            except DefinitionError as error:
                raise line.located(error, at=token.start) from None
        case _:
            first = before[2]
            text = line.text[first.start : before[-1].end].replace("'", "''")
            raise line.error("Not a constant.", at=first.start, hint=f"Quote a text: `= '{text}'`.")


def _is_call(word: str, call: Sequence[Token]) -> bool:
    match [token.text for token in call]:
        case []:
            return word.lower() != "now"
        case ["(", ")"]:
            return True
        case ["(", digits, ")"]:
            return digits.isdecimal() and word.lower() != "now"
        case _:
            return False


def _is_constant(token: Token) -> bool:
    return token.kind in (Kind.STRING, Kind.NUMBER) or token.text.lower() in ("true", "false")
