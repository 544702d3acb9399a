"""What there is to see of a relation, as text or as HTML."""

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from djflow.configuration.settings import DisplaySettings
from djflow.display.grid import Grid
from djflow.display.markup import as_html, note
from djflow.display.sheet import page
from djflow.display.text import as_text, widths
from djflow.display.values import counted
from djflow.errors import DjflowError, MissingTableError
from djflow.planner.nodes import Node
from djflow.relation.preview.extent import first_of
from djflow.relation.preview.first_rows import first_rows, headers, left_out

if TYPE_CHECKING:
    from djflow.relation.database import Database
    from djflow.relation.relation import Relation

_SCREEN: Final = (100, 24)  # where there is none
_ABSENT: Final = "not in the database yet: a declared table is created when it is first used"


@dataclass(frozen=True, slots=True)
class Look:
    """A grid with its note. `is_error` says that the note tells why there are no rows.

    `width` is the number of characters to which texts are cut where columns don't fit side by side.
    """

    grid: Grid
    width: int = DisplaySettings().width
    is_error: bool = False

    def titled(self, title: str, about: str) -> "Look":
        """The same below a title, which notebooks show."""
        return replace(self, grid=replace(self.grid, title=title, about=about))

    def text(self, width: int | None = None) -> str:
        """For a terminal; with a `width`, texts are cut to it in any case."""
        if not self.grid.headers:
            return self.grid.note
        most = widths(self.width) if width is None else (width,)
        return as_text(self.grid, screen=shutil.get_terminal_size(_SCREEN).columns, most=most)

    def html(self) -> str:
        """For a notebook, with the style sheet."""
        return page(self.fragment())

    def fragment(self) -> str:
        """The HTML without the style sheet."""
        if not self.grid.headers:
            return note(self.grid.note, is_error=self.is_error)
        return as_html(self.grid, is_error=self.is_error)


def look(plan: Node, database: "Database", settings: DisplaySettings, *, limit: int | None = None) -> Look:
    """The first rows of a plan, as many as `limit` or else the settings say; creates nothing.

    Raises the typed errors of a query.
    """
    limit = settings.limit if limit is None else limit
    found = first_rows(plan, database, limit)
    height = len(found.rows)
    if not found.are_more:
        told = counted(height, "row")
    elif settings.show_tuple_count:
        told = first_of(height, plan, database)
    else:
        told = f"first {counted(height, 'row')}"
    if not len(plan.heading):
        return Look(Grid((), note=f"({told} without attributes)"), settings.width)
    return Look(Grid(headers(plan), found.rows, note=f"({told})", more=left_out(plan)), settings.width)


def looked_at(relation: "Relation") -> Look:
    """What there is to see of a relation: where its rows cannot be read, its heading, and why.

    Raises nothing, declares nothing, and leaves open transactions as they are.
    """
    try:
        plan = relation.logical_plan
    except DjflowError as error:
        return Look(Grid((), note=f"<{type(relation).__name__}: {error}>"), is_error=True)
    try:
        return look(plan, relation.connection, relation.connection.settings.display)
    except DjflowError as error:
        return without_rows(plan, error)


def without_rows(plan: Node, error: DjflowError) -> Look:
    """The heading, and why there are no rows below it."""
    if isinstance(error, MissingTableError):
        return Look(_empty(plan, f"({_ABSENT})"))
    return Look(_empty(plan, f"(no rows to show: {error})"), is_error=True)


def _empty(plan: Node, told: str) -> Grid:
    return Grid(headers(plan), note=told, more=left_out(plan))
