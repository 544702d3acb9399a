"""Methods of tables that take objects from one store to another."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from djflow.relation.on_class import on_class

if TYPE_CHECKING:
    import polars as pl

    from djflow.model.table import Table
    from djflow.planner.nodes import Node
    from djflow.relation.database import Database


class HasObjects(Protocol):
    """A table, or some of its rows."""

    @property
    def table_model(self) -> "Table":
        """The table."""
        ...

    @property
    def logical_plan(self) -> "Node":
        """The rows."""
        ...

    @property
    def connection(self) -> "Database":
        """The database that has it."""
        ...


class MovesObjects:
    """What tables offer for the objects to which their rows refer."""

    @on_class
    def copy_objects(
        self: HasObjects, to: str, attributes: Sequence[str] | None = None, *, display_progress: bool = False
    ) -> "pl.DataFrame":
        """Copy the objects of the rows to the same paths in the store `to`; the rows stay as they are.

        Each copy is read again and compared with the size, the checksum or the hash that its row tells. What
        is there already, and is the same, is not copied again, so a copy that was interrupted may be made
        again. `attributes` are those whose objects are copied, by default all but `<filepath@>`, whose
        files are yours; parts are tables of their own. `display_progress` shows a bar.

        Returns a frame with a row for each object: `attribute`, `store`, `path`, `new_path`, `rows` (how many
        refer to it), `bytes`, `done` ("copied" or "was there"), `checked` ("checksum", or "size" where the
        row tells nothing else), `problem` ("missing", "corrupt" or "unreadable") and `detail`.

        Raises `ConfigError` for a store that is not configured, `UnknownAttributeError`,
        `InvalidArgumentError` for an attribute without objects, `BucketInaccessible`, `StoreFullError`.
        """
        from djflow.tables.objects.movable import find_movables
        from djflow.tables.objects.moving import copy

        found = find_movables(self.table_model, self.logical_plan, self.connection, to, attributes)
        return copy(found, display=display_progress)

    @on_class
    def move_objects(
        self: HasObjects,
        to: str,
        attributes: Sequence[str] | None = None,
        *,
        dry_run: bool = True,
        display_progress: bool = False,
    ) -> "pl.DataFrame":
        """Move the objects of the rows to the store `to`; by default only tells which would be moved.

        With `dry_run=False` each object is copied to a new path and compared as `copy_objects` does; then
        the rows that still have the old reference get the new one, which is all that changes in them. Others
        may work meanwhile. The old objects stay until `dj.gc` collects them. Objects move in batches: after
        an interruption, call it again, and it goes on with what is left. A row whose object is missing or
        damaged keeps its reference.

        `attributes` and the frame are those of `copy_objects`, `done` being "to be moved", "moved", or "rows
        changed meanwhile" where no row had the reference any more.

        Raises as `copy_objects` does, `QueryError` inside a transaction, and `AccessError` or
        `OwnershipError` where the role may not update the rows.
        """
        from djflow.tables.objects.movable import find_movables
        from djflow.tables.objects.moving import move

        found = find_movables(self.table_model, self.logical_plan, self.connection, to, attributes)
        return move(found, dry_run=dry_run, display=display_progress)
