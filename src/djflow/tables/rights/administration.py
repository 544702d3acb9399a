"""What the owner of a schema does besides declaring: rights, ownership of rows, repair of lineage."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from djflow.errors import InvalidArgumentError
from djflow.model.names import TableName
from djflow.tables.declared import Table
from djflow.tables.migration.lineage import lineage_table_exists, recorded_lineage, rewrite_lineage
from djflow.tables.rights import grants, ownership

if TYPE_CHECKING:
    import polars as pl

    from djflow.relation.database import Database


class Administration:
    """The part of `Schema` that its owner uses."""

    if TYPE_CHECKING:  # what Schema has

        @property
        def database(self) -> str:
            """The schema's name."""

        @property
        def connection(self) -> "Database":
            """The database that holds the schema."""

        def _ensure(self) -> None: ...

        def _reload(self) -> None: ...

    def grant(self, role: str, level: str) -> None:
        """Give a role of the database a level in the schema, for the tables there are and later ones.

        - "reader" reads all tables.
        - "writer" also inserts into and updates Manual and Lookup tables with their parts, and deletes from
          all tables, since deleting an entry takes along what was computed from it.
        - "populator" also inserts into, updates and deletes from Imported and Computed tables, their parts
          and job queues; entries it reads only.

        Levels add up: who enters data and computes has both. Granting twice changes nothing.

        Raises `UnknownRoleError`, `InvalidArgumentError` for an unknown level, and `AccessError` unless the
        rights are yours to give.
        """
        self._ensure()
        grants.grant(self.connection.session, self.database, role, level)

    def revoke(self, role: str) -> None:
        """Take all rights in the schema from a role. What it may do as a member of other roles stays.

        Raises `UnknownRoleError`, and `AccessError` for an owner or for rights that somebody else gave.
        """
        grants.revoke(self.connection.session, self.database, role)

    def grants(self) -> "pl.DataFrame":
        """Who has which level: columns `role`, `level`, `tables` (names on which all its rights are held).

        Rights that were given by other means have the level "custom".
        """
        return grants.grants(self.connection.session, self.database)

    def protect_rows(self, *tables: Any, owner: str | None = None) -> None:
        """Let each row of some tables, parts included, belong to the role that inserts it.

        A later update or delete that meets a colleague's row raises `OwnershipError` and changes nothing.
        Members of the row's role, and the owner of the table, may change it. Everybody who may read, reads.
        Rows that exist already go to the role `owner`, by default to yours.

        Raises `AccessError` unless you own the tables, `UnknownRoleError`.
        """
        self._ensure()
        session = self.connection.session
        with session.transaction():
            ownership.in_turn(session, self.database)
            ownership.protect_rows(session, self._with_parts(tables), owner)
        self._reload()

    def unprotect_rows(self, *tables: Any) -> None:
        """End the protection of tables and their parts; who inserted what stays recorded."""
        self._ensure()
        ownership.unprotect_rows(self.connection.session, self._with_parts(tables))

    def give_rows(self, *tables: Any, old: str, new: str) -> None:
        """Let all rows of the role `old` in protected tables and their parts belong to the role `new`.

        Raises `OwnershipError` unless the rows are yours, and `UnknownRoleError`.
        """
        self._ensure()
        ownership.give_rows(self.connection.session, self._with_parts(tables), old, new)

    @property
    def lineage_table_exists(self) -> bool:
        """Whether the schema records the origins of its attributes."""
        return lineage_table_exists(self.connection.session, self.database)

    @property
    def lineage(self) -> dict[str, str]:
        """The origin of each attribute that has one, both as `schema.table.attribute`."""
        rows = recorded_lineage(self.connection.session, self.database)
        return {f"{self.database}.{table}.{name}": origin for table, name, origin in sorted(rows)}

    def rebuild_lineage(self) -> None:
        """Work out the origins of all attributes from the foreign keys, and record them anew.

        It happens in one transaction: whatever fails, the old record stays. Where tables refer to another
        schema, rebuild that one first. Programs that run already keep what they know.
        """
        self._ensure()
        rewrite_lineage(self.connection.session, self.database)
        self._reload()

    def _with_parts(self, tables: tuple[Any, ...]) -> list[TableName]:
        masters = {self._name_of(table) for table in tables}
        return [name for name in self._present() if name in masters or name.master in masters]

    def _present(self) -> Iterator[TableName]:
        for table in self.connection.catalog([self.database]):
            if table.name.schema == self.database:
                yield table.name

    def _name_of(self, table: Any) -> TableName:
        instance = table() if isinstance(table, type) and issubclass(table, Table) else table
        if isinstance(instance, Table) and instance._plan is not None:  # noqa: SLF001 - of the same layer
            raise InvalidArgumentError(
                f"Rows are protected in whole tables, and {instance.table_model.name} is restricted here."
            )
        if not isinstance(instance, Table) or instance.table_model.name.schema != self.database:
            raise InvalidArgumentError(f"{table!r} is no table of the schema {self.database!r}.")
        return instance.table_model.name
