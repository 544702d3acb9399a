"""Deletes in tables that others made: references to themselves, no keys, values that look alike."""

import logging
from typing import TYPE_CHECKING, Any

import pytest

import djflow as dj
from djflow.errors import IntegrityError, PartIntegrityError, QueryError
from djflow.tables.schema import Schema

if TYPE_CHECKING:
    import psycopg


def made(schema: Schema, *statements: str) -> Schema:
    for statement in ("CREATE SCHEMA {0}", *statements):
        schema.connection.query(statement.replace("{0}", f'"{schema.database}"'))
    return schema


def rows(schema: Schema, table: str) -> list[tuple[Any, ...]]:
    return schema.connection.query(f'SELECT * FROM "{schema.database}"."{table}" ORDER BY 1, 2')


# masters that refer to themselves


@pytest.fixture
def mice(schema: Schema) -> Schema:
    return made(
        schema,
        "CREATE TABLE {0}.lab (lab int PRIMARY KEY)",
        "CREATE TABLE {0}.mouse "
        "(id int PRIMARY KEY, mother int REFERENCES {0}.mouse, lab int REFERENCES {0}.lab)",
        "CREATE TABLE {0}.mouse__weight "
        "(id int REFERENCES {0}.mouse, w int, lab int REFERENCES {0}.lab, PRIMARY KEY (id, w))",
        "INSERT INTO {0}.lab VALUES (7)",
        "INSERT INTO {0}.mouse VALUES (1, NULL, NULL), (2, 1, NULL), (3, 2, 7), (4, 1, NULL)",
        "INSERT INTO {0}.mouse__weight VALUES (1, 1, NULL), (2, 1, NULL), (3, 1, 7), (4, 1, NULL)",
    )


def test_the_ancestors_of_a_master_do_not_own_its_parts(mice: Schema) -> None:
    weight: Any = mice["mouse__weight"]
    assert (weight & "id = 3").delete(prompt=False, part_integrity="cascade") == 1
    assert [mouse for mouse, *_ in rows(mice, "mouse")] == [1, 2, 4]
    assert [mouse for mouse, *_ in rows(mice, "mouse__weight")] == [1, 2, 4]


def test_a_master_that_goes_with_its_part_is_not_missed_by_its_ancestors(mice: Schema) -> None:
    assert mice["lab"].delete(prompt=False) == 1
    assert [mouse for mouse, *_ in rows(mice, "mouse")] == [1, 2, 4]


def test_a_master_that_stays_is_missed(mice: Schema) -> None:
    mice.connection.query(f'UPDATE "{mice.database}".mouse SET lab = NULL')
    with pytest.raises(PartIntegrityError, match="1 row of"):
        mice["lab"].delete(prompt=False)
    assert len(rows(mice, "mouse__weight")) == 4


def test_the_first_of_a_table_that_refers_to_itself_have_descendants(mice: Schema) -> None:
    first = mice["mouse"] & dj.Top(1, "id")
    counts = dj.Diagram.cascade(first).counts()
    assert {name.rpartition(".")[2]: number for name, number in counts.items()} == {
        '"mouse"': 4,
        '"mouse__weight"': 4,
    }
    assert first.delete(prompt=False) == 4
    assert rows(mice, "mouse") == []


def test_rows_may_refer_to_later_batches(mice: Schema) -> None:
    import pyarrow as pa

    one, two = (pa.table({"id": [n], "mother": pa.array([m], pa.int32())}) for n, m in ((8, 9), (9, None)))
    mouse: Any = mice["mouse"]
    both = pa.concat_tables([one, two])
    assert mouse.validate(both, database=True).is_valid
    mouse.insert(both)
    assert len(rows(mice, "mouse")) == 6


# keys


@pytest.mark.parametrize("columns", ["u int UNIQUE NOT NULL", "_h serial PRIMARY KEY, u int UNIQUE NOT NULL"])
@pytest.mark.parametrize("inside", [True, False])
def test_without_a_key_what_depends_on_rows_does_not_choose_them(
    schema: Schema, columns: str, *, inside: bool
) -> None:
    made(
        schema,
        f"CREATE TABLE {{0}}.parent ({columns})",
        "CREATE TABLE {0}.child (c int PRIMARY KEY, u int NOT NULL REFERENCES {0}.parent (u))",
        "INSERT INTO {0}.parent (u) VALUES (1), (2)",
        "INSERT INTO {0}.child VALUES (1, 1), (2, 1), (3, 2)",
    )
    parent: Any = schema["parent"]
    chosen = parent.restrict(schema["child"] & "c = 1", semantic_check=False)

    def delete() -> None:
        if inside:
            with schema.connection.transaction:
                chosen.delete(prompt=False)
        else:
            chosen.delete(prompt=False)

    with pytest.raises(QueryError, match="no primary key that tells its rows apart"):
        delete()
    assert len(rows(schema, "child")) == 3


def test_what_is_equal_may_be_written_otherwise(schema: Schema) -> None:
    @schema
    class Level(dj.Manual):
        definition = "level : float64"

    @schema
    class Reading(dj.Manual):
        definition = """
        reading : int32
        ---
        -> Level
        """

    Level().insert([(0.0,)])
    Reading().insert([(1, -0.0)])
    zero = Level() & "cast(level as varchar) = '0'"
    assert list(dj.Diagram.cascade(zero).counts().values()) == [1, 1]
    assert zero.delete(prompt=False) == 1
    assert len(Reading()) == 0


# transactions


def test_locks_do_not_grow_with_single_inserts(schema: Schema) -> None:
    @schema
    class Run(dj.Manual):
        definition = """
        run : int32
        ---
        n : int32
        """

    def locks() -> int:
        [(number,)] = schema.connection.query("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()")
        return int(number)

    run = Run()
    with schema.connection.transaction:
        for number in range(20):
            run.insert1((number, 1), skip_duplicates=True)
            run.insert1((number, 2), replace=True)
            run.insert1((number, 2), on_conflict="match")
            if number == 0:
                before = locks()
        assert locks() == before
    assert run.to_arrays("n").tolist() == [2] * 20


def test_rows_left_by_one_insert_are_not_inserted_by_the_next(schema: Schema) -> None:
    @schema
    class Run(dj.Manual):
        definition = "run : int32"

    run = Run()
    with schema.connection.transaction:
        run.insert([(1,), (2,)], skip_duplicates=True)
        run.delete_quick()
        run.insert([(3,)], skip_duplicates=True)
    assert run.keys() == [{"run": 3}]


def test_a_trigger_that_changes_keys_is_named(schema: Schema) -> None:
    @schema
    class Run(dj.Manual):
        definition = """
        run : varchar(9)
        ---
        n : int32
        """

    schema.create()
    name = f'"{schema.database}"'
    schema.connection.query(
        f"CREATE FUNCTION {name}.up() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN NEW.run := upper(NEW.run); RETURN NEW; END$$"
    )
    schema.connection.query(
        f"CREATE TRIGGER up BEFORE INSERT ON {name}.run FOR EACH ROW EXECUTE FUNCTION {name}.up()"
    )
    with pytest.raises(IntegrityError, match="a trigger changes rows"):
        Run().insert([("a", 1)], on_conflict="match")
    assert len(Run()) == 0


def test_a_delete_that_others_interrupt_can_be_repeated_with_its_transaction(
    schema: Schema, connection: "psycopg.Connection[Any]"
) -> None:
    made(
        schema,
        "CREATE TABLE {0}.parent (p int PRIMARY KEY)",
        "CREATE TABLE {0}.child (c int PRIMARY KEY, p int REFERENCES {0}.parent)",
        "INSERT INTO {0}.parent VALUES (1)",
    )
    parent, attempts = schema["parent"], []

    def work() -> None:
        attempts.append(len(parent))
        if len(attempts) == 1:
            connection.execute(f'INSERT INTO "{schema.database}".child VALUES (1, 1)'.encode())
        parent.delete(prompt=False)

    schema.connection.run_in_transaction(work, isolation="repeatable read")
    assert attempts == [1, 1]
    assert rows(schema, "child") == []


# many counts


def test_a_count_that_fails_says_why_and_nothing_else(
    schema: Schema, caplog: pytest.LogCaptureFixture
) -> None:
    made(
        schema,
        "CREATE TABLE {0}.a (a int PRIMARY KEY)",
        "INSERT INTO {0}.a SELECT generate_series(0, 4)",
        *(f"CREATE TABLE {{0}}.b{n} (a int PRIMARY KEY REFERENCES {{0}}.a)" for n in range(60)),
    )
    with caplog.at_level(logging.WARNING), pytest.raises(QueryError, match="division by zero"):
        dj.Diagram.cascade(schema["a"] & "1 / (a - 3) > 0").counts()
    assert caplog.records == []
