"""A grid as HTML."""

from collections.abc import Sequence
from html import escape
from typing import Final

from djflow.display.grid import Cell, Grid, Header, StandIn, Value
from djflow.display.letters import cut, one_line

# The characters of a text, of one while the pointer is on it, and of a type.
_LONGEST: Final = 80
_HOVERED: Final = 1_000
_TYPE: Final = 24


def as_html(grid: Grid, *, is_error: bool = False) -> str:
    """The grid as an HTML table with its title and note, to be put into a `page`; everything is escaped.

    `is_error` says that the note tells of one.

    >>> as_html(Grid([Header("<b>")], [[Value("1 < 2")]])).count("&lt;")
    2
    """
    head = "".join(map(_header, grid.headers))
    body = "".join(f"<tr>{_row(grid, row)}</tr>" for row in grid.rows)
    table = f"<table class='dj-rows'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    told = grid.told(len(grid.headers))
    return f"{_heading(grid)}<div class='dj-wide'>{table}</div>{note(told, is_error=is_error)}"


def _heading(grid: Grid) -> str:
    if not grid.title:
        return ""
    about = f" <small>{escape(one_line(grid.about))}</small>" if grid.about else ""
    return f"<div class='dj-title'><b>{escape(one_line(grid.title))}</b>{about}</div>"


def note(text: str, *, is_error: bool = False) -> str:
    """A line of small print, or nothing.

    >>> note("3 < 4")
    "<div class='dj-note'>3 &lt; 4</div>"
    """
    kind = "dj-note dj-error" if is_error else "dj-note"
    return f"<div class='{kind}'>{escape(text)}</div>" if text else ""


def _header(header: Header) -> str:
    name = escape(one_line(header.name))
    shown = f"<b class='dj-key'>{name}</b>" if header.in_key else name
    kind = f"<br><small>{escape(cut(one_line(header.type), _TYPE))}</small>" if header.type else ""
    whole = header.type if len(header.type) > _TYPE else ""
    hint = "\n".join(text for text in (header.hint, whole) if text)
    return f"<th{_kind(header)}{_title(hint)}>{shown}{kind}</th>"


def _kind(header: Header, *others: str) -> str:
    kinds = " ".join([*(["dj-number"] if header.is_number else []), *others])
    return f" class='{kinds}'" if kinds else ""


def _row(grid: Grid, row: Sequence[Cell]) -> str:
    return "".join(_cell(cell, header) for cell, header in zip(row, grid.headers, strict=True))


def _cell(cell: Cell, header: Header) -> str:
    match cell:
        case None:
            return f"<td{_kind(header, 'dj-null')}>null</td>"
        case StandIn(text):
            return f"<td{_kind(header)}><span class='dj-object'>{escape(one_line(text))}</span></td>"
        case Value(text):
            shown = cut(one_line(text[:_HOVERED]), _LONGEST)
            return f"<td{_kind(header)}{_title(text) if shown != text else ''}>{escape(shown)}</td>"


def _title(text: str) -> str:
    return f" title='{escape(text[:_HOVERED])}'" if text else ""
