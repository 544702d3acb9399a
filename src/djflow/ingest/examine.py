"""A column with values that cannot be converted: which they are, and the others converted all the same."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from djflow.ingest.chunk import Column
from djflow.ingest.columns import is_all_null
from djflow.ingest.convert import attempt_for
from djflow.ingest.kernels.refusal import Refusal
from djflow.model.table import Attribute
from djflow.model.types import arrow_type


@dataclass(frozen=True, slots=True)
class Refused:
    """The places of values that are refused for one reason, ascending."""

    places: "np.ndarray[Any, Any]"
    reason: str


@dataclass(frozen=True, slots=True)
class Examined:
    """A column in its attribute's exact Arrow type, null where a value is refused."""

    array: pa.Array
    refused: tuple[Refused, ...] = ()


def examine(values: Column, attribute: Attribute) -> Examined:
    """Convert what `convert` would convert, and find everything that it would refuse.

    >>> from djflow.model.types import CoreType
    >>> int8 = CoreType("int8")
    >>> examined = examine([1, "two", 300, "4"], Attribute("x", int8, int8))
    >>> examined.array.to_pylist()
    [1, None, None, 4]
    >>> [(each.places.tolist(), each.reason) for each in examined.refused]
    [([1, 2], 'not a whole number from -128 to 127')]
    """
    attempt = attempt_for(attribute.stored)
    if isinstance(values, np.ndarray) and values.dtype == object:
        values = list(values)
    try:
        return Examined(attempt(values))
    except Refusal as refusal:
        refused = _all_refused(values, attempt, refusal)
    good = np.ones(len(values), bool)
    for each in refused:
        good[each.places] = False
    kept = _kept(values, good)
    if is_all_null(kept):
        return Examined(pa.nulls(len(values), arrow_type(attribute.stored)), refused)
    return Examined(_spread(attempt(kept), good), refused)


def _all_refused(
    values: Column, attempt: Callable[[Column], pa.Array], refusal: Refusal
) -> tuple[Refused, ...]:
    found: dict[str, list[np.ndarray[Any, Any]]] = {}
    pending: list[tuple[Column, np.ndarray[Any, Any], Refusal | None]]
    pending = [(values, np.arange(len(values)), refusal)]
    while pending:
        part, places, known = pending.pop()
        refusal_here = known or _refusal(part, attempt)
        if refusal_here is None:
            continue
        told = _told_apart(refusal_here, len(part))
        if told is not None:
            found.setdefault(refusal_here.reason, []).append(places[told])
            others = _kept(part, ~told)
            if not is_all_null(others):
                pending.append((others, places[~told], None))
        else:
            middle = len(part) // 2
            pending.append((part[:middle], places[:middle], None))
            pending.append((part[middle:], places[middle:], None))
    return tuple(Refused(np.sort(np.concatenate(each)), reason) for reason, each in found.items())


def _refusal(values: Column, attempt: Callable[[Column], pa.Array]) -> Refusal | None:
    try:
        attempt(values)
    except Refusal as refusal:
        return refusal
    return None


def _told_apart(refusal: Refusal, rows: int) -> "np.ndarray[Any, Any] | None":
    """Which values a refusal is about, where that is known or there is but one."""
    if rows == 1:
        return np.ones(1, bool)
    if refusal.refused is None:
        return None
    told: np.ndarray[Any, Any] = refusal.refused.to_numpy(zero_copy_only=False)
    return told if told.any() else None


def _kept(values: Column, kept: "np.ndarray[Any, Any]") -> Column:
    if isinstance(values, list):
        return [values[place] for place in np.flatnonzero(kept)]
    return values[kept] if isinstance(values, np.ndarray) else values.filter(pa.array(kept))


def _spread(array: pa.Array, places: "np.ndarray[Any, Any]") -> pa.Array:
    """The values at the places that are true, nulls at the others."""
    rows = np.cumsum(places) - 1
    return array.take(pa.array(rows, mask=~places))
