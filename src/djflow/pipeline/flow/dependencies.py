"""What a table that `make` fills waits for: pure, from definitions and key sources."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from djflow.model.names import TableName
from djflow.model.table import ForeignKey, Table
from djflow.pipeline.make.commit import has_own_source
from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    Join,
    Node,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    asked,
    inputs,
)
from djflow.tables.registry import parts_of

if TYPE_CHECKING:
    from djflow.model.catalog import Catalog
    from djflow.pipeline.tiers import AutoPopulated


@dataclass(frozen=True, slots=True)
class Dependency:
    """That keys of `child` need rows of `parent`, or of the part `part` of it.

    With `columns`, pairs of the child's attribute and the parent's, a key needs only the row that it refers
    to, and can be made as soon as that is there. Without, it may need any rows, so it waits for all.
    """

    child: TableName
    parent: TableName
    columns: tuple[tuple[str, str], ...] | None = None

    @property
    def is_by_key(self) -> bool:
        """Whether a key needs only the row that it refers to."""
        return self.columns is not None


def dependencies(table: "AutoPopulated") -> tuple[Dependency, ...]:
    """Those by a table's key, by other foreign keys, by foreign keys of its parts, and by its source."""
    model = table.table_model
    parents = {fk.parent for fk in model.foreign_keys if fk.in_key}
    found = [_by_foreign_key(model, fk) for fk in model.foreign_keys]
    found += [
        Dependency(model.name, fk.parent)
        for part in parts_of(type(table))
        for fk in part().table_model.foreign_keys
        if (fk.parent.master or fk.parent) != model.name and fk.parent not in parents
    ]
    if has_own_source(table):
        scans = set(_scans(table.key_source.logical_plan, grows=True))
        whole = {name for name, grows in scans if name not in parents or not grows}
        found = [each for each in found if each.parent not in whole]
        found += [Dependency(model.name, name) for name in sorted(whole) if name != model.name]
    return tuple(dict.fromkeys(found))


def _by_foreign_key(model: Table, fk: ForeignKey) -> Dependency:
    return Dependency(model.name, fk.parent, fk.columns if fk.in_key else None)


def _scans(plan: Node, *, grows: bool) -> Iterator[tuple[TableName, bool]]:
    """Tables that a plan reads, each with whether a further row of it can only add keys, and change none."""
    yield from ((table.name, False) for operand in asked(plan) for table in operand.tables)
    match plan:
        case Scan(table):
            yield table.name, grows
        case SemiJoin(negated=True) | Aggregate():
            yield from _scans(plan.source, grows=grows)
            yield from _scans(plan.other, grows=False)
        case SemiJoin() | Restrict() | Project() | Distinct() | Join(kind="inner"):
            for operand in inputs(plan):
                yield from _scans(operand, grows=grows)
        case _:
            for operand in inputs(plan):
                yield from _scans(operand, grows=False)


def key_columns(dependency: Dependency, catalog: "Catalog", master: TableName) -> tuple[tuple[str, str], ...]:
    """Pairs of the child's attribute and the master's, where the parent is the master or a part of it."""
    assert dependency.columns is not None  # noqa: S101 - asked of those by key only
    of_master = _of_master(dependency.parent, catalog, master)
    if of_master is None:
        return dependency.columns
    return tuple((own, of_master[name]) for own, name in dependency.columns if name in of_master)


def _of_master(table: TableName, catalog: "Catalog", master: TableName) -> dict[str, str] | None:
    """The master's attribute behind each of a part's, over other parts too; None for the master itself."""
    if table == master:
        return None
    found: dict[str, str] = {}
    for fk in catalog[table].foreign_keys:
        if master in (fk.parent, fk.parent.master) and fk.parent != table:
            further = _of_master(fk.parent, catalog, master)
            pairs = fk.columns if further is None else [(own, further.get(name)) for own, name in fk.columns]
            found |= {own: name for own, name in pairs if name is not None}
    return found
