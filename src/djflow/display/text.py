"""A grid as text: boxes like those of Polars, as many columns as fit."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

from djflow.display.grid import Cell, Grid, Header, Value
from djflow.display.letters import ELLIPSIS, cut, one_line, width

# The most characters of a text, as many as all columns leave room for.
_WIDTHS: Final = (64, 48, 36, 28, 20)
_NULL: Final = "null"
_BORDERS: Final = 3  # a bar and a space on either side


def widths(narrow: int) -> tuple[int, ...]:
    """How wide texts may be, at best and at worst.

    >>> widths(30)
    (64, 48, 36, 30)
    """
    return (*(each for each in _WIDTHS if each > narrow), narrow)


def as_text(grid: Grid, *, screen: int, most: Sequence[int]) -> str:
    """The grid in boxes, at most `screen` characters wide as long as one column fits, and its note.

    `most` are the widths to which long texts may be cut: the first with which all columns fit, else the last.
    Then columns are left out, and one of dots stands for them. Those of the key are marked with an asterisk.

    >>> from djflow.display.grid import cells
    >>> grid = Grid([Header("id", "int32", in_key=True), Header("name", "varchar(8)")], [cells(1, "ann")])
    >>> print(as_text(grid, screen=80, most=widths(14)))
    ┌───────┬────────────┐
    │   *id ┆ name       │
    │ int32 ┆ varchar(8) │
    ╞═══════╪════════════╡
    │     1 ┆ ann        │
    └───────┴────────────┘
    """
    columns = _fitting(grid, screen, most)
    shown = _those_that_fit(columns, screen)
    note = grid.told(len(shown))
    if len(shown) < len(columns):
        shown = [*shown, _dots(columns[0])]
    return "\n".join([*_boxes(shown, len(grid.rows)), *([one_line(note)] if note else [])])


class _Column:
    """The lines of one column and their width."""

    def __init__(self, head: list[str], body: list[str], *, is_number: bool) -> None:
        self.head, self.body, self.is_number = head, body, is_number
        self.width = max(map(width, [*head, *body]), default=0)

    def padded(self, text: str) -> str:
        space = " " * (self.width - width(text))
        return f" {space}{text} " if self.is_number else f" {text}{space} "


def _fitting(grid: Grid, screen: int, most: Sequence[int]) -> list[_Column]:
    has_types = any(header.type for header in grid.headers)
    columns: list[_Column] = []
    for each in most:
        columns = [
            _column(header, [_shown(row[place], each) for row in grid.rows], most[-1], has_types=has_types)
            for place, header in enumerate(grid.headers)
        ]
        if _total(columns) <= screen:
            return columns
    return columns


def _total(columns: Sequence[_Column]) -> int:
    return 1 + sum(column.width + _BORDERS for column in columns)


def _those_that_fit(columns: list[_Column], screen: int) -> list[_Column]:
    """All of them, or so many that the dots fit beside them; one at least."""
    if _total(columns) <= screen:
        return columns
    ends = accumulate((column.width + _BORDERS for column in columns), initial=1)
    room = screen - len(ELLIPSIS) - _BORDERS
    return columns[: max(sum(end <= room for end in ends) - 1, 1)]


def _dots(like: _Column) -> _Column:
    return _Column([ELLIPSIS] * len(like.head), [ELLIPSIS] * len(like.body), is_number=False)


def _column(header: Header, body: list[str], narrow: int, *, has_types: bool) -> _Column:
    """The lines of a column, which its type makes no wider than `narrow`."""
    name = ("*" if header.in_key else "") + one_line(header.name)
    wide = max(narrow, *map(width, [name, *body]))
    head = [name, *([cut(one_line(header.type), wide)] if has_types else [])]
    return _Column(head, body, is_number=header.is_number)


def _shown(cell: Cell, most: int) -> str:
    match cell:
        case None:
            return _NULL
        case Value(text, is_cut=True):
            return cut(one_line(text), most)
        case _:
            return one_line(cell.text)


def _boxes(columns: Sequence[_Column], height: int) -> list[str]:
    def line(left: str, fill: str, between: str, right: str) -> str:
        return left + between.join(fill * (column.width + 2) for column in columns) + right

    def row(padded: Callable[[_Column], str]) -> str:
        return f"│{'┆'.join(map(padded, columns))}│"

    heads = [row(lambda c, n=n: c.padded(c.head[n])) for n in range(len(columns[0].head))]  # type: ignore[misc]
    body = [row(lambda c, n=n: c.padded(c.body[n])) for n in range(height)]  # type: ignore[misc]
    edge = [line("╞", "═", "╪", "╡")] if body else []
    return [line("┌", "─", "┬", "┐"), *heads, *edge, *body, line("└", "─", "┴", "┘")]
