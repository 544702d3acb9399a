"""Classes for the tables that a database has, whoever declared them."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import new_class
from typing import TYPE_CHECKING, Any, Final

from djflow.definition.class_names import class_names
from djflow.errors import InvalidArgumentError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName, Tier
from djflow.model.table import Table as TableModel
from djflow.tables.declared import Table
from djflow.tables.free import FreeTable
from djflow.tables.tiers import Part

if TYPE_CHECKING:
    from djflow.tables.schema import Schema

Classes = dict[TableName, type[Table]]
_OF_A_FUNCTION: Final = 0x1  # the flag of code whose variables cannot be added to from outside


def tier_class(tier: Tier) -> type[Table]:
    """The class from which those of a tier derive.

    >>> tier_class(Tier.LOOKUP)
    <class 'djflow.tables.tiers.Lookup'>
    """
    # Those that `make` fills are defined above this layer: the package knows where every public name lives.
    found: type[Table] = getattr(import_module("djflow"), tier.value.capitalize())
    return found


def classes_of(
    schema: "Schema", catalog: Catalog, module: str, known: Mapping[TableName, type[Table]]
) -> Classes:
    """A class for each table of a schema: that of `known`, or a new one with its tier as base.

    Parts are attributes of their masters. `module` is what the new classes name as their module.
    """
    models = {table.name: table for table in catalog.tables if table.name.schema == schema.database}
    classes: Classes = dict(known)
    # Masters first: the dotted name of a part is longer.
    for name, path in sorted(class_names(models).items(), key=lambda item: item[1].count(".")):
        if name in classes:
            continue
        cls = classes[name] = _class(schema, models[name], path, module)
        if name.master in models and issubclass(cls, Part):
            cls.master = classes[name.master]
            setattr(cls.master, cls.__name__, cls)
    return classes


def top_level(classes: Mapping[TableName, type[Table]]) -> Iterator[type[Table]]:
    """The classes that are no part of another of them."""
    return (cls for name, cls in classes.items() if name.master not in classes)


def check_extensible(code_flags: int) -> None:
    """Raise `InvalidArgumentError` where code of these flags is a function's: its variables are fixed."""
    if code_flags & _OF_A_FUNCTION:
        raise InvalidArgumentError(
            "A function's variables cannot be added to. Pass a dict, as in make_classes(into=globals()), "
            "or use virtual_schema(name), whose attributes are the classes."
        )


def _class(schema: "Schema", model: TableModel, path: str, module: str) -> type[Table]:
    name = path.rpartition(".")[2]
    # In other people's databases two underscores in a name make no part of a master that does not exist.
    is_orphan = model.tier is Tier.PART and name == path
    members: dict[str, Any] = {
        "__module__": module,
        "__qualname__": path,
        "__doc__": model.comment or None,
        "__djflow_schema__": schema,
        "__djflow_table__": model,
        "definition": FreeTable(schema.connection, model).describe(),
    }
    base = tier_class(Tier.MANUAL if is_orphan else model.tier)
    made: type[Table] = new_class(name, (base,), {}, lambda namespace: namespace.update(members))
    return made
