"""What a flow has to do, told before it is done."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from djflow.model.names import TableName
from djflow.pipeline import history
from djflow.pipeline.flow.restrictions import check_known, fitting
from djflow.pipeline.keys import missing, wanted
from djflow.pipeline.make.commit import has_own_source
from djflow.pipeline.summary import labels
from djflow.planner import analyze
from djflow.planner.nodes import Node, Scan
from djflow.relation.conditions import AndList
from djflow.relation.relation import Relation

if TYPE_CHECKING:
    import polars as pl

    from djflow.pipeline.tiers import AutoPopulated


def plan_of(tables: Sequence["AutoPopulated"], restrictions: tuple[Any, ...]) -> "pl.DataFrame":
    """See `Flow.plan`."""
    import polars as pl

    expected = _expected(tables, restrictions)
    known = history.costs(tables[0].connection, [t.table_model.name for t in tables]) if tables else {}
    lines = []
    check_known(tables, restrictions)
    for table, label in zip(tables, labels([type(table) for table in tables]), strict=True):
        name, conditions = table.table_model.name, fitting(table, restrictions)
        jobs = (table.jobs & wanted(table, conditions) if conditions else table.jobs).progress()
        now, all_ = len(missing(table, conditions)), expected[name]
        later = None if all_ is None else max(0, len(all_ - table.proj()) - now)
        keys, cost = now + (later or 0), known.get(name)
        lines.append(
            {
                "table": label,
                "missing": now,
                "possible": later,
                "errors": jobs["error"],
                "ignored": jobs["ignore"],
                "seconds": None if cost is None else cost.seconds * keys,
                "bytes": None if cost is None else int(cost.nbytes * keys),
            }
        )
    numbers = dict.fromkeys(("missing", "possible", "errors", "ignored"), pl.Int64)
    return pl.DataFrame(
        lines, schema={"table": pl.String, **numbers, "seconds": pl.Float64, "bytes": pl.Int64}
    )


def _expected(
    tables: Sequence["AutoPopulated"], restrictions: tuple[Any, ...]
) -> dict[TableName, Relation | None]:
    """All keys that tables will have once those before them are filled; None where that is not known."""
    found: dict[TableName, Relation | None] = {}
    for table in tables:
        keys = _keys(table, found, fitting(table, restrictions))
        found[table.table_model.name] = None if keys is None else _with_existing(table, keys)
    return found


def _with_existing(table: "AutoPopulated", keys: Relation) -> Relation | None:
    """The keys, and those of rows that are there; None where `make` gives rows a key of more attributes."""
    if set(keys.heading.names) != set(table.table_model.primary_key):
        return None
    return keys.proj() + table.proj()


def _keys(
    table: "AutoPopulated", known: Mapping[TableName, Relation | None], restrictions: tuple[Any, ...]
) -> Relation | None:
    if has_own_source(table):
        read = {each.name.master or each.name for each in table.key_source.logical_plan.tables}
        return wanted(table, restrictions) if read.isdisjoint(known) else None
    plan: Node | None = None
    for fk in table.table_model.foreign_keys:
        if fk.in_key:
            parent = _parent(table, fk.parent, known)
            if parent is None:
                return None
            renamed = {own: referenced for own, referenced in fk.columns if own != referenced}
            refers = analyze.project(parent, (), renamed)
            plan = refers if plan is None else analyze.join(plan, refers)
    if plan is None:
        return wanted(table, restrictions)
    return Relation(plan, table.connection).restrict(AndList(restrictions)).proj()


def _parent(
    table: "AutoPopulated", parent: TableName, known: Mapping[TableName, Relation | None]
) -> Node | None:
    """The rows that a table refers to will have; None where nobody knows how many a `make` will insert."""
    if parent in known:
        keys = known[parent]
        return None if keys is None else keys.logical_plan
    if parent.master in known:
        return None
    schema = type(table).__djflow_schema__
    assert schema is not None  # noqa: S101 - it was declared
    return Scan(schema.parent(parent))
