"""The table `~lineage` of a schema, which names the origin of each attribute that has one."""

from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.sql.identifiers import qualified

LINEAGE_TABLE = "~lineage"


def create_lineage_table(schema: str) -> str:
    """The statement that creates a schema's lineage table where it is missing."""
    return (
        f"CREATE TABLE IF NOT EXISTS {_table(schema)} (\n"
        "  table_name varchar(64) NOT NULL,\n"
        "  attribute_name varchar(64) NOT NULL,\n"
        "  lineage varchar(255) NOT NULL,\n"
        "  PRIMARY KEY (table_name, attribute_name)\n"
        ")"
    )


def lineage_rows(table: Table) -> tuple[tuple[str, str, str], ...]:
    """The rows `(table_name, attribute_name, lineage)` of a table, in column order.

    >>> from djflow.model.table import Attribute
    >>> from djflow.model.types import CoreType
    >>> int32 = CoreType("int32")
    >>> key = Attribute("id", int32, int32, in_key=True, lineage="lab.subject.id")
    >>> lineage_rows(Table(TableName("lab", "subject"), "", (key, Attribute("x", int32, int32))))
    (('subject', 'id', 'lab.subject.id'),)
    """
    return tuple((table.name.table, c.name, c.lineage) for c in table.columns if c.lineage is not None)


def insert_lineage(schema: str) -> str:
    """The statement that writes one of `lineage_rows`; three parameters as psycopg spells them.

    >>> print(insert_lineage("lab"))
    INSERT INTO "lab"."~lineage" (table_name, attribute_name, lineage) VALUES (%s, %s, %s)
    ON CONFLICT (table_name, attribute_name) DO UPDATE SET lineage = excluded.lineage
    """
    return (
        f"INSERT INTO {_parametrised(schema)} (table_name, attribute_name, lineage) VALUES (%s, %s, %s)\n"
        "ON CONFLICT (table_name, attribute_name) DO UPDATE SET lineage = excluded.lineage"
    )


def delete_lineage(schema: str) -> str:
    """The statement that forgets a table's rows; its one parameter is the table's name."""
    return f"DELETE FROM {_parametrised(schema)} WHERE table_name = %s"


def _table(schema: str) -> str:
    return qualified(TableName(schema, LINEAGE_TABLE))


def _parametrised(schema: str) -> str:
    return _table(schema).replace("%", "%%")
