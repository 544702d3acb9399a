"""The parameters of a statement, for people: each on a line, with the attribute that it is compared to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from djflow.planner.lower_sql import Statement
from djflow.relation.explanation.lines import cut_to_line
from djflow.sql.tokens import Token, tokens_of

_LONGEST: Final = 60
_FIRST: Final = 5
_PATTERNS: Final = frozenset({"LIKE", "ILIKE"})


@dataclass(frozen=True, slots=True)
class ShownParameter:
    """A parameter's placeholder, its value cut to a line, and the attribute that it is for, if any."""

    place: str
    value: str
    attribute: str = ""

    def __str__(self) -> str:
        return f"{self.place} = {self.value}" + (f"  ({self.attribute})" if self.attribute else "")


def shown_parameters(statement: Statement, inputs: tuple[int, ...]) -> tuple[ShownParameter, ...]:
    """The parameters of a statement in order; `inputs` are the numbers of the steps whose rows it takes."""
    names = attributes_of(statement.sql)
    return tuple(
        ShownParameter(
            f"${number}", cut_to_line(_shown(parameter.value, inputs), _LONGEST), names.get(number, "")
        )
        for number, parameter in enumerate(statement.parameters, 1)
    )


def _shown(value: Any, inputs: tuple[int, ...]) -> str:
    if isinstance(value, str | bytes) or not hasattr(value, "__len__"):
        return repr(value)
    count = len(value)
    if not count:
        # Of the user's own frames none is empty: a rule drops those.
        return f"the rows of step {' or '.join(map(str, inputs))}"
    some = value[:_FIRST]
    listed = some.to_pylist() if hasattr(some, "to_pylist") else some
    return f"{count} value{'s' if count > 1 else ''}: {', '.join(map(repr, listed))}" + (
        ", ..." if count > _FIRST else ""
    )


def attributes_of(sql: str) -> dict[int, str]:
    """The attribute that each parameter is compared to or is the column of, as far as that is plain.

    >>> attributes_of('t1."sex"::text = $1::text AND t1."n" = ANY($2::bigint[])')
    {1: 'sex', 2: 'n'}
    >>> attributes_of('unnest($1::bigint[], $2::text[]) AS t1("n", "label")')
    {1: 'n', 2: 'label'}
    """
    tokens = tokens_of(sql)
    found: dict[int, str] = {}
    for place, token in enumerate(tokens):
        if token.text == "unnest":
            found |= _columns(tokens, place)
        elif token.kind == "place" and (name := _compared(tokens, place)):
            found.setdefault(int(token.text[1:]), name)
    return found


def _compared(tokens: Sequence[Token], place: int) -> str:
    """The attribute on the left of the operator before a placeholder."""
    before = place - 1
    while before >= 0 and tokens[before].text in {"(", "ANY"}:
        before -= 1
    if before < 1 or not (_is_comparison(tokens[before].text) or tokens[before].text in _PATTERNS):
        return ""
    before -= 1
    while before > 1 and tokens[before - 1].text in {"::", "COLLATE"}:
        before -= 2
    return _unquoted(tokens[before])


def _is_comparison(text: str) -> bool:
    return text in {"=", "<>", "<", "<=", ">", ">="}


def _columns(tokens: Sequence[Token], place: int) -> dict[int, str]:
    """The columns of `unnest(...) AS alias(names)`."""
    end = next((i for i in range(place, len(tokens)) if tokens[i].text == ")"), len(tokens))
    numbers = [int(token.text[1:]) for token in tokens[place:end] if token.kind == "place"]
    if [token.text for token in tokens[end + 1 : end + 2]] != ["AS"]:
        return {}
    names: list[str] = []
    for token in tokens[end + 4 :]:
        if token.text == ")":
            break
        names += [_unquoted(token)] if token.kind == "name" else []
    return dict(zip(numbers, names, strict=False))


def _unquoted(token: Token) -> str:
    return token.text[1:-1].replace('""', '"') if token.kind == "name" else ""
