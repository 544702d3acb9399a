"""Single values as people read them."""

import datetime as dt
import re
from decimal import Decimal
from typing import Final

_SHORT: Final = 10  # characters in which a float is told exactly
_TINY, _HUGE = 1e-3, 1e9
_UNIT: Final = 1000
_ZEROS: Final = re.compile(r"0+(?=$|[+-])")


def value_text(value: object) -> str:
    """A value as text; floats are rounded to what one looks at.

    >>> value_text(0.1 + 0.2), value_text(1.5), value_text(2 / 3e9), value_text(True)
    ('0.3', '1.5', '6.66667e-10', 'true')
    >>> value_text(dt.datetime(2024, 5, 6, 7, 8, 9, 120_000, dt.UTC))
    '2024-05-06 07:08:09.12+00:00'
    """
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return _float(value)
        case Decimal():
            return f"{value:f}"
        case dt.datetime() | dt.time() if value.microsecond:
            before, point, behind = str(value).partition(".")
            return f"{before}{point}{_ZEROS.sub('', behind, 1)}"
        case list():
            return f"[{', '.join('null' if each is None else value_text(each) for each in value)}]"
        case _:
            return str(value)


def _float(value: float) -> str:
    exact = repr(value)
    if len(exact) <= _SHORT:
        return exact
    if not _TINY <= abs(value) < _HUGE:
        return f"{value:.6g}"
    rounded = f"{value:.6f}".rstrip("0")
    return f"{rounded}0" if rounded.endswith(".") else rounded


def size_text(nbytes: int) -> str:
    """A number of bytes.

    >>> size_text(999), size_text(1_234_567), size_text(5_000_000_000)
    ('999 B', '1.2 MB', '5.0 GB')
    """
    if nbytes < _UNIT:
        return f"{nbytes} B"
    size = float(nbytes)
    for unit in ("kB", "MB", "GB", "TB"):
        size /= _UNIT
        if round(size, 1) < _UNIT or unit == "TB":
            break
    return f"{size:.1f} {unit}"


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "row"), counted(1234, "row")
    ('1 row', '1,234 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def rounded(number: int) -> str:
    """An estimate, to two digits and marked as such.

    >>> rounded(9_998_734), rounded(1_234), rounded(7)
    ('~10,000,000', '~1,200', '~7')
    """
    digits = max(len(str(number)) - 2, 0)
    return f"~{round(number, -digits):,}"
