"""Which tables a flow fills."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import networkx as nx

from djflow.diagram import Diagram
from djflow.errors import InvalidArgumentError, QueryError
from djflow.model.names import TableName
from djflow.pipeline.tiers import AutoPopulated
from djflow.relation.database import Database
from djflow.tables.declared import Table
from djflow.tables.registry import classes_of
from djflow.tables.schema import Schema

if TYPE_CHECKING:
    from djflow.model.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Chosen:
    """The tables to fill, parents first, and the catalog that knows them."""

    database: Database
    catalog: "Catalog"
    tables: tuple[AutoPopulated, ...]


def chosen(targets: Iterable[Any]) -> Chosen:
    """What targets mean.

    Schemas, modules and diagrams mean all of their tables that `make` fills for keys. Of single tables, one
    that is alone comes with all on which it depends; where some depend on others, with what lies between.

    Raises `InvalidArgumentError` for what is no target, `QueryError` for tables without a class here.
    """
    given = [target for target in targets if target is not None]
    if not given:
        raise InvalidArgumentError("Nothing was named to populate.").suggest(
            "Name tables, schemas, modules or a diagram: dj.populate(schema)."
        )
    whole = [each for each in given if isinstance(each, Schema | ModuleType | Diagram)]
    single = [_master(each) for each in given if not isinstance(each, Schema | ModuleType | Diagram)]
    seen = Diagram.from_sequence([*whole, *single])
    catalog, database = seen.catalog, seen.connection
    classes = classes_of(database)
    wanted = {name for each in whole for name in _tables_of(each, classes)}
    wanted |= _with_between(catalog.graph, {table.table_model.name for table in single})
    filled = [
        table.name
        for table in catalog.in_order(wanted)
        if table.name.tier.is_auto_populated and not table.is_singleton  # which has no keys to queue
    ]
    return Chosen(database, catalog, tuple(_instance(name, classes) for name in filled))


def _tables_of(target: Any, classes: Mapping[TableName, type[Table]]) -> set[TableName]:
    names = set(Diagram(target).tables)
    return names if isinstance(target, Diagram) else {name for name in names if name in classes}


def _master(target: Any) -> Table:
    table = target() if isinstance(target, type) and issubclass(target, Table) else target
    if not isinstance(table, Table):
        raise InvalidArgumentError(
            f"Tables, schemas, modules and diagrams can be populated, not {type(target).__name__}."
        ).suggest("Conditions on keys are given by where=.")
    if table.logical_plan != type(table)().logical_plan:
        raise InvalidArgumentError(f"Whole tables are populated, not restricted ones ({table!r}).").suggest(
            "Pass the conditions: dj.populate(Table, where=condition), Flow(Table).populate(condition)."
        )
    master = getattr(type(table), "master", None)
    return master() if master is not None else table


def _with_between(graph: "nx.DiGraph[TableName]", names: set[TableName]) -> set[TableName]:
    above = {name: set(nx.ancestors(graph, name)) for name in names}
    below = {name: set(nx.descendants(graph, name)) for name in names}
    found = set(names)
    for name in names:
        others = names - {name}
        if above[name].isdisjoint(others) and below[name].isdisjoint(others):
            found |= above[name]
        found |= {between for each in others for between in below[each] & above[name]}
    return found


def _instance(name: TableName, classes: Mapping[TableName, type[Table]]) -> AutoPopulated:
    cls = classes.get(name)
    if cls is None:
        raise QueryError(f"No class with a make() was declared here for {name}.").suggest(
            "Import the module that declares it, or leave the table out."
        )
    assert issubclass(cls, AutoPopulated)  # noqa: S101 - the tier in its name says so
    return cls()
