"""How results are printed: as columns of text for people, as JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

_GAP: Final = "  "


def print_rows(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print rows, of which each has the columns (and others, which only JSON tells)."""
    print(as_document(rows) if as_json else as_columns(columns, rows))


def as_document(value: Any) -> str:
    """A value as JSON; moments are by ISO 8601, what else JSON does not know is text.

    >>> print(as_document({"table": "lab.session", "rows": 3}))
    {
      "table": "lab.session",
      "rows": 3
    }
    """
    return json.dumps(value, indent=2, default=_as_json, ensure_ascii=False)


def as_columns(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows below each other, numbers at the right of their columns, `-` for what is not known.

    >>> rows = [{"table": "session", "rows": 12}, {"table": "rig", "rows": None}]
    >>> print(as_columns(["table", "rows"], rows))
    TABLE    ROWS
    session    12
    rig         -
    """
    cells = [[_shown(row.get(column)) for column in columns] for row in rows]
    lines = [[column.upper() for column in columns], *cells]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    right = [all(_is_number(row.get(column)) for row in rows) for column in columns]
    return "\n".join(_line(line, widths, right) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (
        cell.rjust(width) if at_right else cell.ljust(width)
        for cell, width, at_right in zip(cells, widths, right, strict=True)
    )
    return _GAP.join(padded).rstrip()


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _as_json(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.3g}"
        case datetime():
            return value.isoformat(" ", "seconds")
        case _:
            return " ".join(str(value).split()) or "-"
