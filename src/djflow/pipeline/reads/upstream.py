"""Which tables are upstream of another one."""

from typing import TYPE_CHECKING

from djflow.model.catalog import Catalog
from djflow.model.names import TableName

if TYPE_CHECKING:
    from djflow.relation.database import Database


def upstream_names(catalog: Catalog, name: TableName) -> frozenset[TableName]:
    """The table, all to which foreign keys lead from it, and the parts of these, with what those refer to."""
    parts: dict[TableName, list[TableName]] = {}
    for table in catalog.tables:
        if table.name.master is not None:
            parts.setdefault(table.name.master, []).append(table.name)
    found, waiting = {name}, [name]
    while waiting:
        own = waiting.pop()
        parents = [key.parent for key in catalog[own].foreign_keys] if own in catalog else []
        more = {*parents, *parts.get(own, ())} - found
        found |= more
        waiting += more
    return frozenset(found)


def with_upstream(database: "Database", name: TableName) -> tuple[Catalog, frozenset[TableName]]:
    """The names of what is upstream of a table, and a catalog that has them all, parts included."""
    schemas = {name.schema}
    while True:
        catalog = database.catalog(schemas)
        names = upstream_names(catalog, name)
        more = {each.schema for each in names} - schemas
        if not more:
            return catalog, names
        schemas |= more
