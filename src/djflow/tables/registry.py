"""The classes that a schema decorated."""

from collections.abc import Iterator, Mapping
from typing import Final
from weakref import WeakKeyDictionary, WeakSet

from djflow.model.names import TableName
from djflow.relation.database import Database
from djflow.tables.declared import Table
from djflow.tables.tiers import Part


class Registry:
    """Classes of masters with their parts: by name for definitions, by table for the database.

    Of classes that declare one table the last counts, as where a cell of a notebook was run again. Classes of
    one name may declare different tables.
    """

    def __init__(self) -> None:
        self._masters: dict[TableName, type[Table]] = {}
        self._by_name: dict[str, type[Table]] = {}

    def add(self, master: type[Table]) -> set[type[Table]]:
        """Take in a class whose definition was bound; the classes that it takes the place of."""
        name = master().table_model.name
        replaced = self._masters.get(name)
        self._masters[name] = self._by_name[master.__name__] = master
        return set() if replaced is None else {replaced, *parts_of(replaced), *parts_of(master)}

    @property
    def by_name(self) -> Mapping[str, type[Table]]:
        """Masters by the names of their classes."""
        return self._by_name

    @property
    def by_table(self) -> dict[TableName, type[Table]]:
        """Masters and parts by the tables that they declare."""
        return {cls().table_model.name: cls for cls in self}

    def __iter__(self) -> Iterator[type[Table]]:
        """All classes, parts after their master."""
        return (cls for master in self._masters.values() for cls in (master, *parts_of(master)))


# Classes hold their database: whoever held them here would hold it for ever.
_registries: Final[WeakKeyDictionary[Database, WeakSet[Registry]]] = WeakKeyDictionary()


def register(database: Database, registry: Registry) -> None:
    """Note that a database's schema has these classes."""
    _registries.setdefault(database, WeakSet()).add(registry)


def classes_of(database: Database) -> dict[TableName, type[Table]]:
    """All classes of this process that declare tables of a database."""
    registries = _registries.get(database, ())
    return {name: cls for registry in registries for name, cls in registry.by_table.items()}


def parts_of(master: type[Table]) -> list[type[Part]]:
    """The parts that are nested in a class. Another name for a part of another class is none."""
    nested = (value for name, value in vars(master).items() if name != "master")
    return [
        value
        for value in nested
        if isinstance(value, type) and issubclass(value, Part) and vars(value).get("master") in (None, master)
    ]
