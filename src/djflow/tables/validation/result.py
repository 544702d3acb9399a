"""What a validation found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from djflow.display.grid import Grid, Header, cells
from djflow.display.markup import as_html
from djflow.display.sheet import page
from djflow.ingest.inspect import Problems

if TYPE_CHECKING:
    import polars as pl

_SHOWN: Final = 20  # problems in a notebook
_LISTED: Final = 100  # problems in a summary


@dataclass(frozen=True, slots=True, eq=False)
class ValidationResult:
    """How many rows were checked, and what is wrong with them.

    `frame` has a row for each problem, by row: `row` (counted from 0; null where the source as a whole lacks
    or adds a column), `column` (null where the row itself cannot be read), `value`, `problem`, `expected`.
    True if there is none.
    """

    rows_checked: int
    frame: "pl.DataFrame"

    @property
    def is_valid(self) -> bool:
        """Whether all rows passed."""
        return self.frame.is_empty()

    def __bool__(self) -> bool:
        return self.is_valid

    @property
    def errors(self) -> list[tuple[int | None, str | None, str]]:
        """Row, field and message of each problem."""
        return list(self._errors(self.frame))

    @staticmethod
    def _errors(frame: "pl.DataFrame") -> Iterator[tuple[int | None, str | None, str]]:
        for row, column, value, problem, expected in frame.iter_rows():
            message = problem[:1].upper() + problem[1:]
            if expected is not None:
                message += f"; expected {expected}"
            if value is not None:
                message += f"; got {value}"
            yield row, column, message

    def summary(self) -> str:
        """The problems as text, a line each, the first hundred of them."""
        if self.is_valid:
            return f"{_counted(self.rows_checked, 'row')} checked, no problems."
        lines = [_line(*error) for error in self._errors(self.frame.head(_LISTED))]
        more = self.frame.height - len(lines)
        if more:
            lines.append(f"... and {_counted(more, 'more problem')}: see `frame`.")
        return "\n".join(lines)

    def __repr__(self) -> str:
        head = f"ValidationResult({_counted(self.rows_checked, 'row')} checked, {self._count()})"
        return head if self.is_valid else f"{head}\n{self.summary()}"

    def _count(self) -> str:
        return _counted(self.frame.height, "problem") if not self.is_valid else "no problems"

    def _repr_html_(self) -> str:
        title = f"{_counted(self.rows_checked, 'row')} checked, {self._count()}."
        if self.is_valid:
            return page(escape(title))
        headers = [Header(name, is_number=name == "row") for name in self.frame.columns]
        rows = [cells(*row) for row in self.frame.head(_SHOWN).iter_rows()]
        more = self.frame.height - _SHOWN
        note = f"... and {_counted(more, 'more problem')}" if more > 0 else ""
        return page(as_html(Grid(headers, rows, title, note=note)))


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _line(row: int | None, column: str | None, message: str) -> str:
    place = [f"Row {row}"] if row is not None else []
    place += [f"field {column!r}"] if column is not None else []
    text = ", ".join(place)
    return f"{text[:1].upper()}{text[1:]}: {message}"


def as_frame(found: Sequence[Problems]) -> "pl.DataFrame":
    """The problems as rows, ordered by the row that they are about."""
    import polars as pl

    schema = dict.fromkeys(("column", "value", "problem", "expected"), pl.String())
    whole = pl.DataFrame(schema={"row": pl.Int64(), **schema})
    pieces = [_piece(each).select(whole.columns) for each in found]
    return pl.concat([whole, *pieces]).sort("row", nulls_last=False, maintain_order=True)


def _piece(problems: Problems) -> "pl.DataFrame":
    import polars as pl

    texts = {
        "column": problems.column,
        "value": problems.values,
        "problem": problems.problem,
        "expected": problems.expected,
    }
    return pl.DataFrame({"row": pl.Series(problems.rows, dtype=pl.Int64)}).with_columns(
        pl.lit(text, pl.String).alias(name)
        if text is None or isinstance(text, str)
        else pl.Series(name, text, pl.String)
        for name, text in texts.items()
    )
