"""A table to be shown: headers, cells and a line below, as text or as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from djflow.display.values import counted

_NAMED: Final = 5  # of the columns left out


@dataclass(frozen=True, slots=True)
class Header:
    """The head of a column. `hint` is shown while the pointer is on it."""

    name: str
    type: str = ""
    in_key: bool = False
    is_number: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """A cell. One that is not `is_cut` is shown whole or not at all: half a number is another number."""

    text: str
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class StandIn:
    """What stands for a value that is not looked at, such as `<zarr 3x512x512 float32>`."""

    text: str


Cell: TypeAlias = Value | StandIn | None


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with a `note` below it; None among the cells is null.

    `title` and `about`, what it is of, stand above it in HTML. `more` names columns that are left out.
    """

    headers: Sequence[Header]
    rows: Sequence[Sequence[Cell]] = ()
    title: str = ""
    about: str = ""
    note: str = ""
    more: Sequence[str] = ()

    def told(self, shown: int) -> str:
        """The note, with what follows the first `shown` columns.

        >>> Grid([Header("a"), Header("b")], note="(1 row)", more=["c"]).told(1)
        '(1 row) and 2 more attributes: b, c'
        """
        names = [*(header.name for header in self.headers[shown:]), *self.more]
        if not names:
            return self.note
        some = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
        return f"{self.note} and {counted(len(names), 'more attribute')}: {some}"


def cells(*values: object) -> list[Cell]:
    """A row of texts and numbers.

    >>> cells("ann", None, 1234)
    [Value(text='ann', is_cut=True), None, Value(text='1,234', is_cut=False)]
    """
    return [_cell(value) for value in values]


def _cell(value: object) -> Cell:
    match value:
        case None:
            return None
        case Value() | StandIn():
            return value
        case int():
            return Value(f"{value:,}")
        case _:
            return Value(str(value), is_cut=True)
