"""Carry out alterations: look, ask, lock, look again, change everything or nothing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from djflow.backend.session import Session
from djflow.errors import AlterationError, InvalidArgumentError, QueryError
from djflow.model.names import TableName
from djflow.relation.database import Database
from djflow.sql.identifiers import qualified
from djflow.tables.alteration.carry_out import carry_out
from djflow.tables.alteration.outdated import outdated
from djflow.tables.alteration.prepare import Asked, Prepared, prepare
from djflow.tables.alteration.refresh import classes_of, insert_contents, settle
from djflow.tables.alteration.wanted import by_table, wanted_tables, with_missing_parents
from djflow.tables.arguments import check_mapping
from djflow.tables.prompt import asks, confirmed

if TYPE_CHECKING:
    from djflow.tables.alteration.plan import AlterationPlan
    from djflow.tables.declared import Table

LOCK_SECONDS: Final = 10.0
_SHORTEST: Final = 0.001
_LONGEST: Final = 2e6  # what PostgreSQL's milliseconds hold
_BUSY: Final = ("55P03", "40P01")


@dataclass(frozen=True, slots=True)
class Request:
    """Which classes' tables to alter, and how.

    `own` is the table whose attributes `renames` and `fill` may name without its class.
    """

    database: Database
    classes: Sequence[type["Table"]]
    own: TableName | None = None
    renames: Mapping[str, str] | None = None
    fill: Mapping[str, Any] | None = None
    context: Mapping[str, Any] | None = None

    def look(self) -> tuple[Prepared, list[type["Table"]]]:
        """What altering would do now, and the classes that take part: missing parents are created as well."""
        check_mapping("renames", self.renames, "{'old': 'new'}")
        check_mapping("fill", self.fill, "{'attribute': 0}")
        check_mapping("context", self.context, "{'Session': Session}")
        catalog = self.database.whole_catalog()
        classes = with_missing_parents(self.classes, catalog, self.context)
        renames = by_table(self.renames or {}, classes, self.own)
        fills = by_table(self.fill or {}, classes, self.own)
        asked = Asked(wanted_tables(classes, renames, self.context), fills)
        prepared = prepare(self.database.session, catalog, asked)
        told = tuple(outdated(prepared.target, classes_of(self.database)))
        plan = replace(prepared.plan, notes=(*prepared.plan.notes, *told))
        return replace(prepared, plan=plan), classes


def plan_alteration(request: Request) -> "AlterationPlan":
    """What altering would do."""
    return request.look()[0].plan


def alter(
    request: Request,
    *,
    prompt: bool | None = None,
    allow_loss: bool = False,
    lock_timeout: float = LOCK_SECONDS,
) -> None:
    """Alter tables; see `Table.alter`."""
    _check_seconds(lock_timeout)
    session, settings = request.database.session, request.database.settings
    seen, _ = request.look()
    if not seen.plan:
        print(seen.plan.summary())  # noqa: T201 - a conversation
        return
    _check(seen, allow_loss=allow_loss)
    print(seen.plan.summary())  # noqa: T201
    if asks(prompt, safe=settings.safemode) and not confirmed("Alter?"):
        return
    with session.transaction(), _locked(session, seen, lock_timeout):
        ready, classes = request.look()
        _check_same(seen, ready)
        _check(ready, allow_loss=allow_loss)
        carry_out(session, ready, lambda: insert_contents(ready, classes))
        settle(request.database, ready, classes)


def _check_seconds(given: object) -> None:
    # In PostgreSQL, 0 would mean to wait for ever.
    if not isinstance(given, int | float) or not _SHORTEST <= given <= _LONGEST:
        raise InvalidArgumentError(
            f"lock_timeout is a number of seconds, at least {_SHORTEST:g}, not {given!r}."
        )


def _check(prepared: Prepared, *, allow_loss: bool) -> None:
    plan = prepared.plan
    problems = [str(each) for each in plan.problems]
    losses = [] if allow_loss else [str(each) for each in plan.losses]
    if not problems and not losses:
        return
    hints = [] if allow_loss or not losses else ["Pass allow_loss=True to lose it all the same."]
    first = (plan.problems or plan.losses)[0].change.table
    what = "cannot be altered" if problems else "would lose data"
    raise AlterationError(
        f"{first} {what}; nothing was changed.", table=str(first), problems=problems, would_lose=losses
    ).suggest(*hints, *plan.notes)


def _check_same(seen: Prepared, ready: Prepared) -> None:
    if ready.plan and seen.plan.changes != ready.plan.changes:
        raise AlterationError(
            "The tables changed since the plan was made; nothing was altered. "
            "Look at the new one: alter(plan=True)."
        )


@contextmanager
def _locked(session: Session, prepared: Prepared, seconds: float) -> Iterator[None]:
    """Nobody else reads, writes, declares or alters these tables until the transaction ends."""
    names = sorted(prepared.tables)
    schemas = sorted({name.schema for name in names} | {t.name.schema for t in prepared.target.created})
    [(before,)] = session.execute("SELECT current_setting('lock_timeout')")
    session.execute("SELECT set_config('lock_timeout', $1, true)", [f"{int(seconds * 1000)}ms"])
    try:
        for schema in schemas:
            session.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [f"djflow declare {schema}"]
            )
        if names:
            listed = ", ".join(qualified(name) for name in names)
            session.execute(f"LOCK TABLE {listed} IN ACCESS EXCLUSIVE MODE")
        yield
    except QueryError as error:
        if error.sqlstate not in _BUSY:
            raise
        raise AlterationError(
            f"Others use {', '.join(map(str, names))}: no lock within {seconds:g} s; nothing was changed. "
            "Alter when they are done, or wait longer with lock_timeout=seconds.",
            table=str(names[0]) if names else "",
        ) from error
    session.execute("SELECT set_config('lock_timeout', $1, true)", [before])
