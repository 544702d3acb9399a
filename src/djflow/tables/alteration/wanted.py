"""Classes to what an alteration wants of their tables."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from djflow.definition import parse
from djflow.errors import AlterationError, did_you_mean
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import ForeignKeySpec, Table
from djflow.sql.alteration.follow import Lookup, Wanted
from djflow.tables.resolve import find_class

if TYPE_CHECKING:
    from djflow.tables.declared import Table as DeclaredTable
    from djflow.tables.schema import Schema

V = TypeVar("V")


def wanted_tables(
    classes: Sequence[type["DeclaredTable"]],
    renames: Mapping[TableName, Mapping[str, str]],
    context: Mapping[str, Any] | None,
) -> dict[TableName, Wanted]:
    """What the definitions of classes say, to be bound once their parents are known.

    References are looked up in `context`, then as when the class was declared, then in its module.
    """
    return {name_of(cls): _wanted(cls, renames.get(name_of(cls), {}), context or {}) for cls in classes}


def with_missing_parents(
    classes: Sequence[type["DeclaredTable"]], catalog: Catalog, context: Mapping[str, Any] | None
) -> list[type["DeclaredTable"]]:
    """The classes, and those that they refer to and that have no table yet, however far."""
    found = {name_of(cls): cls for cls in classes}
    waiting = list(found.values())
    while waiting:
        parent = _parents(waiting.pop(), context or {})
        for other in parent.values():
            if name_of(other) not in catalog and name_of(other) not in found:
                found[name_of(other)] = other
                waiting.append(other)
    return list(found.values())


def name_of(cls: type["DeclaredTable"]) -> TableName:
    """The name of a declared class's table."""
    return cls().table_model.name


def by_table(
    given: Mapping[str, V], classes: Iterable[type["DeclaredTable"]], own: TableName | None
) -> dict[TableName, dict[str, V]]:
    """What is given by attribute, by table.

    `"attribute"` is one of the table `own`, `"Class.attribute"` one of another's.

    Raises `AlterationError` for a class that takes no part.
    """
    paths = {path: name_of(cls) for cls in classes for path in _paths(cls, own)}
    found: dict[TableName, dict[str, V]] = {}
    for key, value in given.items():
        path, _, attribute = key.rpartition(".")
        table = paths.get(path, own if not path else None)
        if table is None:
            known = [name for name in paths if name]
            raise AlterationError(
                f"{key!r} names no attribute of a class that is altered here.{did_you_mean(path, known)} "
                f"Write 'Class.attribute', with one of {', '.join(known)}."
            )
        found.setdefault(table, {})[attribute] = value
    return found


def _paths(cls: type["DeclaredTable"], own: TableName | None) -> Iterable[str]:
    master: type[DeclaredTable] | None = getattr(cls, "master", None)
    if master is None:
        return (cls.__name__,)
    whole = f"{master.__name__}.{cls.__name__}"
    return (whole, cls.__name__) if own == name_of(master) else (whole,)


def _wanted(cls: type["DeclaredTable"], renames: Mapping[str, str], context: Mapping[str, Any]) -> Wanted:
    schema, name, parents = _schema(cls), name_of(cls), _parents(cls, context)

    def bound(lookup: Lookup) -> Table:
        def resolve(reference: str) -> Table:
            model = parents[reference]().table_model
            return lookup(model.name) or model

        return schema.bound(cls, name, resolve)

    return Wanted(frozenset(map(name_of, parents.values())), bound, renames)


def _parents(cls: type["DeclaredTable"], context: Mapping[str, Any]) -> dict[str, type["DeclaredTable"]]:
    """The classes that a definition refers to, by reference."""
    module = sys.modules.get(cls.__module__)
    recorded: Mapping[str, type[DeclaredTable]] = cls.__dict__.get("__djflow_parents__", {})
    names = {**(vars(module) if module else {}), "master": getattr(cls, "master", None), **context}
    known = _schema(cls).registry.by_name
    return {
        reference: recorded[reference]
        if reference in recorded and reference.partition(".")[0] not in context
        else find_class(reference, names, known)
        for reference in _references(cls)
    }


def _references(cls: type["DeclaredTable"]) -> list[str]:
    text = getattr(cls, "definition", None)
    if not isinstance(text, str):
        return []  # binding says what is missing
    spec = parse(text)
    return [line.parent for line in (*spec.primary, *spec.secondary) if isinstance(line, ForeignKeySpec)]


def _schema(cls: type["DeclaredTable"]) -> "Schema":
    schema = cls.__djflow_schema__
    if schema is None:
        raise AlterationError(f"{cls.__name__} has no definition to compare with: alter works on classes.")
    return schema
