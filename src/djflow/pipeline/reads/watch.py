"""Who looks at what a `make` reads, and says so where it should not."""

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from djflow.errors import ReadsError, ReadsWarning
from djflow.pipeline.reads.contract import Contract, Fault, Finding
from djflow.pipeline.reads.key_values import KeyValues
from djflow.pipeline.reads.mode import Reads
from djflow.pipeline.reads.record import ReadsRecord
from djflow.pipeline.reads.upstream import with_upstream
from djflow.pipeline.upstream import traced_plans
from djflow.planner.pinned import pinned_scans
from djflow.planner.pinned_shapes import pinned_scans_by_shape

if TYPE_CHECKING:
    from djflow.backend.connections import Query
    from djflow.pipeline.tiers import AutoPopulated
    from djflow.planner.nodes import Node

OWN_SQL: Final = "SQL"
_LIBRARY: Final = f"{Path(__file__).parents[2]}{os.sep}"


class Watching:
    """Looks at all calls of `make` of one table, by one worker in one run."""

    table: "AutoPopulated"
    mode: Reads
    record: ReadsRecord

    def __init__(self, table: "AutoPopulated", mode: Reads) -> None:
        """`mode` is not that in which nobody looks."""
        self.table, self.mode = table, mode
        self.record = ReadsRecord(table)
        self.has_warned: set[tuple[str, Fault]] = set()

    @cached_property
    def contract(self) -> Contract:
        """What may be read; asks the database for what is upstream."""
        name = self.table.table_model.name
        return Contract(name, *with_upstream(self.table.connection, name))

    def call(self, keys: Sequence[Mapping[str, Any]]) -> "Watch":
        """Who looks at one call."""
        self.record.create()
        return Watch(self, KeyValues(keys, self.contract.heading), keys)


class Watch:
    """Looks at one call. `found` has the tables read so far, and whether that was within the contract."""

    def __init__(self, watching: Watching, values: KeyValues, keys: Sequence[Mapping[str, Any]]) -> None:
        self._watching, self._values, self._keys = watching, values, keys
        self._failure: ReadsError | None = None
        self.found: dict[str, bool] = {}

    def before_query(self, query: "Query | str") -> None:
        """The call is about to read. Raises `ReadsError` where it must not, if it is to be strict."""
        if isinstance(query, str):
            self._note(OWN_SQL, Fault.OWN_SQL, Fault.OWN_SQL.value)
            return
        plan, known = cast("Node", query), traced_plans()
        scans = pinned_scans(plan, known) if known else pinned_scans_by_shape(plan)
        for finding in self._watching.contract.findings(scans, self._values):
            self._note(str(finding.name), finding.fault, _why(finding, len(self._keys)), finding)

    def check(self) -> None:
        """Raise what was raised before, although `make` may have caught it."""
        if self._failure is not None:
            raise self._failure

    def _note(self, read: str, fault: Fault | None, why: str, finding: Finding | None = None) -> None:
        self.found[read] = self.found.get(read, True) and fault is None
        if fault is None:
            return
        name = type(self._watching.table).__name__
        advice = _advice(finding, name, len(self._keys))
        if self._watching.mode is Reads.STRICT:
            error = ReadsError(name, self._keys[0], read, why).suggest(advice)
            self._failure = self._failure or error
            raise error
        if (read, fault) not in self._watching.has_warned:
            self._watching.has_warned.add((read, fault))
            text = f"{name}.make({dict(self._keys[0])}) read {read}: {why}. {advice}"
            warnings.warn(text, ReadsWarning, stacklevel=_levels())


def _why(finding: Finding, number: int) -> str:
    if finding.fault is not Fault.OTHER_ROWS:
        return "" if finding.fault is None else finding.fault.value
    which = "the key's" if number == 1 else "those of the keys"
    return f"{finding.fault.value}, for nothing restricts {', '.join(finding.free)} to {which}"


def _advice(finding: Finding | None, table: str, number: int) -> str:
    if finding is None:
        return "Write a query, or populate with reads='open'."
    name, key = finding.name.class_path, "key" if number == 1 else "keys"
    if finding.fault is Fault.NOT_UPSTREAM:
        return f"If {table} depends on it, say so in its definition: `-> {name}`."
    if number > 1 or finding.name.master is not None:
        return f"Write `{name} & {key}`."
    return f"Write `self.upstream[{name}]`, or `{name} & key`."


def _levels() -> int:
    """How many calls away the line is that made a query: the closest one outside of this library."""
    level, frame = 1, sys._getframe(1)  # noqa: SLF001 - as warnings do it
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_LIBRARY):
        level, frame = level + 1, frame.f_back
    return level
