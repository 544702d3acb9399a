"""The table `~lineage` of a schema, which names the origin of each attribute that has one."""

from collections.abc import Iterable

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


def lineage_columns(tables: Iterable[Table]) -> tuple[list[str], list[str], list[str]]:
    """The rows of several tables by column: the parameters of `insert_lineage`."""
    rows = [row for table in tables for row in lineage_rows(table)]
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def insert_lineage(schema: str) -> str:
    """The statement that writes the rows of `lineage_columns`, which are its parameters.

    >>> print(insert_lineage("lab"))
    INSERT INTO "lab"."~lineage" (table_name, attribute_name, lineage)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
    """
    return (
        f"INSERT INTO {_table(schema)} (table_name, attribute_name, lineage)\n"
        "SELECT * FROM unnest($1::text[], $2::text[], $3::text[])"
    )


def delete_lineage(schema: str) -> str:
    """The statement that forgets the rows of tables; its one parameter is the list of their names."""
    return f"DELETE FROM {_table(schema)} WHERE table_name = ANY($1)"


def _table(schema: str) -> str:
    return qualified(TableName(schema, LINEAGE_TABLE))
