"""Schemas of the database as modules of classes, without the code that declared them."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from djflow.definition.class_names import find_table
from djflow.errors import InvalidArgumentError
from djflow.model.names import TableName
from djflow.relation.database import Database
from djflow.tables.arguments import check_mapping, check_schema_name
from djflow.tables.declared import Table
from djflow.tables.free import check_schema_exists
from djflow.tables.schema import Schema
from djflow.tables.virtual.classes import classes_of, top_level


class VirtualModule(ModuleType):
    """A module whose classes are the tables that a schema has in the database.

    Parts are attributes of their masters; classes work in definitions (`-> module.Session`), queries,
    inserts and deletes. A name that is not there is looked for again, so tables made later are found.
    """

    schema: Schema

    def __init__(
        self,
        module_name: str,
        schema_name: str,
        *,
        create_schema: bool = False,
        create_tables: bool = False,
        connection: Database | None = None,
        add_objects: Mapping[str, Any] | None = None,
    ) -> None:
        """Reads the schema's tables; `create_schema` makes the schema first where it is missing.

        `create_tables` lets `self.schema` declare further classes. `add_objects` are further attributes.

        Raises `MissingSchemaError` with the closest name.
        """
        check_schema_name(schema_name)
        if not isinstance(module_name, str):
            raise InvalidArgumentError(f"A module's name is a text, not {module_name!r}.")
        super().__init__(module_name, f"The tables of schema {schema_name!r}, as the database has them.")
        check_mapping("add_objects", add_objects, "{'answer': 42}")
        objects = dict(add_objects or {})
        schema = Schema(
            schema_name,
            context=objects,
            connection=connection,
            create_schema=create_schema,
            create_tables=create_tables,
        )
        if create_schema:
            schema.create()
        else:
            check_schema_exists(schema.connection, schema_name)
        self.__dict__["_classes"] = {}
        self.__dict__["_objects"] = objects
        self.schema = schema
        self._look()

    def __getattr__(self, name: str) -> Any:
        # Interpreters ask every object for names like these; none of them is a table's.
        if name.startswith("__") or "schema" not in vars(self):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)
        self._look()
        if name in vars(self):
            return vars(self)[name]
        classes = self._found
        return classes[find_table(name, classes, schema=self.schema.database)]

    def __dir__(self) -> list[str]:
        return sorted({*(cls.__name__ for cls in top_level(self._found)), *vars(self)["_objects"], "schema"})

    def __repr__(self) -> str:
        tables = len(self._found)
        return f"<virtual module {self.__name__!r}: schema {self.schema.database!r}, {tables} tables>"

    @property
    def _found(self) -> dict[TableName, type[Table]]:
        found: dict[TableName, type[Table]] = vars(self)["_classes"]
        return found

    def _look(self) -> None:
        """Add a class for each table that has none yet."""
        classes = classes_of(self.schema, self.schema.catalog(), self.__name__, self._found)
        named = {cls.__name__: cls for cls in top_level(classes)}
        vars(self).update({**named, **vars(self)["_objects"], "_classes": classes, "schema": self.schema})


def virtual_schema(
    schema_name: str,
    *,
    connection: Database | None = None,
    create_schema: bool = False,
    create_tables: bool = False,
    add_objects: Mapping[str, Any] | None = None,
) -> VirtualModule:
    """A schema of the database as a module of classes, named as the schema; see `VirtualModule`.

    >>> import djflow as dj
    >>> lab = dj.virtual_schema("lab")  # doctest: +SKIP
    >>> len(lab.Session & "session_date > '2024-01-01'")  # doctest: +SKIP
    12

    Raises `MissingSchemaError` with the closest name.
    """
    return VirtualModule(
        schema_name,
        schema_name,
        create_schema=create_schema,
        create_tables=create_tables,
        connection=connection,
        add_objects=add_objects,
    )
