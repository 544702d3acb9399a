"""A statement's values as settings of the transaction that it runs in: `COPY` takes no parameters.

The text reads each with `current_setting`. To the server that is a stable function, so it plans with
the value in view and looks it up in indexes, as with a parameter.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from djflow.planner.parameters import QUOTED, Parameter, TemporaryRows

_PREFIX: Final = "djflow.p"


@dataclass(frozen=True, slots=True)
class Setting:
    """The name of a setting, its value, and the Arrow type in which it travels."""

    name: str
    value: Any
    type: pa.DataType


@dataclass(frozen=True, slots=True)
class Settled:
    """A statement without parameters, with the settings and the temporary tables that it reads."""

    sql: str
    settings: tuple[Setting, ...]
    tables: tuple[TemporaryRows, ...] = ()


def plan_settings(
    sql: str, parameters: Sequence[Parameter], tables: tuple[TemporaryRows, ...] = ()
) -> Settled:
    r"""The statement with each of its parameters read from a setting.

    >>> five = Parameter(5, pa.int64(), "bigint")
    >>> plan_settings('"$1" > $1::bigint', (five,)).sql
    '"$1" > current_setting(\'djflow.p1\')::bigint'
    >>> plan_settings("n = ANY($1::bigint[])", (Parameter([5], pa.list_(pa.int64()), "bigint[]"),)).sql
    "n = ANY(SELECT unnest(current_setting('djflow.p1')::bigint[]))"
    """
    if not parameters:
        return Settled(sql, (), tables)

    def read(found: re.Match[str]) -> str:
        if not found["number"]:
            return found[0]
        number = int(found["number"])
        value = _reading(number, parameters[number - 1])
        # As rows, which the server hashes: it would parse an array again for each row that it compares.
        return f"ANY(SELECT unnest({value})" if found["any"] else f"{value}"

    settings = (Setting(f"{_PREFIX}{n}", p.value, p.type) for n, p in enumerate(parameters, 1))
    return Settled(
        _placeholder(parameters).sub(read, sql), tuple(s for s in settings if s.value is not None), tables
    )


def _reading(number: int, parameter: Parameter) -> str:
    # A setting cannot be null.
    value = "NULL" if parameter.value is None else f"current_setting('{_PREFIX}{number}')"
    return f"{value}::{parameter.cast}"


def _placeholder(parameters: Sequence[Parameter]) -> re.Pattern[str]:
    casts = "|".join(map(re.escape, sorted({p.cast for p in parameters}, key=len, reverse=True)))
    return re.compile(rf"{QUOTED}|(?P<any>\bANY\()?\$(?P<number>\d+)::(?:{casts})")
