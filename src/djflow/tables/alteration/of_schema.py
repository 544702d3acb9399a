"""What a schema offers for changing its tables."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from djflow.model.names import TableName
from djflow.tables.alteration.alter import LOCK_SECONDS, Request, alter, plan_alteration
from djflow.tables.alteration.history import migrations

if TYPE_CHECKING:
    import polars as pl

    from djflow.relation.database import Database
    from djflow.tables.alteration.plan import AlterationPlan
    from djflow.tables.declared import Table
    from djflow.tables.registry import Registry


class Alteration:
    """The part of `Schema` that follows changed definitions."""

    if TYPE_CHECKING:  # what Schema has

        @property
        def database(self) -> str:
            """The schema's name."""

        @property
        def connection(self) -> "Database":
            """The database that holds the schema."""

        def _ensure(self) -> None: ...

        registry: "Registry"
        _undeclared: list[type[Table]]

    def alter(
        self,
        prompt: bool | None = None,  # noqa: FBT001 - documented
        *,
        plan: bool = False,
        allow_loss: bool = False,
        renames: Mapping[str, str] | None = None,
        fill: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        lock_timeout: float = LOCK_SECONDS,
    ) -> "AlterationPlan | None":
        """Change all tables of the schema's classes to what their definitions say, in one transaction.

        As `Table.alter`, for several tables at once; `renames` and `fill` name attributes as
        `"Class.attribute"`, those of parts as `"Class.Part.attribute"`.
        """
        request = Request(self.connection, list(self.registry), renames=renames, fill=fill, context=context)
        if plan:
            return plan_alteration(request)
        alter(request, prompt=prompt, allow_loss=allow_loss, lock_timeout=lock_timeout)
        return None

    def migrations(self) -> "pl.DataFrame":
        """What `alter` did to the schema's tables, the first alteration first.

        Columns `migration`, `applied_at` (UTC), `applied_by` (the role), `djflow_version`, `table_name`,
        `definition_before`, `definition_after` and `statements` (of the whole alteration).
        """
        return migrations(self.connection.session, self.database)

    def settle_altered(self, names: Collection[TableName]) -> None:
        """Create those of these tables that are missing, and insert what lookup tables shall contain."""
        self._undeclared += [
            cls for cls in self.registry if cls not in self._undeclared and cls().table_model.name in names
        ]
        self._ensure()
