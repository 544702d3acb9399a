"""Conditions in a normal form, exact in three-valued logic.

What is decided here depends on which constants are equal and which are null, never on their
other properties: a plan stays right when its constants are exchanged for others alike in that.
"""

from typing import Final

from djflow.model.table import Heading
from djflow.planner import scalar as s

# PostgreSQL orders all values of a type, NaN included, so each comparison has an exact opposite.
_OPPOSITE: Final[dict[s.CompareOp, s.CompareOp]] = {
    "=": "<>",
    "<>": "=",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
}


def as_filter(condition: s.Scalar, heading: Heading) -> s.Scalar:
    """A simpler condition that is true for the same rows; where one is unknown the other may be false.

    >>> a = s.Column("a", s.INT64)
    >>> one, two = (s.Compare("=", a, s.Constant(value, s.INT64)) for value in (1, 2))
    >>> s.show(as_filter(s.Not(s.Or((one, s.Not(s.IsTrue(two))))), Heading(())))
    'a <> 1 AND a = 2'
    >>> s.show(as_filter(s.Or((one, two)), Heading(())))
    'a IN (1, 2)'
    """
    match condition:
        case s.And(items):
            return _all_true(tuple(as_filter(item, heading) for item in items))
        case s.Or(items):
            return _any_of(tuple(as_filter(item, heading) for item in items), heading)
        case s.IsTrue(item):
            return as_filter(item, heading)
        case s.Not(item):
            opposite = _opposite(item, heading)
            return opposite if isinstance(opposite, s.Not) else as_filter(opposite, heading)
        case s.Compare(_, left, right) if _is_null(left) or _is_null(right):
            return s.FALSE
        case s.InList(_, ()) | s.Constant(None):
            return s.FALSE
        case _:
            return _exact(condition, heading)


def never_null(scalar: s.Scalar, heading: Heading) -> bool:
    """Whether a scalar has a value in every row.

    >>> never_null(s.IsNull(s.Column("a", s.INT64)), Heading(()))
    True
    """
    match scalar:
        case s.Column(name):
            return name in heading and not heading[name].nullable
        case s.Constant(value):
            return value is not None
        case s.IsTrue() | s.IsNull() | s.Matches():
            return True
        case s.InList(_, values) if None in values:
            return False
        case s.Call() | s.Case() | s.JsonPath() | s.Cast():
            return False
        case _:
            return all(never_null(child, heading) for child in s.children(scalar))


def rejects_nulls(condition: s.Scalar, names: frozenset[str]) -> bool:
    """Whether a condition is never true where all attributes of `names` are null.

    >>> rejects_nulls(s.Compare("<", s.Column("a", s.INT64), s.Column("b", s.INT64)), frozenset("a"))
    True
    """
    match condition:
        case s.And(items):
            return any(rejects_nulls(item, names) for item in items)
        case s.Or(items):
            return all(rejects_nulls(item, names) for item in items)
        case s.IsTrue(item):
            return rejects_nulls(item, names)
        case s.Not(s.IsNull(item)):
            return _is_null_with(item, names)
        case s.Not(s.Compare() | s.Like() | s.InList() | s.Column() as item):
            return _is_null_with(item, names)
        case _:
            return _is_null_with(condition, names)


def _is_null_with(scalar: s.Scalar, names: frozenset[str]) -> bool:
    """Whether a scalar is null wherever all attributes of `names` are; where unsure, it is not."""
    match scalar:
        case s.Column(name):
            return name in names
        case s.InList(values=()):
            return False
        case s.Compare() | s.Arithmetic() | s.Like() | s.InList() | s.Cast() | s.JsonPath():
            return any(_is_null_with(child, names) for child in s.children(scalar))
        case _:
            return False


def _exact(scalar: s.Scalar, heading: Heading) -> s.Scalar:
    """The same value in every row, unknown included, in a simpler form."""
    match scalar:
        case s.And(items):
            return _all_of(tuple(_exact(item, heading) for item in items))
        case s.Or(items):
            return _any_of(tuple(_exact(item, heading) for item in items), heading)
        case s.Not(item):
            return _opposite(item, heading)
        case s.IsTrue(item):
            inner = as_filter(item, heading)
            return inner if never_null(inner, heading) else s.IsTrue(inner)
        case s.IsNull(item) if never_null(item, heading):
            return s.FALSE
        case s.IsNull(item) if _is_null(item):
            return s.TRUE
        case s.InList(item, (value,), type_):
            return s.Compare("=", item, s.Constant(value, type_))
        case _:
            return scalar


def _opposite(scalar: s.Scalar, heading: Heading) -> s.Scalar:
    """The exact negation."""
    match _exact(scalar, heading):
        case s.Compare(op, left, right):
            return s.Compare(_OPPOSITE[op], left, right)
        case s.Not(item):
            return item
        case s.Or(items):
            return _all_of(tuple(_opposite(item, heading) for item in items))
        case s.IsTrue(s.Or(items)):
            return _all_of(tuple(_opposite(s.IsTrue(item), heading) for item in items))
        case s.And(items) as both:
            parts = tuple(_opposite(item, heading) for item in items)
            is_longer = any(isinstance(part, s.Not) for part in parts)
            return s.Not(both) if is_longer else _any_of(parts, heading)
        case same:
            return s.Not(same)


def _all_true(parts: tuple[s.Scalar, ...]) -> s.Scalar:
    """All of the parts, each normal, where unknown counts as false."""
    both = _all_of(parts)
    return s.FALSE if isinstance(both, s.And) and _contradict(both.items) else both


def _all_of(parts: tuple[s.Scalar, ...]) -> s.Scalar:
    flat = tuple(item for part in parts for item in (part.items if isinstance(part, s.And) else (part,)))
    if s.FALSE in flat:
        return s.FALSE
    return s.conjunction(tuple(dict.fromkeys(flat)) if len(flat) > 1 else flat)


def _any_of(parts: tuple[s.Scalar, ...], heading: Heading) -> s.Scalar:
    flat = tuple(item for part in parts for item in (part.items if isinstance(part, s.Or) else (part,)))
    if s.TRUE in flat:
        return s.TRUE
    if len(flat) > 1:
        flat = _with_lists(tuple(dict.fromkeys(flat)))
        known = frozenset(flat)
        if any(_negation(part) in known and never_null(part, heading) for part in flat):
            return s.TRUE
    return flat[0] if len(flat) == 1 else s.Or(flat)


def _with_lists(parts: tuple[s.Scalar, ...]) -> tuple[s.Scalar, ...]:
    """Equalities of one scalar with constants of one type become one list, at the place of the first."""
    merged: dict[object, s.Scalar] = {}
    for part in parts:
        found = _equality(part)
        if found is None:
            merged[part] = part
            continue
        place = (found.item, found.type)
        first = merged.get(place)
        if isinstance(first, s.InList):
            found = s.InList(first.item, tuple(dict.fromkeys((*first.values, *found.values))), first.type)
        merged[place] = found
    return tuple(_plain(part) for part in merged.values())


def _equality(part: s.Scalar) -> s.InList | None:
    match part:
        case s.InList():
            return part
        case s.Compare("=", item, s.Constant(value, type_)):
            return s.InList(item, (value,), type_)
        case _:
            return None


def _plain(part: s.Scalar) -> s.Scalar:
    match part:
        case s.InList(item, (value,), type_):
            return s.Compare("=", item, s.Constant(value, type_))
        case _:
            return part


def _negation(part: s.Scalar) -> s.Scalar:
    match part:
        case s.Compare(op, left, right):
            return s.Compare(_OPPOSITE[op], left, right)
        case s.Not(item):
            return item
        case _:
            return s.Not(part)


def _contradict(parts: tuple[s.Scalar, ...]) -> bool:
    """Whether the parts are never all true."""
    known = frozenset(parts)
    fixed: dict[s.Scalar, s.Constant] = {}
    for part in parts:
        if _negation(part) in known:
            return True
        match part:
            case s.Compare("=", s.Column() as column, s.Constant() as constant) if _tells_apart(
                column, constant
            ):
                if fixed.setdefault(column, constant) != constant:
                    return True
    return False


def _tells_apart(column: s.Column, constant: s.Constant) -> bool:
    """Whether constants that differ here also differ in the server; not so floats, which round."""
    if s.is_integer(column.type):
        return constant.type == s.INT64
    if s.is_text(column.type):
        return constant.type == s.TEXT
    return constant.type == column.type and s.core_name(column.type) in ("bool", "date", "uuid")


def _is_null(scalar: s.Scalar) -> bool:
    return isinstance(scalar, s.Constant) and scalar.value is None
