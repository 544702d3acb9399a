"""One key after another in this process."""

import datetime as dt
import inspect
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from djflow.errors import DjflowError, DuplicateError
from djflow.populate.upstream import Ancestry, calling
from djflow.sql.identifiers import qualified, quote
from djflow.tables.write import making

if TYPE_CHECKING:
    from collections.abc import Iterable

    from djflow.populate.tiers import AutoPopulated


@dataclass(slots=True)
class Outcome:
    """What became of the keys."""

    made: int = 0
    skipped: int = 0
    errors: list[tuple[dict[str, Any], Exception]] = field(default_factory=list)


def run_serially(
    table: "AutoPopulated",
    keys: list[dict[str, Any]],
    *,
    suppress_errors: bool,
    display_progress: bool,
    make_kwargs: dict[str, Any],
) -> Outcome:
    """Make every key, each in its own transaction."""
    outcome = Outcome()
    ancestry = Ancestry(table)
    for key in _shown(keys, type(table).__name__) if display_progress else keys:
        try:
            make_one(ancestry, key, make_kwargs)
        except DuplicateError as error:
            if not (table & key):
                _note(outcome, key, error, suppress=suppress_errors)
            else:
                outcome.skipped += 1
        except Exception as error:  # noqa: BLE001 - a scientist's code may raise anything
            _note(outcome, key, error, suppress=suppress_errors)
        else:
            outcome.made += 1
    return outcome


def make_one(ancestry: Ancestry, key: dict[str, Any], make_kwargs: dict[str, Any]) -> None:
    """One call of `make`: what it inserts commits together, or not at all.

    It reads the database as it was when it began. Where others meanwhile changed what it writes or refers to,
    it is called again.
    """
    database = ancestry.table.connection
    database.run_in_transaction(lambda: _make(ancestry, key, make_kwargs), isolation="repeatable read")


def _make(ancestry: Ancestry, key: dict[str, Any], make_kwargs: dict[str, Any]) -> None:
    table = ancestry.table
    started, clock = dt.datetime.now(dt.UTC).replace(tzinfo=None), time.perf_counter()
    with making(table.table_model.name), calling(ancestry, key):
        result = table.make(dict(key), **make_kwargs)
        if inspect.isgenerator(result):
            result.close()
            raise DjflowError(
                f"{type(table).__name__}.make() yields; write it as one function without yield."
            )
        _write_metadata(table, key, started, time.perf_counter() - clock)


def _note(outcome: Outcome, key: dict[str, Any], error: Exception, *, suppress: bool) -> None:
    if not suppress:
        error.add_note(f"While making the key {key}.")
        raise error
    outcome.errors.append((key, error))


def _shown(keys: list[dict[str, Any]], name: str) -> "Iterable[dict[str, Any]]":
    from tqdm.auto import tqdm

    return tqdm(keys, desc=name, unit="key")  # type: ignore[no-any-return]


def _write_metadata(
    table: "AutoPopulated", key: dict[str, Any], started: dt.datetime, seconds: float
) -> None:
    columns = {a.name for a in table.table_model.columns}
    if "_job_start_time" not in columns:
        return
    matching = " AND ".join(f"{quote(name)} = ${i}" for i, name in enumerate(key, 3))
    table.connection.session.execute(
        f"UPDATE {qualified(table.table_model.name)} "
        f"SET _job_start_time = $1, _job_duration = $2 WHERE {matching}",
        [started, seconds, *key.values()],
    )
