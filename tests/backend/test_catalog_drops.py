"""The catalog of a database in which others drop schemas while it is read."""

from typing import TYPE_CHECKING

from djflow.backend.catalog_query import despite_drops, query
from djflow.relation.database import Database

if TYPE_CHECKING:
    import psycopg


def test_several_tables_may_go_one_after_the_other(
    database: Database, connection: "psycopg.Connection[object]", schema_name: str
) -> None:
    own = database.session.connection
    connection.execute(f"CREATE SCHEMA {schema_name}".encode())
    names = [f"{schema_name}.t{number}" for number in range(5)]
    for name in names:
        connection.execute(f"CREATE TABLE {name} (n int)".encode())

    def read() -> int:
        found = query(
            own, "SELECT relname FROM pg_class WHERE relnamespace = %(s)s::regnamespace", s=schema_name
        )
        if names:
            connection.execute(f"DROP TABLE {names.pop(0)}".encode())
        return sum(
            query(own, f"SELECT count(*) FROM {schema_name}.{table}")[0][0] for (table,) in sorted(found)
        )

    assert despite_drops(own, read) == 0
    assert names == []
