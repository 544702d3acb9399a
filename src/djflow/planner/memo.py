"""Results of pure functions of plans, kept for the next call with the very same operands.

Plans are told apart by identity: comparing two in full takes longer than building one. The
entries hold their operands, so that no other plan can take an identity while it counts.
"""

import datetime as dt
from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal
from functools import wraps
from types import EllipsisType, NoneType
from typing import Any, Final, ParamSpec, TypeVar
from uuid import UUID

from djflow.model.table import Table
from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    Empty,
    Group,
    Join,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    Top,
    Union,
)

_P = ParamSpec("_P")
_R = TypeVar("_R")

_SIZE: Final = 4096
_LONGEST: Final = 32
_BY_IDENTITY: Final = frozenset(
    {Aggregate, Distinct, Empty, Group, Join, Project, Restrict, Scan, SemiJoin, Table, Top, Union}
)
_BY_VALUE: Final = frozenset(
    {int, float, bool, bytes, NoneType, EllipsisType, dt.date, dt.datetime, Decimal, UUID}
)
_kept: Final[dict[Hashable, tuple[Any, Any]]] = {}


class _UnknownError(Exception):
    """An argument that cannot be told by a key: it may change, or holds rows."""


def memoised(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function, which must be pure, with its results kept.

    >>> calls = []
    >>> @memoised
    ... def double(n):
    ...     calls.append(n)
    ...     return 2 * n
    >>> double(2), double(2), double(2.0), calls
    (4, 4, 4.0, [2, 2.0])
    """

    @wraps(function)
    def remembered(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            key = (function, *map(_key, args), *((n, _key(v)) for n, v in kwargs.items()))
        except _UnknownError:
            return function(*args, **kwargs)
        found = _kept.get(key)
        if found is not None:
            result: _R = found[0]
            return result
        result = function(*args, **kwargs)
        if len(_kept) >= _SIZE:
            _kept.clear()
        _kept[key] = result, (args, kwargs)
        return result

    return remembered


def _key(value: Any) -> Hashable:
    kind = type(value)
    if kind in _BY_IDENTITY:
        if kind is not Table and value.holds_rows:
            raise _UnknownError  # whose rows would be kept as well
        return id(value)
    if kind is str:
        return value  # type: ignore[no-any-return]  # the kind says so
    if kind in _BY_VALUE:
        return kind, value  # for 1 == 1.0 == True
    if (kind is tuple or kind is list) and len(value) <= _LONGEST:
        return kind, tuple(map(_key, value))
    if isinstance(value, Mapping):
        return tuple((name, _key(item)) for name, item in value.items())
    raise _UnknownError
