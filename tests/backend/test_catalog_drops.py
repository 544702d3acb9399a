"""The catalog of a database in which others drop tables while it is read."""

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from djflow.backend.catalog_query import in_one_view, one_view, query
from djflow.backend.recorded_lineage import recorded_lineage
from djflow.errors import MissingTableError
from djflow.relation.database import Database

if TYPE_CHECKING:
    import psycopg


def test_what_others_drop_meanwhile_is_in_nobodys_way(
    database: Database, connection: "psycopg.Connection[object]"
) -> None:
    own = database.session.connection
    views = 0

    def read() -> None:
        nonlocal views
        views += 1
        name = f"test_{uuid4().hex[:8]}"
        columns = "table_name text, attribute_name text, lineage text"
        if views == 1:
            connection.execute(f'CREATE SCHEMA {name} CREATE TABLE "~lineage" ({columns})'.encode())
        query(own, "SELECT count(*) FROM pg_catalog.pg_class")  # from now on, this is the view
        connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE".encode())
        recorded_lineage(own, None)

    with pytest.raises(MissingTableError, match="~lineage"), one_view(own):
        read()
    views = 0
    in_one_view(own, read)
    assert views == 2
