"""Delete rows with all that depends on them, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from djflow.engine.counting import count_all
from djflow.errors import IntegrityError, SerializationError
from djflow.model.names import TableName, Tier
from djflow.tables.deletion.cascade import Cascade, delete_rows, plan_cascade
from djflow.tables.deletion.hold import held_cascade, sees_one_moment
from djflow.tables.deletion.integrity import PartIntegrity, refuse_part
from djflow.tables.prompt import asks, confirmed

if TYPE_CHECKING:
    from djflow.tables.declared import Table


class _Grown(Exception):  # noqa: N818 - a message from within a transaction, not an error
    """More rows depend on what is to be deleted than people were shown."""


def delete(
    table: "Table", *, prompt: bool | None, part_integrity: str, archive: str | Path | None = None
) -> int:
    """Delete rows of a table with all that depends on them; see `Table.delete`."""
    policy = PartIntegrity.named(part_integrity)
    if table.table_model.tier is Tier.PART and policy is PartIntegrity.ENFORCE:
        refuse_part(table.table_model.name, "delete")
    table.connection.ensure(table.logical_plan.tables)
    deletion = _Deletion(table, policy, archive)
    if not asks(prompt, safe=table.connection.settings.safemode):
        return deletion.run()
    while True:
        shown = preview(table, policy)
        if not _agreed(shown):
            return 0
        try:
            return deletion.run(at_most=shown)
        except _Grown:
            print("Meanwhile, more rows came to depend on these. Nothing was deleted.")  # noqa: T201


def delete_quick(table: "Table", *, get_count: bool) -> int | None:
    """Delete rows of a table alone; see `Table.delete_quick`."""
    database = table.connection
    database.ensure(table.logical_plan.tables)
    count = delete_rows(database.session, table.table_model, table.logical_plan)
    return count if get_count else None


def preview(table: "Table", policy: PartIntegrity) -> dict[TableName, int]:
    """How many rows of which tables a delete would take, those without any left out. Locks nothing."""
    session = table.connection.session
    with session.transaction():
        counts = count_all(session, _cascade(table, policy).rows)
    return {name: number for name, number in counts.items() if number}


@dataclass(frozen=True, slots=True)
class _Deletion:
    """What to delete, and what becomes of it."""

    table: "Table"
    policy: PartIntegrity
    archive: str | Path | None

    def run(self, at_most: Mapping[TableName, int] | None = None) -> int:
        """Delete; how many rows of the table. Raises `_Grown` if there are more rows than `at_most`."""
        database = self.table.connection
        return database.run_in_transaction(lambda: self._attempt(at_most), isolation="repeatable read")

    def _attempt(self, at_most: Mapping[TableName, int] | None) -> int:
        cascade = self._cascade()
        if self.archive is not None:
            self._keep(cascade, self.archive)
        deleted = self._delete(cascade)
        if at_most is not None and any(number > at_most.get(name, 0) for name, number in deleted.items()):
            raise _Grown
        return deleted[cascade.seed]

    def _delete(self, cascade: Cascade) -> dict[TableName, int]:
        session = self.table.connection.session
        try:
            return cascade.delete(session)
        except IntegrityError as error:
            if not sees_one_moment(session):
                raise
            # The cascade has all that depends on the rows as of its moment.
            raise SerializationError(
                f"Others inserted what depends on rows of {cascade.seed} while these were being deleted. "
                "Nothing was deleted; run the transaction again."
            ) from error

    def _cascade(self) -> Cascade:
        database, name = self.table.connection, self.table.table_model.name
        session = database.session
        if sees_one_moment(session):
            return _cascade(self.table, self.policy)
        return held_cascade(session, database.whole_catalog(), name, self.table.logical_plan, self.policy)

    def _keep(self, cascade: Cascade, path: str | Path) -> None:
        from djflow.tables.archive import write_archive

        write_archive(self.table.connection, cascade.rows, path, catalog=cascade.catalog)


def _cascade(table: "Table", policy: PartIntegrity) -> Cascade:
    database = table.connection
    catalog = database.whole_catalog()
    return plan_cascade(database.session, catalog, table.table_model.name, table.logical_plan, policy)


def _agreed(counts: Mapping[TableName, int]) -> bool:
    if not counts:
        print("Nothing to delete.")  # noqa: T201 - a conversation
        return False
    print("About to delete:")  # noqa: T201
    width = max(len(str(name)) for name in counts)
    for name, number in counts.items():
        print(f"  {name!s:<{width}}  {number:>12,} rows")  # noqa: T201
    return confirmed("Commit deletes?")
