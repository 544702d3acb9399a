"""A statement's values as settings of the transaction that it runs in: `COPY` takes no parameters.

The text reads each with a function of the setting's name: `current_setting`, or one that the server
evaluates once, while it plans. It plans with the values in view, as with parameters.
"""

import re
from collections.abc import Callable, Sequence
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
    """A statement whose parameters are read from settings, with the temporary tables that it reads."""

    _sql: str
    _parameters: tuple[Parameter, ...]
    tables: tuple[TemporaryRows, ...] = ()

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The settings to be made before; one that would be null is none."""
        numbered = enumerate(self._parameters, 1)
        return tuple(Setting(f"{_PREFIX}{n}", p.value, p.type) for n, p in numbered if p.value is not None)

    def text(self, read: Callable[[str], str]) -> str:
        """The SQL; `read` gives the fragment that reads the setting of a name as text."""
        if not self._parameters:
            return self._sql

        def placed(found: re.Match[str]) -> str:
            if not found["number"]:
                return found[0]
            number = int(found["number"])
            parameter = self._parameters[number - 1]
            # A setting cannot be null.
            value = "NULL" if parameter.value is None else read(f"{_PREFIX}{number}")
            value = f"{value}::{parameter.cast}"
            # As rows, which the server hashes: it would parse an array again for each row that it compares.
            return f"ANY(SELECT unnest({value})" if found["any"] else value

        return _placeholder(self._parameters).sub(placed, self._sql)


def plan_settings(
    sql: str, parameters: Sequence[Parameter], tables: tuple[TemporaryRows, ...] = ()
) -> Settled:
    r"""The statement with each of its parameters read from a setting.

    >>> five = Parameter(5, pa.int64(), "bigint")
    >>> plan_settings('"$1" > $1::bigint', (five,)).text("setting({})".format)
    '"$1" > setting(djflow.p1)::bigint'
    >>> many = Parameter([5], pa.list_(pa.int64()), "bigint[]")
    >>> plan_settings("n = ANY($1::bigint[])", (many,)).text("setting({})".format)
    'n = ANY(SELECT unnest(setting(djflow.p1)::bigint[]))'
    """
    return Settled(sql, tuple(parameters), tables)


def _placeholder(parameters: Sequence[Parameter]) -> re.Pattern[str]:
    casts = "|".join(map(re.escape, sorted({p.cast for p in parameters}, key=len, reverse=True)))
    return re.compile(rf"{QUOTED}|(?P<any>\bANY\()?\$(?P<number>\d+)::(?:{casts})")
