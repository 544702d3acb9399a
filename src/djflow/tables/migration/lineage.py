"""The origins of attributes, worked out anew from the foreign keys and written as one transaction."""

from typing import Final

from djflow.backend.introspect import introspect, relation_names
from djflow.backend.session import Session
from djflow.errors import MissingSchemaError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.sql.identifiers import qualified
from djflow.sql.lineage import LINEAGE_TABLE, create_lineage_table, insert_lineage

LineageRows = frozenset[tuple[str, str, str]]  # table, attribute, lineage
_EXISTS: Final = """
SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2
"""
_SCHEMA: Final = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1"


def derived_lineage(catalog: Catalog, schema: str) -> LineageRows:
    """What `~lineage` of a schema should hold: `(table, attribute, lineage)`.

    An attribute that comes with a foreign key has its parent's origin, another of the primary key is its
    own origin. What other schemas record of their tables is taken as it is.

    >>> from djflow.model.table import Attribute
    >>> from djflow.model.types import CoreType
    >>> int32 = CoreType("int32")
    >>> key = Attribute("id", int32, int32, in_key=True, lineage="a mistake")
    >>> derived_lineage(Catalog((Table(TableName("lab", "subject"), "", (key,)),)), "lab")
    frozenset({('subject', 'id', 'lab.subject.id')})
    """
    origins = _Origins(catalog, schema)
    return frozenset(
        (table.name.table, column.name, origin)
        for table in catalog.tables
        if table.name.schema == schema
        for column in table.columns
        if (origin := origins.of(table, column.name)) is not None
    )


class _Origins:
    def __init__(self, catalog: Catalog, schema: str) -> None:
        self._catalog, self._schema = catalog, schema
        self._known: dict[tuple[TableName, str], str | None] = {}

    def of(self, table: Table, column: str) -> str | None:
        place = (table.name, column)
        if place not in self._known:
            attribute = next(a for a in table.columns if a.name == column)
            own = f"{table.name}.{column}" if attribute.in_key else None
            self._known[place] = own  # before parents are asked, so that a table that refers to itself ends
            if table.name.schema != self._schema:
                self._known[place] = attribute.lineage
            elif (parent := _parent(table, column)) is not None:
                self._known[place] = self.of(self._catalog[parent[0]], parent[1])
        return self._known[place]


def _parent(table: Table, column: str) -> tuple[TableName, str] | None:
    pairs = (
        (fk.parent, referenced)
        for fk in table.foreign_keys
        for own, referenced in fk.columns
        if own == column
    )
    return next(pairs, None)


def lineage_table_exists(session: Session, schema: str) -> bool:
    """Whether a schema records the origins of its attributes."""
    return bool(session.execute(_EXISTS, [schema, LINEAGE_TABLE]))


def recorded_lineage(session: Session, schema: str) -> LineageRows:
    """What `~lineage` of a schema holds: `(table, attribute, lineage)`; nothing where there is none."""
    if not lineage_table_exists(session, schema):
        return frozenset()
    name = qualified(TableName(schema, LINEAGE_TABLE))
    rows = session.execute(f"SELECT table_name::text, attribute_name::text, lineage::text FROM {name}")
    return frozenset((table, attribute, lineage) for table, attribute, lineage in rows)


def expected_lineage(session: Session, schema: str) -> LineageRows:
    """What `~lineage` should hold, by the foreign keys that the database has now.

    Hidden tables, such as the queues of jobs that DataJoint makes, keep what is recorded of them.
    """
    present = relation_names(session.connection, schema)
    hidden = {
        row for row in recorded_lineage(session, schema) if row[0].startswith("~") and row[0] in present
    }
    return derived_lineage(introspect(session.connection, [schema]), schema) | hidden


def rewrite_lineage(session: Session, schema: str) -> int:
    """Make `~lineage` hold what it should; the number of its rows. All of it happens, or nothing.

    Raises `MissingSchemaError` where the database has no such schema, `AccessError` without the rights.
    """
    if not session.execute(_SCHEMA, [schema]):
        raise MissingSchemaError(schema, ())
    with session.transaction():
        # The same lock that declaring takes.
        session.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [f"djflow declare {schema}"])
        session.execute(create_lineage_table(schema))
        rows = sorted(expected_lineage(session, schema))
        session.execute(f"DELETE FROM {qualified(TableName(schema, LINEAGE_TABLE))}")
        columns = [[row[i] for row in rows] for i in range(3)]
        session.execute(insert_lineage(schema), columns)
    return len(rows)
