"""The remembered catalog is always the one that reading anew would give."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.sql import SQL, Identifier

from djflow.backend import catalog_cache
from djflow.backend.catalog_cache import CatalogCache
from djflow.backend.introspect import introspect
from djflow.model.names import TableName
from djflow.sql.lineage import create_lineage_table

Connection = psycopg.Connection[Any]

_PARENT = TableName("own", "parent")
_CHANGES: tuple[LiteralString, ...] = (
    "CREATE TABLE own.extra (a int PRIMARY KEY)",
    "ALTER TABLE own.parent ADD COLUMN more int",
    "ALTER TABLE own.parent DROP COLUMN x",
    "ALTER TABLE own.parent RENAME COLUMN x TO y",
    "ALTER TABLE own.parent RENAME TO renamed",
    "ALTER TABLE own.parent ALTER COLUMN x TYPE bigint",
    "ALTER TABLE own.parent ALTER COLUMN x SET NOT NULL",
    "ALTER TABLE own.parent ALTER COLUMN x SET DEFAULT 3",
    "ALTER TABLE own.parent ALTER COLUMN x DROP DEFAULT",
    "COMMENT ON TABLE own.parent IS 'other'",
    "COMMENT ON COLUMN own.parent.x IS ':int16:other'",
    "COMMENT ON COLUMN own.parent.x IS NULL",
    "CREATE INDEX ON own.parent (x)",
    "DROP INDEX own.known",
    "ALTER TABLE own.child DROP CONSTRAINT child_id_fkey",
    "ALTER TABLE own.child ADD FOREIGN KEY (other) REFERENCES beside.apart (id)",
    "ALTER TABLE own.parent DROP CONSTRAINT parent_pkey CASCADE",
    "ALTER TYPE own.mood ADD VALUE 'sad'",
    "ALTER TYPE own.mood RENAME VALUE 'fine' TO 'well'",
    "ALTER TYPE own.mood RENAME TO temper",
    "CREATE SCHEMA fresh CREATE TABLE t (a int PRIMARY KEY)",
    "DROP TABLE own.child",
    "DROP SCHEMA own CASCADE",
    "ALTER SCHEMA own RENAME TO others",
    """UPDATE own."~lineage" SET lineage = 'elsewhere.t.id' WHERE attribute_name = 'id'""",
    """DELETE FROM own."~lineage" """,
    """INSERT INTO own."~lineage" VALUES ('child', 'other', 'elsewhere.t.other')""",
    """DROP TABLE own."~lineage" """,
)

# Readers whom somebody else's commit makes look again wait for who drops what they read.
_LOCKING = ("DROP SCHEMA own CASCADE", """DROP TABLE own."~lineage" """)
# Those of them that can follow each other.
_LASTING = (*_CHANGES[:2], *_CHANGES[5:15], _CHANGES[15], _CHANGES[17], _CHANGES[18], *_CHANGES[-4:])


@pytest.fixture
def there(empty_url: str) -> Iterator[Connection]:
    """A database with two tables that refer to each other, an enum, an index and recorded lineage."""
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute(
            """
            CREATE SCHEMA own;
            CREATE SCHEMA beside;
            CREATE TYPE own.mood AS ENUM ('fine', 'grand');
            CREATE TABLE beside.apart (id int PRIMARY KEY);
            CREATE TABLE own.parent (id int PRIMARY KEY, x int DEFAULT 1, mood own.mood);
            CREATE TABLE own.child (id int PRIMARY KEY REFERENCES own.parent, other int);
            CREATE INDEX known ON own.parent (mood);
            COMMENT ON COLUMN own.parent.x IS ':int32:some';
            """
        )
        connection.execute(create_lineage_table("own").encode())
        connection.execute("""INSERT INTO own."~lineage" VALUES ('parent', 'id', 'own.parent.id')""")
        yield connection


@pytest.fixture
def other(empty_url: str, there: Connection) -> Iterator[Connection]:
    """Somebody else's connection to the same database."""
    assert there
    with psycopg.connect(empty_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by one with each catalog that is read anew."""
    done: list[object] = []

    def counted(connection: Connection, schemas: Any = None) -> Any:
        done.append(schemas)
        return introspect(connection, schemas)

    monkeypatch.setattr(catalog_cache, "introspect", counted)
    return done


@pytest.mark.parametrize("schemas", [None, ["own"], ["own", "beside", "nowhere"]])
def test_what_is_remembered_is_what_reading_gives(there: Connection, schemas: list[str] | None) -> None:
    cache = CatalogCache()
    first = cache.catalog(there, schemas)
    assert first == introspect(there, schemas)
    assert cache.catalog(there, schemas) is first


def test_every_change_shows_inside_its_transaction_and_goes_with_it(
    there: Connection, other: Connection
) -> None:
    for schemas in (None, ["own"]):
        cache = CatalogCache()
        before = cache.catalog(there, schemas)
        for change in _CHANGES:
            with there.transaction(force_rollback=True):
                there.execute(change)
                inside = cache.catalog(there, schemas)
                assert inside == introspect(there, schemas)
                assert cache.catalog(there, schemas) == inside
            assert cache.catalog(there, schemas) == before
            assert cache.catalog(other, schemas) == before


def test_every_change_that_another_commits_is_noticed(there: Connection, other: Connection) -> None:
    for schemas in (None, ["own"]):
        cache = CatalogCache()
        for change in sorted({*_CHANGES} - {*_LOCKING}):
            before = cache.catalog(there, schemas)
            # Until it commits, it has changed nothing for others.
            with other.transaction(force_rollback=True):
                other.execute(change)
                assert cache.catalog(there, schemas) is before
                assert cache.catalog(other, schemas) == introspect(other, schemas)
    for change in _LASTING:
        cache.catalog(there)
        cache.catalog(there, ["own"])
        other.execute(change)
        assert cache.catalog(there) == introspect(there)
        assert cache.catalog(there, ["own"]) == introspect(there, ["own"])


def test_two_changes_of_one_row_in_one_transaction_are_told_apart(there: Connection) -> None:
    cache = CatalogCache()
    with there.transaction():
        for comment in ("one", "two", "three"):
            there.execute(SQL("COMMENT ON TABLE own.parent IS {}").format(comment))
            assert cache.catalog(there)[_PARENT].comment == comment
        with there.transaction(force_rollback=True):
            there.execute("COMMENT ON TABLE own.parent IS 'four'")
            assert cache.catalog(there)[_PARENT].comment == "four"
        assert cache.catalog(there)[_PARENT].comment == "three"


def test_rows_of_tables_are_none_of_its_business(
    there: Connection, other: Connection, reads: list[object]
) -> None:
    cache = CatalogCache()
    first = cache.catalog(there)
    for action in (
        "INSERT INTO own.parent VALUES (1)",
        "CREATE TEMPORARY TABLE shipped (a int)",
        "DROP TABLE shipped",
        "VACUUM ANALYZE own.parent",
        "VACUUM FREEZE pg_attribute",
    ):
        other.execute(action)
        assert cache.catalog(there) is first
    assert len(reads) == 1


def test_a_schema_that_nothing_refers_to_is_none_of_its_business(
    there: Connection, other: Connection, reads: list[object]
) -> None:
    cache = CatalogCache()
    first = cache.catalog(there, ["own"])
    other.execute("ALTER TABLE beside.apart ADD COLUMN more int")
    assert cache.catalog(there, ["own"]) is first
    other.execute("ALTER TABLE own.child ADD FOREIGN KEY (other) REFERENCES beside.apart (id)")
    cache.catalog(there, ["own"])
    other.execute("ALTER TABLE beside.apart ADD COLUMN still_more int")
    assert "still_more" in cache.catalog(there, ["own"])[TableName("beside", "apart")].heading.names
    assert len(reads) == 3


def test_who_goes_back_to_a_state_finds_it_remembered(there: Connection, reads: list[object]) -> None:
    cache = CatalogCache()
    first = cache.catalog(there)
    for _ in range(3):
        with there.transaction(force_rollback=True):
            there.execute("DROP TABLE own.child")
            assert len(cache.catalog(there).tables) == 2
        assert cache.catalog(there) is first
    assert len(reads) == 2


def test_a_transaction_with_a_view_of_its_own_keeps_it(there: Connection, other: Connection) -> None:
    cache = CatalogCache()
    with there.transaction():
        there.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        before = cache.catalog(there)
        other.execute("CREATE TABLE own.extra (a int PRIMARY KEY)")
        assert TableName("own", "extra") in cache.catalog(other)
        assert cache.catalog(there) == before
    assert TableName("own", "extra") in cache.catalog(there)


def test_a_role_that_may_not_read_lineage_has_a_catalog_of_its_own(there: Connection) -> None:
    cache = CatalogCache()
    there.execute("""UPDATE own."~lineage" SET lineage = 'elsewhere.t.id'""")
    full = cache.catalog(there)
    role = Identifier(f"reader_{os.getpid()}_{uuid4().hex[:8]}")
    with there.transaction(force_rollback=True):
        there.execute(SQL("CREATE ROLE {}").format(role))
        there.execute(SQL("SET LOCAL ROLE {}").format(role))
        assert cache.catalog(there) == introspect(there)
        assert cache.catalog(there) != full
        there.execute("RESET ROLE")
        there.execute(SQL("GRANT USAGE ON SCHEMA own TO {}").format(role))
        there.execute(SQL('GRANT SELECT ON own."~lineage" TO {}').format(role))
        there.execute(SQL("SET LOCAL ROLE {}").format(role))
        assert cache.catalog(there) == full
    assert cache.catalog(there) is full


def test_schemas_that_come_and_go_meanwhile_do_no_harm(
    there: Connection, other: Connection, empty_url: str
) -> None:
    cache = CatalogCache()

    def churn() -> None:
        for number in range(40):
            name = Identifier(f"passing{number % 3}")
            other.execute(SQL("CREATE SCHEMA {}").format(name))
            other.execute(create_lineage_table(f"passing{number % 3}").encode())
            other.execute(SQL("CREATE TABLE {}.t (a int PRIMARY KEY)").format(name))
            other.execute(SQL("DROP SCHEMA {} CASCADE").format(name))

    def read() -> None:
        with psycopg.connect(empty_url, autocommit=True) as connection:
            while not done.done():
                assert _PARENT in cache.catalog(connection)

    with ThreadPoolExecutor(4) as pool:
        done = pool.submit(churn)
        readers = [pool.submit(read) for _ in range(3)]
        done.result()
        for reader in readers:
            reader.result()
    assert cache.catalog(there) == introspect(there)


_STEPS: dict[str, Callable[[Connection, Connection], object]] = {
    "comment": lambda mine, _: mine.execute(SQL("COMMENT ON TABLE own.parent IS {}").format(str(uuid4()))),
    "add": lambda mine, _: mine.execute(
        SQL("ALTER TABLE own.child ADD COLUMN {} int").format(Identifier(f"c{uuid4().hex}"))
    ),
    "theirs": lambda _, theirs: theirs.execute(
        SQL("COMMENT ON TABLE beside.apart IS {}").format(str(uuid4()))
    ),
    "lineage": lambda _, theirs: theirs.execute(
        """UPDATE own."~lineage" SET lineage = md5(lineage) WHERE table_name = 'parent'"""
    ),
    "rows": lambda _, theirs: theirs.execute("INSERT INTO beside.apart SELECT count(*) FROM beside.apart"),
    "savepoint": lambda mine, _: _if_inside(mine, "SAVEPOINT s"),
    "back": lambda mine, _: _if_inside(mine, "ROLLBACK TO s"),
    "begin": lambda mine, _: mine.execute("ROLLBACK; BEGIN; SAVEPOINT s"),
    "commit": lambda mine, _: mine.execute("COMMIT"),
    "rollback": lambda mine, _: mine.execute("ROLLBACK"),
}


def _if_inside(connection: Connection, command: LiteralString) -> None:
    if connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
        connection.execute(command)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(sorted(_STEPS)), max_size=12))
def test_no_history_of_two_clients_makes_it_stale(
    there: Connection, other: Connection, steps: list[str]
) -> None:
    cache = CatalogCache()
    there.add_notice_handler(lambda _: None)
    try:
        for step in steps:
            _STEPS[step](there, other)
            assert cache.catalog(there) == introspect(there)
            assert cache.catalog(other, ["own"]) == introspect(other, ["own"])
    finally:
        there.execute("ROLLBACK")
