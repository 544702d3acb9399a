"""Foreign-key lines: `-> [nullable, unique] module.Parent.proj(new='old')`."""

from collections.abc import Sequence
from typing import Final

from djflow.definition.lexer import Kind, SourceLine, Token
from djflow.definition.lines import checked_name, split_at
from djflow.errors import did_you_mean
from djflow.model.table import ForeignKeySpec

_FORM: Final = "Write `-> Parent`, `-> [nullable] Parent`, or `-> Parent.proj(new='old')`."
_RENAME: Final = "Write `.proj(new='old')`."
_OPTIONS: Final = ("nullable", "unique")


def parse_foreign_key(line: SourceLine, *, in_key: bool) -> ForeignKeySpec:
    """A line that starts with an arrow as a spec. `in_key` tells whether it stands above `---`."""
    options, rest = _options(line, line.tokens[1:])
    if in_key and "nullable" in options:
        raise line.error(
            "A foreign key of the primary key cannot be nullable.",
            at=options["nullable"].start,
            hint="Move the line below `---`, or leave [nullable] out.",
        )
    parent, projection = _parent(line, rest)
    return ForeignKeySpec(parent, _renames(line, projection), "nullable" in options, "unique" in options)


def _options(line: SourceLine, tokens: Sequence[Token]) -> tuple[dict[str, Token], Sequence[Token]]:
    if not tokens or tokens[0].text != "[":
        return {}, tokens
    end = next((position for position, token in enumerate(tokens) if token.text == "]"), None)
    if end is None:
        raise line.error("The bracket is not closed.", at=tokens[0].start, hint="Add the missing `]`.")
    options: dict[str, Token] = {}
    for piece in split_at(tokens[1:end], ","):
        if len(piece) != 1 or piece[0].text.lower() not in _OPTIONS:
            at = piece[0] if piece else tokens[end]
            close = did_you_mean(at.text.lower(), _OPTIONS).strip()
            raise line.error("The options are nullable and unique.", at=at.start, hint=close or _FORM)
        options[piece[0].text.lower()] = piece[0]
    return options, tokens[end + 1 :]


def _parent(line: SourceLine, tokens: Sequence[Token]) -> tuple[str, Sequence[Token]]:
    """The dotted reference, and what follows it from `proj` on."""
    names: list[str] = []
    while tokens and tokens[0].kind is Kind.WORD:
        if names and tokens[0].text == "proj" and tokens[1:] and tokens[1].text == "(":
            return ".".join(names), tokens
        names.append(tokens[0].text)
        if tokens[1:] and tokens[1].text == ".":
            tokens = tokens[2:]
            continue
        if tokens[1:]:
            raise line.error("Nothing else can follow the parent.", at=tokens[1].start, hint=_FORM)
        return ".".join(names), ()
    at = tokens[0].start if tokens else line.tokens[-1].end
    hint = f"Renaming goes behind the parent. {_RENAME}" if tokens and tokens[0].text == "(" else _FORM
    raise line.error("The parent is missing here.", at=at, hint=hint)


def _renames(line: SourceLine, tokens: Sequence[Token]) -> tuple[tuple[str, str], ...]:
    if not tokens:
        return ()
    closing = next((position for position, token in enumerate(tokens) if token.text == ")"), None)
    if closing is None:
        raise line.error("The parenthesis is not closed.", at=tokens[1].start, hint="Add the missing `)`.")
    if tokens[closing + 1 :]:
        raise line.error("Nothing else can follow proj.", at=tokens[closing + 1].start, hint=_FORM)
    inner = tokens[2:closing]
    pieces = split_at(inner, ",") if inner else []
    if pieces and not pieces[-1]:  # a trailing comma, as in any Python call
        pieces.pop()
    renames: list[tuple[str, str]] = []
    for piece in pieces:
        new, old = _rename(line, piece, tokens[closing])
        if any(new == earlier for earlier, _ in renames) or any(old == earlier for _, earlier in renames):
            raise line.error("An attribute is renamed twice.", at=piece[0].start, hint="Leave one out.")
        renames.append((new, old))
    return tuple(renames)


def _rename(line: SourceLine, piece: Sequence[Token], closing: Token) -> tuple[str, str]:
    match piece:
        case [Token(Kind.WORD) as new, Token(_, "="), Token(Kind.STRING) as old]:
            return checked_name(line, new), checked_name(line, old)
        case [Token(Kind.WORD, new_name), Token(_, "="), Token(Kind.WORD, old_name) as old]:
            raise line.error(
                "The old name is not quoted.", at=old.start, hint=f"Write {new_name}='{old_name}'."
            )
        case [first, *_]:
            raise line.error(
                "Within a foreign key, proj can only rename: the parent's whole key comes along anyway.",
                at=first.start,
                hint=_RENAME,
            )
        case _:
            raise line.error("A rename is missing here.", at=closing.start, hint=_RENAME)
