"""Results of `make`, committed: their rows, what is kept about them, and a look whether inputs are there."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from inspect import getattr_static
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from djflow.errors import InputGoneError
from djflow.model.names import TableName
from djflow.pipeline.keys import wanted
from djflow.pipeline.make.inputs import Inputs, Versions
from djflow.pipeline.make.protocol import Called, frame_of
from djflow.pipeline.make.version import code_version
from djflow.pipeline.reads.record import ReadsRecord
from djflow.sql.job_metadata import write_metadata
from djflow.tables.held import HeldRows
from djflow.tables.write import write_held

if TYPE_CHECKING:
    from djflow.pipeline.reads.watch import Watch
    from djflow.pipeline.tiers import AutoPopulated


# How much may wait to be committed together, and for how many seconds.
_MOST_KEYS: Final = 256
_MOST_ROWS: Final = 10_000
_MOST_BYTES: Final = 16 << 20
_LONGEST: Final = 0.7  # longer than a task is to take: it commits once


@dataclass(frozen=True, slots=True)
class Result:
    """What a call of `make` has inserted for its keys; more than one have been given to `make_batch`.

    It began at `started` (UTC) and took `seconds` a key; `inputs` are the versions that it saw, of each key,
    or empty where these need no look. `attempt` counts from 1. `is_checked` tells that the keys were found in
    `key_source` when the transaction of the call began. `watch` has seen what was read, if anybody has.
    """

    keys: tuple[Mapping[str, Any], ...]
    held: HeldRows
    called: Called
    started: dt.datetime
    seconds: float
    inputs: Sequence[Versions]
    attempt: int
    is_checked: bool = False
    watch: "Watch | None" = None

    @property
    def is_alone(self) -> bool:
        """Whether more is to be done where it commits than to write rows."""
        return self.called.check is not None or self.called.insert is not None


Inside: TypeAlias = Callable[[Result], AbstractContextManager[None]]
"""What the rest of a call of `make` runs in, where its inserts are written at once."""

Complete: TypeAlias = Callable[[Sequence[Mapping[str, Any]], Sequence[float]], object]
"""What else belongs into the transaction that commits these keys, each made in so many seconds."""


Lock: TypeAlias = Callable[[Sequence[Mapping[str, Any]]], object]
"""What a transaction begins with in which a call of `make` goes on, of its keys."""


def no_lock(keys: Sequence[Mapping[str, Any]]) -> None:
    """Nobody else can have them."""


def nothing_more(keys: Sequence[Mapping[str, Any]], seconds: Sequence[float]) -> None:
    """Nothing else does."""


@dataclass(slots=True)
class Group:
    """Results that wait to be committed together."""

    results: list[Result] = field(default_factory=list)
    _keys: int = 0
    _rows: int = 0
    _nbytes: int = 0
    _since: float = field(default_factory=monotonic)

    def add(self, result: Result) -> None:
        """One more."""
        self.results.append(result)
        self._keys += len(result.keys)
        self._rows += result.held.rows
        self._nbytes += result.held.nbytes

    def is_full(self) -> bool:
        """Whether it is time to commit."""
        return (
            self._keys >= _MOST_KEYS
            or self._rows >= _MOST_ROWS
            or self._nbytes >= _MOST_BYTES
            or monotonic() - self._since >= _LONGEST
        )

    def holds(self, tables: Collection[TableName]) -> bool:
        """Whether rows of some tables wait."""
        return any(not result.held.tables.isdisjoint(tables) for result in self.results)


def has_own_source(table: "AutoPopulated") -> bool:
    """Whether a class defines `key_source` itself; otherwise foreign keys see to it that keys are in it."""
    from djflow.pipeline.tiers import AutoPopulated

    return getattr_static(type(table), "key_source") is not vars(AutoPopulated)["key_source"]


def check_source(table: "AutoPopulated", keys: Sequence[Mapping[str, Any]]) -> None:
    """Raise `InputGoneError` where `key_source` lacks any of the keys; the server compares their values."""
    if keys and len(wanted(table, [frame_of(table, keys)])) < len(keys):
        raise InputGoneError(type(table).__name__, [dict(key) for key in keys])


class Commit:
    """Commits results of one table."""

    def __init__(self, table: "AutoPopulated", complete: Complete) -> None:
        self._complete = complete
        self._table, self._database, self._inputs = table, table.connection, Inputs(table)
        self._has_own_source, self._reads = has_own_source(table), ReadsRecord(table)
        columns = {column.name for column in table.table_model.columns}
        self._has_metadata = "_job_start_time" in columns

    def commit(self, results: Sequence[Result], inside: Inside) -> None:
        """Commit results together, or none of them; again where another transaction was in the way.

        Raises `InputChangedError`, `SupersededError` and `InputGoneError`, and as inserts do.
        """
        isolated = any(result.is_alone for result in results)
        self._database.run_in_transaction(
            lambda: self.complete(results, inside),
            isolation="repeatable read" if isolated else "read committed",
        )

    def complete(self, results: Sequence[Result], inside: Inside) -> None:
        """Write results, and what belongs to their rows, in the transaction that there is.

        Raises as `commit` does.
        """
        if self._has_own_source:  # before rows are there that the source may depend on
            check_source(self._table, [key for each in results if not each.is_checked for key in each.keys])
        for result in results:
            if result.called.check is not None:
                with inside(result):
                    result.called.check()
        write_held([result.held for result in results], self._database)
        for result in results:
            if result.called.insert is not None:
                with inside(result):
                    result.called.insert()
        self._check_inputs(results)
        if self._has_metadata:
            self._write_metadata(results)
        self._record_reads(results)
        made = [(key, result.seconds) for result in results for key in result.keys]
        self._complete([key for key, _ in made], [seconds for _, seconds in made])

    def _check_inputs(self, results: Sequence[Result]) -> None:
        """After the rows were written: from then on, foreign keys keep the rows that they refer to."""
        unchecked = [result for result in results if result.called.check is None and result.inputs]
        if unchecked:
            versions = [each for result in unchecked for each in result.inputs]
            self._inputs.check([key for result in unchecked for key in result.keys], versions)

    def _record_reads(self, results: Sequence[Result]) -> None:
        watched = [(result, result.watch) for result in results if result.watch is not None]
        for _, watch in watched:
            watch.check()  # make_insert may have read, too
        if watched:
            self._reads.write([(key, watch.found) for result, watch in watched for key in result.keys])

    def _write_metadata(self, results: Sequence[Result]) -> None:
        made = [(key, result) for result in results for key in result.keys]
        attributes = [self._table.table_model.heading[name] for name in made[0][0]]
        values = [[key[attribute.name] for key, _ in made] for attribute in attributes]
        version = code_version(self._database.settings.jobs.version_method)
        starts, seconds = [result.started for _, result in made], [result.seconds for _, result in made]
        statement = write_metadata(self._table.table_model, attributes)
        self._database.session.execute(statement, [starts, seconds, version, *values])
