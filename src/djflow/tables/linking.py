"""Which modules give schemas their names: a process that knows classes by import has to import these, too."""

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from djflow.errors import DjflowError

if TYPE_CHECKING:
    from djflow.tables.declared import Table


def importing_module() -> str | None:
    """The module whose import is under way and has led here; None for a script, or within a function."""
    frame = sys._getframe(1)  # noqa: SLF001 - the only way to know who imports
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_name == "<module>":
            name, spec = (frame.f_globals.get(each) for each in ("__name__", "__spec__"))
            return None if name == "__main__" or spec is None else name
    return None


def linking_modules(table: "type[Table]") -> tuple[str, ...]:
    """The modules whose import names the schemas of a table and of those that it depends on."""
    schemas = [each.__djflow_schema__ for each in _with_parents(table)]
    found = (schema.linked_in for schema in schemas if schema is not None)
    return tuple(dict.fromkeys(name for name in found if name is not None))


def link(table: "type[Table]", modules: tuple[str, ...]) -> None:
    """Import these where the table's schema has no name in this process."""
    if table.__djflow_schema__ is not None:
        return
    for name in modules:
        import_module(name)
    if table.__djflow_schema__ is None:
        raise DjflowError(f"The schema of {table.__name__} has no name in a worker process.").suggest(
            "Call schema.activate(name) where a module is imported, not in a script or a function."
        )


def _with_parents(table: "type[Table]") -> Iterator["type[Table]"]:
    seen, left = set[type](), [table]
    while left:
        each = left.pop()
        if each not in seen:
            seen.add(each)
            left += each.__djflow_parents__.values()
            yield each
