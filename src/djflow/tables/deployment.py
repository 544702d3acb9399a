"""Settings of existing tables that an environment wants; each can be made again without harm."""

from typing import Any, Final, Literal, TypedDict

from djflow.errors import InvalidArgumentError
from djflow.model.names import TableName
from djflow.relation.database import Database
from djflow.sql.identifiers import qualified
from djflow.tables.declared import Table
from djflow.tables.schema import Schema

_MODES: Final = {"default": "DEFAULT", "full": "FULL"}


class ReplicaIdentitySummary(TypedDict):
    """What `set_replica_identity` did, or would do."""

    tables_analyzed: int
    tables_modified: int
    ddl: list[str]


def set_replica_identity(
    target: Any,
    mode: Literal["default", "full"] = "full",
    dry_run: bool = True,  # noqa: FBT001, FBT002 - documented
) -> ReplicaIdentitySummary:
    """Choose what logical replication sees of a row that changed: its primary key, or all of it.

    `target` is a schema, which stands for its tables without the hidden ones, or a table, class or instance.
    `mode` "full", the default, publishes the whole old row; "default" only its primary key.
    With `dry_run`, the default, the statements are returned and not run. Tables are altered one at a time:
    after an error call it again, for doing it twice is harmless.

    Raises `InvalidArgumentError` for another target or mode, `AccessError` for tables of another owner.

    >>> from djflow import Manual, Schema
    >>> @Schema("replicated_lab")
    ... class Subject(Manual):
    ...     definition = "subject : int32"
    >>> set_replica_identity(Subject)["ddl"]
    ['ALTER TABLE "replicated_lab"."subject" REPLICA IDENTITY FULL']
    """
    if mode not in _MODES:
        raise InvalidArgumentError(f"mode must be 'default' or 'full'; got {mode!r}")
    database, names = target_tables(target)
    statements = [f"ALTER TABLE {qualified(name)} REPLICA IDENTITY {_MODES[mode]}" for name in names]
    if not dry_run:
        database.ensure_schemas({name.schema for name in names})
        for statement in statements:
            database.session.execute(statement)
    return {
        "tables_analyzed": len(names),
        "tables_modified": 0 if dry_run else len(names),
        "ddl": statements,
    }


def target_tables(target: Any) -> tuple[Database, list[TableName]]:
    """The database and the tables, hidden ones left out, that a schema, a class or an instance stands for."""
    if isinstance(target, Schema):
        return target.connection, [TableName(target.database, name) for name in target.list_tables()]
    instance = target() if isinstance(target, type) and issubclass(target, Table) else target
    if isinstance(instance, Table):
        return instance.connection, [instance.table_model.name]
    raise InvalidArgumentError(
        f"target must be a Schema or Table class/instance; got {type(target).__name__}"
    )
