"""What a schema offers for tables without classes: finding, listing, making classes, writing them down."""

import sys
from collections.abc import Iterator, MutableMapping
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

from djflow.definition.class_names import find_table
from djflow.definition.module_order import dependency_order
from djflow.errors import InvalidArgumentError, MissingTableError, UnknownTableError
from djflow.tables.arguments import check_mapping
from djflow.tables.free import FreeTable, check_schema_exists, find_in
from djflow.tables.virtual.classes import check_extensible, classes_of, top_level
from djflow.tables.virtual.save import module_text, write_module

if TYPE_CHECKING:
    from collections.abc import Mapping

    from djflow.model.catalog import Catalog
    from djflow.relation.database import Database
    from djflow.tables.registry import Registry
    from djflow.tables.schema import Schema


class WithoutClasses:
    """The part of `Schema` that needs no class: it looks at the database, and creates nothing by looking.

    What this process has declared is created first, as with every use of a declared table.
    """

    if TYPE_CHECKING:
        registry: "Registry"

        @property
        def database(self) -> str:
            """The schema's name."""

        @property
        def connection(self) -> "Database":
            """The database that holds the schema."""

        def catalog(self) -> "Catalog":
            """The tables as the database describes them."""

        def _ensure(self) -> None: ...

    def get_table(self, name: str) -> FreeTable:
        """The table of a name: `"Session"`, `"session"`, `"#species"`, `"Session.Trial"`, `"session__trial"`.

        Raises `UnknownTableError` with the closest name, `MissingSchemaError` where the schema is missing
        too, and `MissingTableError` where a class name fits several tables.
        """
        if not isinstance(name, str):
            raise InvalidArgumentError(f"A table is found by its name, such as 'Session', not by {name!r}.")
        return FreeTable(self.connection, find_in(self._current(), self.database, name, self.connection))

    def __getitem__(self, name: str) -> FreeTable:
        return self.get_table(name)

    def __iter__(self) -> Iterator[FreeTable]:
        """All tables, parents first."""
        own = [table for table in self._current().tables if table.name.schema == self.database]
        return (FreeTable(self.connection, table) for table in dependency_order(own))

    def __contains__(self, name: object) -> bool:
        names = [table.name for table in self._current().tables]
        try:
            return isinstance(name, str) and find_table(name, names, schema=self.database) in names
        except UnknownTableError:
            return False
        except MissingTableError:  # the name fits several
            return True

    def make_classes(self, into: MutableMapping[str, Any] | None = None) -> None:
        """Put a class for every table into a namespace, by default the caller's.

        Classes derive from the tier that the table's name tells; parts are attributes of their masters.
        Tables declared in this process keep their classes, which get those parts that they lack.

        Raises `InvalidArgumentError` without `into` in a function, whose variables cannot be added to.
        """
        if into is None:
            caller = sys._getframe(1)  # noqa: SLF001 - the only way to the caller's names
            check_extensible(caller.f_code.co_flags)
            into = caller.f_locals
        module = str(into.get("__name__", self.database))
        classes = classes_of(cast("Schema", self), self._current(), module, self.registry.by_table)
        into.update({cls.__name__: cls for cls in top_level(classes)})

    def save(
        self,
        python_filename: str | PathLike[str] | None = None,
        *,
        contents: bool = False,
        modules: "Mapping[str, str] | None" = None,
    ) -> str:
        """The text of a Python module that declares the same tables; written to a file if one is named.

        With `contents`, lookup tables get their rows, unless these hold what a codec encodes. Schemas that
        the tables refer to are reached by `virtual_schema`, or imported from the module that `modules` gives,
        schema name to module name. What no definition can say, such as a trigger, becomes a comment.

        Raises `MissingSchemaError`, and `DjflowError` rather than replace a file that is no such module.
        """
        check_mapping("modules", modules, "{'lab': 'pipelines.lab'}")
        check_schema_exists(self.connection, self.database)
        text = module_text(
            self.connection, self.database, self._current(), contents=contents, modules=modules or {}
        )
        if python_filename is not None:
            write_module(text, python_filename)
        return text

    def describe(self) -> str:
        """The definitions of all tables, as the text of the module that `save` writes."""
        return self.save()

    def _current(self) -> "Catalog":
        self._ensure()
        return self.catalog()
