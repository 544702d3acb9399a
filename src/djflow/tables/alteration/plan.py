"""What an alteration would do, to be looked at before it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from djflow.display.sheet import page
from djflow.display.sql_text import coloured_sql
from djflow.display.values import counted
from djflow.model.names import TableName
from djflow.sql.alteration.changes import TableChange


@dataclass(frozen=True, slots=True)
class Finding:
    """Rows that a change would hurt, or, where they are none, what else it would.

    `example` shows one of them, or is empty; `advice` says what to do, or is empty.
    """

    change: TableChange
    rows: int
    reason: str
    advice: str = ""
    example: str = ""

    def __str__(self) -> str:
        example = f" (for example {self.example})" if self.example else ""
        advice = f" {self.advice}" if self.advice else ""
        if not self.rows:
            return f"{self.change}: {self.reason}.{advice}"
        verb = _singular(self.reason) if self.rows == 1 else self.reason
        return f"{self.change}: {self.rows:,} row{'s' if self.rows != 1 else ''} {verb}{example}.{advice}"


@dataclass(frozen=True, slots=True)
class TouchedTable:
    """A table that changes, and about how many rows it has; `follows` that it was not asked for."""

    name: TableName
    rows: int
    follows: bool = False

    def __str__(self) -> str:
        return f"{self.name}, about {self.rows:,} row{'s' if self.rows != 1 else ''}" + (
            ", follows" if self.follows else ""
        )


@dataclass(frozen=True, slots=True)
class AlterationPlan:
    """What `alter` would do; nothing of it is done yet. False where there is nothing to do.

    `tables` are those that change, parents first; `losses` are refused unless `allow_loss=True`, `problems`
    always; `statements` are run in one transaction; `notes` mention what else was seen.
    """

    changes: tuple[TableChange, ...] = ()
    tables: tuple[TouchedTable, ...] = ()
    losses: tuple[Finding, ...] = ()
    problems: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __str__(self) -> str:
        return "\n".join([self.summary(), *(_section("Statements", self.statements) if self.changes else ())])

    def __repr__(self) -> str:
        return str(self)

    def summary(self) -> str:
        """The plan without its statements."""
        if not self.changes:
            return "\n".join(["Nothing to alter.", *self._told()])
        lines = []
        for table in self.tables:
            lines.append(f"{table}:")
            lines += [f"  {each.change}" for each in self.changes if each.table == table.name]
        return "\n".join([*lines, *self._told()])

    def _told(self) -> list[str]:
        return [line for title, lines in self._findings() for line in _section(title, lines)]

    def _findings(self) -> list[tuple[str, Sequence[str]]]:
        """Losses, problems and notes, with their titles."""
        return [
            ("Would lose data (allow_loss=True permits it)", [str(each) for each in self.losses]),
            ("Not possible", [str(each) for each in self.problems]),
            ("Notes", self.notes),
        ]

    def _repr_html_(self) -> str:
        if not self.changes:
            return page(f"<b>Nothing to alter.</b>{self._told_in_html()}")
        tables = "".join(
            _list(str(table), [str(each.change) for each in self.changes if each.table == table.name])
            for table in self.tables
        )
        statements = coloured_sql(";\n".join(self.statements))
        summary = f"<summary>{counted(len(self.statements), 'statement')}</summary>"
        return page(f"{tables}{self._told_in_html()}<details>{summary}<pre>{statements}</pre></details>")

    def _told_in_html(self) -> str:
        refused = "".join(_list(title, lines) for title, lines in self._findings()[:2])
        notes = "".join(_list(title, lines) for title, lines in self._findings()[2:])
        return (f"<div class='dj-error'>{refused}</div>" if refused else "") + notes


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}".replace("\n", "\n  ") for line in lines)] if lines else []


def _list(title: str, lines: Sequence[str]) -> str:
    items = "".join(f"<li><code>{escape(line)}</code></li>" for line in lines)
    return f"<b>{escape(title)}</b><ul>{items}</ul>" if lines else ""


def _singular(reason: str) -> str:
    word, space, rest = reason.partition(" ")
    verb = {"have": "has", "share": "shares", "refer": "refers", "hold": "holds"}.get(word, word)
    return f"{verb}{space}{rest}"
