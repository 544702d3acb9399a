"""Drop tables with all that depends on them, in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from djflow.backend.introspect import relation_names
from djflow.backend.session import Session
from djflow.engine.counting import count_all
from djflow.errors import InvalidArgumentError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName, Tier
from djflow.planner.nodes import Scan
from djflow.planner.propagate.edges import at_or_below
from djflow.sql.ddl import drop_tables
from djflow.sql.lineage import LINEAGE_TABLE, delete_lineage
from djflow.tables.deletion.integrity import PartIntegrity, refuse_part
from djflow.tables.prompt import asks, confirmed

if TYPE_CHECKING:
    from djflow.tables.declared import Table

_JOBS: Final = "~~"


def drop(table: "Table", *, prompt: bool | None, part_integrity: str) -> None:
    """Drop a table and those that depend on it; see `Table.drop`."""
    policy = PartIntegrity.named(part_integrity)
    if policy is PartIntegrity.CASCADE:
        raise ValueError("part_integrity='cascade' is for deletes; drop the master itself.")
    database, name = table.connection, table.table_model.name
    if table._plan is not None:  # noqa: SLF001 - of the same layer
        raise InvalidArgumentError(
            f"drop takes the whole table, and {name} is restricted here: delete() removes the chosen rows. "
            "To drop the table with all of its rows, call drop on the table itself."
        )
    if name.tier is Tier.PART and policy is PartIntegrity.ENFORCE:
        refuse_part(name, "drop")
    session, catalog = database.session, database.whole_catalog()
    if name not in catalog:
        return
    names = _doomed(catalog, name)
    _check_masters(names, policy)
    if asks(prompt, safe=database.settings.safemode) and not _agreed(session, catalog, names):
        return
    with session.transaction():
        _drop(session, names)
    if table.__djflow_schema__ is not None:
        table.__djflow_schema__.note_dropped(names)


def _doomed(catalog: Catalog, name: TableName) -> list[TableName]:
    """A table, its parts, and all that depends on any of them; parents first."""
    parts = [table.name for table in catalog.tables if table.name.master == name]
    return [table.name for table in at_or_below(catalog, [name, *parts])]


def _check_masters(names: Sequence[TableName], policy: PartIntegrity) -> None:
    for name in names:
        if policy is PartIntegrity.ENFORCE and name.master is not None and name.master not in names:
            refuse_part(name, "drop")


def _drop(session: Session, names: Sequence[TableName]) -> None:
    by_schema: dict[str, list[str]] = {}
    for name in names:
        by_schema.setdefault(name.schema, []).append(name.table)
    there = {schema: relation_names(session.connection, schema) for schema in by_schema}
    queues = [TableName(name.schema, _queue(name.table)) for name in names]
    queues = [queue for queue in queues if queue.table in there[queue.schema]]
    # First, for who may not drop them shall be told that, not what rights on our own records are missing.
    session.execute(drop_tables([*queues, *names]))
    for schema, tables in by_schema.items():
        if LINEAGE_TABLE in there[schema]:
            jobs = [queue.table for queue in queues if queue.schema == schema]
            session.execute(delete_lineage(schema), [[*tables, *jobs]])


def _queue(table: str) -> str:
    return _JOBS + table.lstrip("_#")


def _agreed(session: Session, catalog: Catalog, names: Collection[TableName]) -> bool:
    counts: Mapping[TableName, int] = count_all(session, {name: Scan(catalog[name]) for name in names})
    print("About to drop:")  # noqa: T201 - a conversation
    width = max(len(str(name)) for name in counts)
    for name, number in counts.items():
        print(f"  {name!s:<{width}}  {number:>12,} rows")  # noqa: T201
    return confirmed("Drop these tables?")
