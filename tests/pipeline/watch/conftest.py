"""A table to insert into, and what the catalogue tells of watchers."""

from collections.abc import Callable
from typing import Any

import pytest

import djflow as dj
from djflow.tables.schema import Schema

Traces = Callable[[], tuple[int, int]]


@pytest.fixture
def subject(schema: Schema) -> Any:
    """A table with a key of two attributes."""

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        name : varchar(20)
        ---
        weight = null : float64
        """

    table = Subject()
    table.connection.ensure_declared([table.table_model])
    return table


@pytest.fixture
def traces(schema: Schema) -> Traces:
    """How many triggers and functions of watchers the schema has."""

    def counted() -> tuple[int, int]:
        [found] = schema.connection.query(
            "SELECT (SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1"
            " AND t.tgname LIKE '~watch%'),"
            " (SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE n.nspname = $1 AND p.proname LIKE '~watch%')",
            (schema.database,),
        )
        return found[0], found[1]

    return counted
