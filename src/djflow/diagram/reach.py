"""The rows that a diagram is about: what depends on some rows, what they come from, what agrees with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from djflow.engine.masters import cascaded_with_masters
from djflow.engine.settle import FetchedKeys
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.planner.nodes import Node, Scan
from djflow.planner.operand import matched, operand
from djflow.planner.propagate import any_rows, cascaded, restricted_by, traced
from djflow.relation.database import Database
from djflow.relation.relation import Relation
from djflow.tables.deletion.integrity import PartIntegrity


@dataclass(frozen=True, slots=True)
class Reach:
    """Rows by table: `plans`, which follow from the `seeds`. Tables without a plan are not concerned."""

    kind: Literal["cascade", "trace", "restriction"]
    seeds: Mapping[TableName, Node]
    plans: Mapping[TableName, Node] = field(compare=False)
    part_integrity: str = PartIntegrity.ENFORCE.value

    @property
    def is_closed(self) -> bool:
        """Whether tables without a plan have no place in the diagram."""
        return self.kind != "restriction"

    def renewed(self, catalog: Catalog) -> "Reach":
        """The same seeds in a catalog that may have more tables."""
        return restriction(catalog, self.seeds) if self.kind == "restriction" else self

    def __str__(self) -> str:
        return f"this {self.kind} of {', '.join(map(str, self.seeds))}"


def selected(catalog: Catalog, rows: Node) -> tuple[TableName, Node]:
    """The table of a query, and which of its rows the query has, with all attributes of the table.

    Raises `QueryError` for a query over several tables, or without the table's primary key.
    """
    given = operand(rows)
    whole = Scan(catalog[given.table.name])
    if rows.heading == whole.heading and all(column == name for column, name in given.names.items()):
        return given.table.name, rows
    key = whole.heading.primary_key
    return given.table.name, matched(operand(whole), given, [(name, name) for name in key]).node


def cascade(expression: Relation, catalog: Catalog, part_integrity: str) -> Reach:
    """What a delete of these rows takes along. Raises `ValueError` for an unknown policy."""
    policy = PartIntegrity.named(part_integrity)
    session = expression.connection.session
    settle = FetchedKeys(session)
    name, rows = _known(expression, catalog, settle)
    if policy is PartIntegrity.CASCADE:
        plans = cascaded_with_masters(session, catalog, {name: rows}, settle)
    else:
        plans = cascaded(catalog, {name: rows}, settle)
    return Reach("cascade", {name: rows}, plans, policy.value)


def trace(expression: Relation, catalog: Catalog) -> Reach:
    """What these rows come from."""
    settle = FetchedKeys(expression.connection.session)
    name, rows = _known(expression, catalog, settle)
    return Reach("trace", {name: rows}, traced(catalog, rows, settle))


def _known(expression: Relation, catalog: Catalog, settle: FetchedKeys) -> tuple[TableName, Node]:
    name, rows = selected(catalog, expression.logical_plan)
    # What only Polars can compute is asked once, not again for every table.
    return name, settle(catalog[name], rows) if rows.has_local else rows


def restriction(catalog: Catalog, seeds: Mapping[TableName, Node]) -> Reach:
    """What agrees with all of the seeds."""
    return Reach("restriction", seeds, restricted_by(catalog, seeds))


def narrowed(
    catalog: Catalog, before: Mapping[TableName, Node], rows: Node
) -> tuple[TableName, dict[TableName, Node]]:
    """The seeds of a restriction and one more, with its table."""
    name, more = selected(catalog, rows)
    known = before.get(name)
    if known is not None:
        key = [(column, column) for column in known.heading.primary_key]
        more = matched(operand(known), operand(more), key).node
    return name, {**before, name: more}


def upstream(database: Database, catalog: Catalog, table: TableName, key: Mapping[str, Any]) -> Reach:
    """What a row of this key comes from, whether it exists already or not.

    Foreign keys outside the primary key are followed from the row, once it exists.
    """
    settle = FetchedKeys(database.session)
    own = catalog[table]
    row = Relation(Scan(own), database).restrict(key).logical_plan
    found: dict[TableName, list[Node]] = {}
    for foreign_key in own.foreign_keys:
        if foreign_key.parent == table or not foreign_key.in_key:
            continue
        values = {its: key[column] for column, its in foreign_key.columns}
        parent = Relation(Scan(catalog[foreign_key.parent]), database).restrict(values).logical_plan
        _gather(found, traced(catalog, parent, settle))
    _gather(found, _by_secondary_keys(catalog, table, row, settle))
    plans = {
        name: parts[0] if len(parts) == 1 else any_rows(Scan(catalog[name]), parts)
        for name, parts in found.items()
    }
    return Reach("trace", {table: row}, {**plans, table: row})


def _by_secondary_keys(
    catalog: Catalog, table: TableName, row: Node, settle: FetchedKeys
) -> Mapping[TableName, Node]:
    own = catalog[table]
    others = tuple(foreign_key for foreign_key in own.foreign_keys if not foreign_key.in_key)
    if not others:
        return {}
    rest = (each for each in catalog.tables if each.name != table)
    return traced(Catalog((replace(own, foreign_keys=others), *rest)), row, settle)


def _gather(found: dict[TableName, list[Node]], plans: Mapping[TableName, Node]) -> None:
    for name, plan in plans.items():
        known = found.setdefault(name, [])
        if plan not in known:
            known.append(plan)
