"""How far a pipeline is: the rows of its tables, what is still to be made, and what failed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from djflow.diagram.drawing.model import Gauge
from djflow.model.names import TableName

if TYPE_CHECKING:
    import polars as pl

_THOUSAND: Final = 1000
_WORTH_TELLING: Final = 1_000_000  # bytes: a table without rows has some, too


@dataclass(frozen=True, slots=True)
class State:
    """A table at a moment.

    `rows` are estimated by the server if `is_estimate`. `nbytes` are those in the database, indexes included,
    not those in object stores. `missing` keys of the key source have no row; None for a table that nothing
    is made for, or whose class is not known here. `errors` and `running` are jobs.
    """

    rows: int
    is_estimate: bool = False
    nbytes: int = 0
    missing: int | None = None
    errors: int = 0
    running: int = 0
    keys: int | None = None

    @property
    def made(self) -> float | None:
        """The share of keys that are made; 1 where there are none, None where nothing is to be made."""
        if self.missing is None:
            return None
        total = self.rows + self.missing if self.keys is None else self.keys
        return (total - self.missing) / total if total else 1.0

    @property
    def failed(self) -> float:
        """The share of keys that failed."""
        if not self.missing or self.made is None:
            return 0.0
        return (1 - self.made) * min(self.errors, self.missing) / self.missing

    @property
    def words(self) -> tuple[str, ...]:
        """What there is, and, if there is any, what is left to do.

        >>> State(1200000, is_estimate=True, nbytes=5_600_000).words
        ('≈1.2 M rows · 5.6 MB',)
        >>> State(rows=40, missing=12, errors=1).words
        ('40 rows', '12 missing (1 error)')
        """
        about = "≈" if self.is_estimate else ""
        there = [f"{about}{number_in_words(self.rows)} row{'' if self.rows == 1 else 's'}"]
        if self.nbytes >= _WORTH_TELLING:
            there.append(size_in_words(self.nbytes))
        return tuple(line for line in (" · ".join(there), self._left) if line)

    @property
    def _left(self) -> str:
        jobs = (
            [f"{number_in_words(self.errors)} error{'' if self.errors == 1 else 's'}"] if self.errors else []
        )
        jobs += [f"{number_in_words(self.running)} running"] if self.running else []
        if not self.missing:
            return ", ".join(jobs)
        return f"{number_in_words(self.missing)} missing" + (f" ({', '.join(jobs)})" if jobs else "")

    @property
    def gauge(self) -> Gauge:
        """How it is drawn."""
        return Gauge(self.words, self.made, self.failed)


def number_in_words(number: int) -> str:
    """A number, of large ones two digits or three.

    >>> number_in_words(99_999), number_in_words(1_234_567), number_in_words(10**12)
    ('99,999', '1.2 M', '1,000 G')
    """
    return f"{number:,}" if number < 100 * _THOUSAND else _scaled(number, ("k", "M", "G"))


def size_in_words(nbytes: int) -> str:
    """A number of bytes.

    >>> size_in_words(8192), size_in_words(5_600_000)
    ('8.2 kB', '5.6 MB')
    """
    return _scaled(nbytes, ("kB", "MB", "GB", "TB"))


def _scaled(number: float, units: tuple[str, ...]) -> str:
    """In the first unit that leaves less than a thousand."""
    power = next((n for n in range(1, len(units)) if round(number / _THOUSAND**n, 1) < _THOUSAND), len(units))
    return f"{number / _THOUSAND**power:,.1f}".removesuffix(".0") + f" {units[power - 1]}"


def frame(names: Iterable[TableName], states: Mapping[TableName, State]) -> "pl.DataFrame":
    """The states of tables, a row each."""
    import polars as pl

    columns: dict[str, type[pl.DataType]] = {
        "table": pl.String,
        "tier": pl.String,
        "rows": pl.Int64,
        "is_estimate": pl.Boolean,
        "bytes": pl.Int64,
        "missing": pl.Int64,
        "errors": pl.Int64,
        "running": pl.Int64,
    }
    lines = [
        (str(TableName(name.schema, name.class_path)), str(name.tier), *_numbers(states[name]))
        for name in names
        if name in states
    ]
    return pl.DataFrame(lines, schema=columns, orient="row")


def _numbers(state: State) -> tuple[int | None, ...]:
    return state.rows, state.is_estimate, state.nbytes, state.missing, state.errors, state.running
