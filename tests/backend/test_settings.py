"""Values that go ahead of a statement as settings reach that statement, and no other."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from djflow.backend import settings
from djflow.planner.parameters import Parameter
from djflow.planner.settings import plan_settings

SEVEN = plan_settings("SELECT $1::bigint AS n", (Parameter(7, pa.int64(), "bigint"),))


@pytest.fixture
def bulk(server_url: str) -> Iterator[Any]:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(server_url, autocommit=True) as connection:
        yield connection


def rows(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        if sql.startswith("EXPLAIN"):
            cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        cursor.execute(sql)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def test_the_server_puts_the_value_in_the_plan(bulk: Any) -> None:
    reader = settings.reader_on(bulk)
    assert reader.is_folded
    settings.assign(bulk, SEVEN.settings, reader.mark, "session")
    assert rows(bulk, SEVEN.text(reader.read)) == [(7,)]
    plan = rows(
        bulk, f"EXPLAIN SELECT n FROM generate_series(1, 9) n WHERE n > {reader.read('djflow.p1')}::int"
    )
    assert "n > 7" in str(plan)


def test_a_statement_does_not_take_the_values_of_another_for_its_own(bulk: Any) -> None:
    first, second = settings.reader_on(bulk), settings.reader_on(bulk)
    settings.assign(bulk, SEVEN.settings, first.mark, "session")
    with pytest.raises(Exception, match="session changed"):
        rows(bulk, SEVEN.text(second.read))


def test_a_role_without_temporary_objects_reads_settings_as_they_are(
    bulk: Any, connection: Any, server_url: str
) -> None:
    from adbc_driver_postgresql import dbapi

    connection.execute("DROP ROLE IF EXISTS no_temp")
    connection.execute("CREATE ROLE no_temp LOGIN")
    name = rows(bulk, "SELECT current_database()")[0][0]
    connection.execute(f'REVOKE TEMPORARY ON DATABASE "{name}" FROM PUBLIC')
    try:
        with dbapi.connect(server_url, autocommit=True) as poor:
            with poor.cursor() as cursor:
                cursor.execute("SET ROLE no_temp")
            reader = settings.reader_on(poor)
            assert not reader.is_folded
            settings.assign(poor, SEVEN.settings, reader.mark, "session")
            assert rows(poor, SEVEN.text(reader.read)) == [(7,)]
    finally:
        connection.execute(f'GRANT TEMPORARY ON DATABASE "{name}" TO PUBLIC')
        connection.execute("DROP ROLE no_temp")
