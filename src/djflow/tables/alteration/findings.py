"""The questions of an alteration, asked of the database."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from djflow.backend.session import Session
from djflow.errors import QueryError
from djflow.sql.alteration.changes import TableChange
from djflow.sql.alteration.dependents import DEPENDENTS, disturbing
from djflow.sql.alteration.question import Question
from djflow.sql.alteration.trials import trial_function, with_trial
from djflow.tables.alteration.plan import Finding

_LONGEST: Final = 60
# What the server says of values that a type does not hold: data exceptions, and types that do not convert.
_UNFIT: Final = ("22", "42846")


class _Undo(Exception):  # noqa: N818 - no error: it ends a savepoint
    """Roll back what was only needed to ask."""


def ask(session: Session, question: Question) -> Iterator[tuple[Finding, bool]]:
    """What the answer to a question gives rise to, each with whether it is a loss that can be permitted."""
    if question.conversion is None and not question.converts:
        yield from _counted(session, question)
        return
    try:
        with session.transaction():
            found = list(_counted(session, question))
    except QueryError as error:
        if not (error.sqlstate or "").startswith(_UNFIT):
            raise
        found = [] if question.conversion is None else _tried(session, question)
    yield from found


def used_elsewhere(session: Session, changes: Iterable[TableChange]) -> Iterator[Finding]:
    """The changes of columns that the server refuses since views, triggers or the like use them."""
    changes = tuple(changes)
    for table in dict.fromkeys(change.table for change in changes):
        columns = dict(disturbing(each.change for each in changes if each.table == table))
        places = [[table.schema] * len(columns), [table.table] * len(columns), list(columns)]
        for _, _, column, user in session.execute(DEPENDENTS, places) if columns else ():
            yield Finding(
                TableChange(table, columns[column]),
                0,
                f"{user} uses {column!r}",
                "Drop it first, and make it again afterwards.",
            )


def _counted(session: Session, question: Question) -> Iterator[tuple[Finding, bool]]:
    [(rows,)] = session.execute(question.count())
    if rows:
        change = TableChange(question.table, question.change)
        example = _example(session, question)
        yield Finding(change, rows, question.reason, question.advice, example), question.loses


def _tried(session: Session, question: Question) -> list[tuple[Finding, bool]]:
    """The same where some value stops the server: value by value, by a function that survives it."""
    found: list[tuple[Finding, bool]] = []
    with suppress(_Undo), session.transaction():
        session.execute(trial_function(question))
        for each in with_trial(question):
            found += _counted(session, each)
        raise _Undo
    return found


def _example(session: Session, question: Question) -> str:
    if not question.shown:
        return ""
    [row] = session.execute(question.example()) or [()]
    shown = zip(question.shown, row, strict=False)
    return ", ".join(f"{name}={_cut(value)}" for name, value in shown)


def _cut(value: str | None) -> str:
    if value is None:
        return "null"
    return repr(value if len(value) <= _LONGEST else value[: _LONGEST - 3] + "...")
