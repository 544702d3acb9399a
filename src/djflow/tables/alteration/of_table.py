"""Alter one table with its parts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from djflow.errors import AlterationError
from djflow.tables.alteration.alter import Request, alter, plan_alteration

if TYPE_CHECKING:
    from djflow.tables.alteration.plan import AlterationPlan
    from djflow.tables.declared import Table


def alter_table(
    table: "Table",
    options: Mapping[str, Any],
    *,
    plan: bool,
    prompt: bool | None,
    allow_loss: bool,
    lock_timeout: float,
) -> "AlterationPlan | None":
    """Alter a table with its parts, or tell how; see `Table.alter`."""
    cls, model = type(table), table.table_model
    if table._plan is not None:  # noqa: SLF001 - of the same layer
        raise AlterationError(f"alter takes the whole table, and {model.name} is restricted here.")
    if "__djflow_table__" not in vars(cls):
        raise AlterationError(f"{model.name} has no class here, whose definition could say what it shall be.")
    request = Request(table.connection, [cls, *_parts(cls)], model.name, **options)
    if plan:
        return plan_alteration(request)
    alter(request, prompt=prompt, allow_loss=allow_loss, lock_timeout=lock_timeout)
    return None


def _parts(master: type["Table"]) -> list[type["Table"]]:
    from djflow.tables.registry import parts_of

    return list(parts_of(master))
