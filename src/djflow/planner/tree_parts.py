"""Which parts of a tree of sqlglot's are read, so that none is dropped silently."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlglot import exp

# The parts of each kind of tree that its handler reads; what else is there is refused.
_OPERANDS: Final = frozenset({"this", "expression", "expressions"})
_READ: Final = {
    "is": frozenset({"this", "expression", "negate"}),
    "like": frozenset({"this", "expression", "negate"}),
    "ilike": frozenset({"this", "expression", "negate"}),
    "in": frozenset({"this", "expressions", "negate"}),
    "between": frozenset({"this", "low", "high", "negate"}),
    "column": frozenset({"this", "table"}),
    "literal": frozenset({"this", "is_string"}),
    "case": frozenset({"this", "ifs", "default"}),
    "cast": frozenset({"this", "to"}),
    "substring": frozenset({"this", "start", "length"}),
    "interval": frozenset({"this", "unit"}),
    "anonymous": frozenset({"this", "expressions"}),
    "currentdate": frozenset[str](),
    "currenttimestamp": frozenset[str](),
    "localtimestamp": frozenset[str](),
}
# Notes of sqlglot to itself about dialects, without a meaning of their own.
_FLAGS: Final = frozenset({"typed", "safe", "only_json_types"})


def unread_parts(kind: str, tree: "exp.Expression") -> list[str]:
    """The parts of a tree, of a kind in small letters, that say something which nobody would read.

    >>> from sqlglot import parse_one
    >>> unread_parts("cast", parse_one("CAST(a AS INT)"))
    []
    >>> unread_parts("anonymous", parse_one("a LIKE b"))
    ['expression']
    """
    given = {name for name, value in tree.args.items() if _is_given(value)}
    return sorted(given - _READ.get(kind, _OPERANDS) - _FLAGS)


def _is_given(value: object) -> bool:
    """Whether a part of a tree says anything. Trees are not compared: that would walk through all of them."""
    return value is not None and value is not False and not (type(value) is list and not value)
