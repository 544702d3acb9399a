"""Find the class that a `->` line names: attribute access only, never evaluation."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from djflow.errors import DefinitionError, did_you_mean

if TYPE_CHECKING:
    from djflow.tables.declared import Table


def find_class(
    reference: str, context: Mapping[str, Any], known: Mapping[str, "type[Table]"]
) -> "type[Table]":
    """The class that a reference names: in the context of the declaration, else among the schema's classes.

    Raises `DefinitionError` with the closest name.
    """
    head, *rest = reference.split(".")
    found: Any = context.get(head, known.get(head))
    for name in rest:
        found = getattr(found, name, None)
    if isinstance(found, type) and hasattr(found, "__djflow_table__"):
        if found.__djflow_table__ is None:
            raise DefinitionError(
                f"{reference} belongs to no activated schema.",
                hint="Decorate it with its schema, or activate that schema first.",
            )
        return found
    names = [
        *known,
        *(
            name
            for name, value in context.items()
            if isinstance(value, type) and hasattr(value, "__djflow_table__")
        ),
    ]
    raise DefinitionError(
        f"The foreign key refers to {reference!r}, which is no table here.{did_you_mean(reference, names)}",
        hint="Declare or import the parent class above this one.",
    )


def declaration_context(cls: type, depth: int) -> dict[str, Any]:
    """The names visible where a class is declared: its module's, then those of the calling function."""
    module = sys.modules.get(cls.__module__)
    frame = sys._getframe(depth)  # noqa: SLF001 - the only way to see the caller's names
    return {**(vars(module) if module else {}), **frame.f_globals, **frame.f_locals}
