"""Values that users give for what rows lack, as constants of the column's type."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from djflow.definition import canonical_default
from djflow.errors import AlterationError, DefinitionError
from djflow.model.table import Attribute, Literal
from djflow.model.types import CoreType
from djflow.sql.alteration.delta import Delta, Fill, columns_of


def fills_of(delta: Delta, given: Mapping[str, Any]) -> dict[str, Fill]:
    """The fills of a table's attributes.

    Raises `AlterationError` for an attribute that lacks no values, or a value that does not fit.
    """
    return {name: Fill(_literal(_fillable(delta, name), value)) for name, value in given.items()}


def _fillable(delta: Delta, name: str) -> Attribute:
    column = columns_of(delta.new).get(name)
    former = {after: before for before, after in delta.names.items()}
    is_new = column is not None and name not in former
    becomes_required = (
        column is not None
        and name in former
        and columns_of(delta.old)[former[name]].nullable
        and not column.nullable
    )
    if column is None or not (is_new or becomes_required):
        raise AlterationError(
            f"{delta.name}: fill gives {name!r}, which is neither new nor newly required.",
            table=str(delta.name),
        )
    return column


def _literal(column: Attribute, value: Any) -> Literal:
    if column.type == CoreType("json"):
        return Literal(json.dumps(value))
    try:
        return canonical_default(column.type, _text(value))
    except DefinitionError as error:
        raise AlterationError(
            f"The fill of {column.name!r} does not fit. {error.reason} {error.hint}"
        ) from None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)
