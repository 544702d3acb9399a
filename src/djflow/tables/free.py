"""Tables without a class of their own."""

import re
from typing import Final

from djflow.definition.class_names import find_table
from djflow.errors import InvalidArgumentError, MissingSchemaError, UnknownTableError
from djflow.model.catalog import Catalog
from djflow.model.table import Table as TableModel
from djflow.planner.nodes import Node
from djflow.relation.database import Database
from djflow.tables.arguments import check_connection
from djflow.tables.declare import schema_exists
from djflow.tables.declared import Table
from djflow.tables.default import conn

_QUOTED: Final = r'"(?:[^"]|"")+"|`(?:[^`]|``)+`'
_FULL_NAME: Final = re.compile(rf"(?P<schema>{_QUOTED}|[^.\"`]+)\.(?P<table>{_QUOTED}|[^\"`]+)")
_SCHEMAS: Final = """
SELECT nspname FROM pg_catalog.pg_namespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1
"""


class FreeTable(Table):
    """A table of the database, found by its name; it offers what a declared one does.

    `FreeTable(connection, name)`, or `FreeTable(name)` for the default database: see `free_table` for names.
    """

    def __init__(
        self, connection: Database | str, model: TableModel | str | None = None, plan: Node | None = None
    ) -> None:
        """`plan` selects some of the rows, by default all."""
        database, table = _given(connection, model)
        self._model = table if isinstance(table, TableModel) else find_model(database, table)
        self._database, self._plan = database, plan

    @property
    def table_model(self) -> TableModel:
        """The table as the database has it."""
        return self._model

    @property
    def connection(self) -> Database:
        """The database that holds the table."""
        return self._database


def free_table(database: Database, full_table_name: str) -> FreeTable:
    """The table of a name: `schema.table`, the two in double quotes or backticks, or `schema.ClassName`.

    A part is `schema.master__part` or `schema.Master.Part`. Looking creates nothing but what is declared
    in this process.

    Raises `UnknownTableError` or `MissingSchemaError`, with the closest name, `MissingTableError` where a
    class name fits several tables, and `InvalidArgumentError` for what is no such name.
    """
    return FreeTable(database, find_model(database, full_table_name))


def find_model(database: Database, full_table_name: str) -> TableModel:
    """The table of a name as `free_table` takes it, as the database has it now."""
    schema, table = split_name(full_table_name)
    return find_in(database.catalog([schema]), schema, table, database)


def find_in(catalog: Catalog, schema: str, table: str, database: Database) -> TableModel:
    """The table that `table` names in a schema of the catalog.

    Raises `UnknownTableError`, `MissingTableError`, or `MissingSchemaError` if the schema is missing too.
    """
    try:
        return catalog[find_table(table, [model.name for model in catalog.tables], schema=schema)]
    except UnknownTableError:
        check_schema_exists(database, schema)
        raise


def check_schema_exists(database: Database, schema: str) -> None:
    """Raise `MissingSchemaError`, with the closest name, where the database lacks a schema."""
    if not schema_exists(database.session, schema):
        raise MissingSchemaError(schema, [name for (name,) in database.session.execute(_SCHEMAS)])


def split_name(full_table_name: str) -> tuple[str, str]:
    """The schema and the table of a full name, without quotes.

    >>> split_name("`lab`.`#species`"), split_name("lab.Session.Trial")
    (('lab', '#species'), ('lab', 'Session.Trial'))
    """
    found = _FULL_NAME.fullmatch(full_table_name.strip()) if isinstance(full_table_name, str) else None
    if found is None:
        raise InvalidArgumentError(
            f'{full_table_name!r} is no full name of a table. Write \'schema.table\', "schema"."table" in '
            "quotes, or 'schema.ClassName'."
        )
    return _unquoted(found["schema"]), _unquoted(found["table"])


def _unquoted(name: str) -> str:
    mark = name[0]
    return name[1:-1].replace(mark * 2, mark) if mark in '"`' else name.strip()


def _given(connection: Database | str, model: TableModel | str | None) -> tuple[Database, TableModel | str]:
    """The database and the table that either form of the constructor means."""
    if isinstance(connection, str) and model is None:
        return conn(), connection
    if isinstance(connection, str) or model is None:
        raise InvalidArgumentError(
            "Write FreeTable(connection, 'schema.table') or FreeTable('schema.table')."
        )
    check_connection(connection)
    return connection, model
