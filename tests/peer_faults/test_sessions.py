"""Roles, connections, transactions, threads and processes."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

import djflow as dj
from djflow.configuration import changed
from djflow.errors import AccessError, DuplicateError, IntegrityError
from djflow.relation.database import Database
from djflow.tables.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_role_that_may_only_read_sees_the_primary_key(
    animal: Any, schema: Schema, connection: Any, server_url: str
) -> None:
    from psycopg.conninfo import conninfo_to_dict

    role = schema.database
    connection.execute(f'CREATE ROLE "{role}" LOGIN')
    connection.execute(f'GRANT USAGE ON SCHEMA "{role}" TO "{role}"')
    connection.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA "{role}" TO "{role}"')
    there = conninfo_to_dict(server_url)
    login = {"host": there["host"], "port": int(there["port"] or 0), "user": role, "name": there["dbname"]}
    settings = changed(animal.connection.settings, {"database": login})
    reader = Database(lambda: settings)
    try:
        readable = Schema(role, connection=reader)
        theirs: Any = readable(type("Animal", (dj.Manual,), {"definition": type(animal).definition}))
        assert theirs().primary_key == ["animal"]
        assert len(theirs()) == len(theirs().proj() & "animal > -1") == 6
        assert "Animal" in str(dj.Diagram(readable))
        assert theirs().describe() == animal.describe()
        assert dj.virtual_schema(role, connection=reader).Animal().keys() == animal.keys()
        assert dj.Diagram.cascade(theirs() & "animal < 2").counts()["Animal"] == 2
        for action in (theirs().delete_quick, lambda: theirs().update1({"animal": 1, "name": "x"})):
            with pytest.raises(AccessError):
                action()
    finally:
        reader.close()
        connection.execute(f'DROP OWNED BY "{role}"')
        connection.execute(f'DROP ROLE "{role}"')


def test_a_dropped_connection_is_opened_again(database: Database, empty_url: str) -> None:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    there = conninfo_to_dict(empty_url)
    login = {"host": there["host"], "port": int(there["port"] or 0), "user": there["user"]}
    settings = changed(database.settings, {"database": login | {"name": there["dbname"]}})
    alone = Database(lambda: settings)
    thing: Any = Schema("lab", connection=alone)(
        type("Thing", (dj.Manual,), {"definition": "thing : int32\n---\nx = null : int32"})
    )()
    actions: list[Callable[[], Any]] = [
        thing.__len__,
        thing.to_polars,
        lambda: thing.insert1((1, None)),
        lambda: thing.update1({"thing": 1, "x": 2}),
        lambda: thing.insert([(1, 3), (2, 3)], replace=True),
        lambda: (thing & "thing = 2").delete(prompt=False),
        lambda: dj.Diagram.cascade(thing).counts(),
        lambda: thing.alter(plan=True),
    ]
    for action in actions:
        thing.to_polars()
        with psycopg.connect(empty_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        action()
    assert thing.to_dicts() == [{"thing": 1, "x": 3}]
    alone.close()


def test_a_duplicate_caught_inside_a_transaction_leaves_it_usable(animal: Any) -> None:
    with animal.connection.transaction:
        animal.insert1({"animal": 20, "name": "x"})
        with pytest.raises(DuplicateError):
            animal.insert1({"animal": 1, "name": "x"})
        animal.insert1({"animal": 21, "name": "x"})
    assert len(animal) == 8


def test_a_duplicate_caught_inside_make_leaves_it_usable(schema: Schema, animal: Any) -> None:
    @schema
    class Result(dj.Computed):
        definition = "-> Animal"

        def make(self, key: dict[str, Any]) -> None:
            with pytest.raises(DuplicateError):
                animal.insert1({"animal": key["animal"], "name": "x"})
            self.insert1(key)

    result = schema(Result, context={"Animal": type(animal)})()
    assert result.populate()["success"] == 6


def test_four_processes_can_declare_the_same_tables_at_once(
    schema: Schema, server_home: Path, tmp_path: Path
) -> None:
    script = """
import sys
import djflow as dj
schema = dj.Schema(sys.argv[1])
@schema
class Kind(dj.Lookup):
    definition = '''
    kind : enum('a', 'b')
    '''
    contents = [('a',), ('b',)]
@schema
class Thing(dj.Manual):
    definition = '''
    -> Kind
    thing : int32
    '''
sys.stdin.readline()
print(len(Thing()), len(Kind()))
"""
    environment = {"DJFLOW_HOME": str(server_home), "DJ_IGNORE_CONFIG_FILE": "true", "HOME": str(tmp_path)}
    command = [sys.executable, "-c", script, schema.database]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment)
        for _ in range(4)
    ]
    said = [process.communicate("\n") for process in processes]
    assert said == [("0 2\n", "")] * 4


def test_eight_threads_in_transactions_land_all_their_rows(animal: Any) -> None:
    barrier = Barrier(8)

    def write(number: int) -> None:
        barrier.wait()
        with animal.connection.transaction:
            animal.insert1({"animal": 100 + number, "name": "x"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert len(animal & "animal >= 100") == 8


def test_eight_threads_delete_and_update_what_is_theirs(animal: Any, meal: Any) -> None:
    animal.insert([{"animal": 100 + n, "name": "x"} for n in range(8)])
    meal.insert([(100 + n, m, 1) for n in range(8) for m in range(3)])
    barrier = Barrier(8)

    def write(number: int) -> None:
        barrier.wait()
        with animal.connection.transaction:
            animal.update1({"animal": 100 + number, "name": f"x{number}"})
            (meal & {"animal": 100 + number, "meal": 1}).delete(prompt=False)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert (animal & "animal >= 100").to_arrays("name").tolist() == [f"x{n}" for n in range(8)]
    assert len(meal & "animal >= 100") == 16


def test_refusals_caught_inside_make_leave_it_usable(schema: Schema, animal: Any, meal: Any) -> None:
    @schema
    class Result(dj.Computed):
        definition = "-> Animal"

        def make(self, key: dict[str, Any]) -> None:
            self.insert1(key)
            with pytest.raises(DuplicateError):
                self.insert1(key)
            with pytest.raises(IntegrityError):
                (animal & key).delete_quick()
            with pytest.raises(IntegrityError):
                meal.insert1((99, 0, 1.0))
            meal.update1({**key, "meal": 0, "grams": 70})

    result = schema(Result, context={"Animal": type(animal)})()
    assert result.populate()["success"] == 6
    assert len(meal & "grams = 70") == 6
