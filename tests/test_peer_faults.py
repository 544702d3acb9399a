"""What users of other engines had to live with, and what is right here; one law each."""

import json
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import djflow as dj
from djflow.configuration import changed
from djflow.errors import DuplicateError, NativeTypeWarning, UnknownAttributeError
from djflow.relation.database import Database
from djflow.tables.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def animal(schema: Schema) -> Any:
    @schema
    class Animal(dj.Manual):
        definition = r"""
        # "quoted", it's 'so', a \ and <b>
        animal : int32   # number, "as 'written'" \ <i>
        ---
        name : varchar(30)   # "its" name
        weight = null : decimal(6,2)
        alive = true : bool
        length = null : float64
        uid = null : uuid
        meta = null : json
        """

    Animal().insert([{"animal": n, "name": f"a{n}"} for n in range(6)])
    return Animal()


@pytest.fixture
def meal(schema: Schema, animal: Any) -> Any:
    @schema
    class Meal(dj.Manual):
        definition = """
        -> Animal
        meal : int16
        ---
        grams : float32
        """

    names = {"Animal": type(animal)}
    declared = schema(Meal, context=names)()
    declared.insert([(a, m, a + m) for a in range(6) for m in range(3)])
    return declared


# wrong rows


def test_a_backslash_in_a_restriction_is_a_backslash(animal: Any) -> None:
    names = ["a\\b", "a\\\\b", "it's", 'say "x"', "100%", "a_b", "é\n\t", "$1 %s"]
    animal.insert([{"animal": 10 + n, "name": name} for n, name in enumerate(names)])
    for n, name in enumerate(names):
        for condition in ({"name": name}, [{"name": name}], pl.DataFrame({"name": [name]})):
            assert (animal & condition).to_arrays("animal").tolist() == [10 + n]


def test_every_fetch_method_gives_one_order(animal: Any, meal: Any) -> None:
    for relation in (
        meal,
        animal.aggr(meal, n="count(meal)", g="sum(grams)"),
        animal * meal,
        meal.proj("grams"),
    ):
        keys = relation.keys()
        names = relation.primary_key
        assert [{name: row[name] for name in names} for row in relation.to_dicts()] == keys
        assert [{name: row[name] for name in names} for row in relation] == keys
        assert relation.to_polars().select(names).to_dicts() == keys
        assert relation.to_arrow().select(names).to_pylist() == keys
        assert relation.to_pandas().reset_index()[names].to_dict("records") == keys
        assert relation.to_arrays(names[0], include_key=True)[0] == keys


def test_the_order_stays_when_rows_are_updated(animal: Any) -> None:
    before = animal.to_arrays("animal").tolist()
    animal.connection.query(f"UPDATE {animal.full_table_name} SET name = 'z' WHERE animal IN (0, 3)")
    assert animal.to_arrays("animal").tolist() == before == sorted(before)


# broken elsewhere


def test_uuids_go_in_come_out_and_restrict(animal: Any) -> None:
    value = uuid.uuid4()
    animal.insert1({"animal": 9, "name": "x", "uid": value})
    assert (animal & {"uid": value}).fetch1("uid") == value
    assert (animal & f"uid = '{value}'").fetch1("animal") == 9


def test_store_columns_need_no_named_store(schema: Schema) -> None:
    @schema
    class Image(dj.Manual):
        definition = """
        image : int32
        ---
        pixels : <npy@>
        notes : <blob@>
        """

    Image().insert1((1, np.eye(2), {"by": "ann"}))
    row = Image().fetch1()
    assert row["pixels"].load().tolist() == [[1, 0], [0, 1]]
    assert row["notes"] == {"by": "ann"}


def test_replacing_overwrites(animal: Any) -> None:
    animal.insert1({"animal": 1, "name": "new"}, replace=True)
    assert (animal & {"animal": 1}).fetch1("name") == "new"
    assert len(animal) == 6


def test_a_renamed_attribute_can_be_renamed_again(animal: Any, meal: Any) -> None:
    twice = animal.proj(a="animal").proj(b="a")
    assert twice.primary_key == ["b"]
    assert twice.to_arrays("b").tolist() == list(range(6))
    assert len(twice * meal.proj(b="animal")) == 18


def test_descriptions_with_labels_and_text_defaults_declare_again(schema: Schema, database: Database) -> None:
    @schema
    class Rig(dj.Manual):
        definition = """
        rig : int32
        ---
        side = 'left' : enum('left', 'right')
        label = "it's" : varchar(20)
        """

    schema.create()
    text = Rig().describe()
    twin = Schema(f"{schema.database}_twin", connection=database)
    again: Any = twin(type("Rig", (dj.Manual,), {"definition": text}))
    try:
        again().insert1({"rig": 1})
        assert again().fetch1() == {"rig": 1, "side": "left", "label": "it's"}
        assert again().describe() == text
    finally:
        twin.drop(prompt=False)


def test_nan_from_numpy_is_a_value(animal: Any) -> None:
    animal.insert1({"animal": 9, "name": "x", "length": np.nan})
    assert np.isnan((animal & {"animal": 9}).fetch1("length"))
    assert (animal & {"animal": 9}).to_polars()["length"].is_nan().all()


def test_integers_are_accepted_as_truth_values(animal: Any) -> None:
    animal.insert([{"animal": 9, "name": "x", "alive": 0}, {"animal": 10, "name": "y", "alive": np.int64(1)}])
    assert (animal & "animal > 8").to_arrays("alive").tolist() == [False, True]
    assert len(animal & {"alive": 0}) == len(animal & "NOT alive") == 1


def test_a_path_into_json_compares_with_numbers(animal: Any) -> None:
    animal.insert([{"animal": 9, "name": "x", "meta": {"age": 7, "deep": {"x": 2.5}}}])
    animal.insert([{"animal": 10, "name": "y", "meta": {"age": 10, "deep": {"x": 1}}}])
    assert (animal & {"meta.age": 7}).to_arrays("animal").tolist() == [9]
    assert (animal & "meta->>'age' > 7").to_arrays("animal").tolist() == [10]
    assert (animal & {"meta.deep.x": 2.5}).to_arrays("animal").tolist() == [9]


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
        type("Thing", (dj.Manual,), {"definition": "thing : int32"})
    )()
    for action in (thing.__len__, thing.to_polars, lambda: thing.insert1((1,))):
        thing.to_polars()
        with psycopg.connect(empty_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        action()
    assert len(thing) == 1
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


def test_upper_case_schema_names_work(database: Database, schema_name: str) -> None:
    schema = Schema(schema_name.upper(), connection=database)
    thing: Any = schema(type("Thing", (dj.Manual,), {"definition": "thing : enum('A', 'b')"}))()
    try:
        thing.insert1(("A",))
        assert thing.fetch1("thing") == "A"
        assert thing.full_table_name == f'"{schema_name.upper()}"."thing"'
    finally:
        schema.drop(prompt=False)


def test_quotes_in_comments_harm_nothing(animal: Any, schema: Schema) -> None:
    assert str(dj.Diagram(schema)) == "Animal  manual"
    assert animal.heading["animal"].comment == "number, \"as 'written'\" \\ <i>"
    assert animal.describe().splitlines()[0] == "# \"quoted\", it's 'so', a \\ and <b>"
    assert "<i>" not in animal._repr_html_()


# types


@pytest.mark.parametrize(
    "spelling",
    [
        "tinyint",
        "double",
        "double precision",
        "year",
        "int unsigned",
        "bigint unsigned",
        "longtext",
        "mediumtext",
        "blob",
        "longblob",
        "bytea",
        "jsonb",
        "boolean",
        "interval",
        "integer[]",
        "text[]",
        "timestamp",
        "timestamptz",
    ],
)
def test_types_of_databases_pass_with_a_warning(schema: Schema, spelling: str) -> None:
    with pytest.warns(NativeTypeWarning, match="portable|core|write|Write"):
        thing: Any = schema(
            type("Thing", (dj.Manual,), {"definition": f"thing : int32\n---\nx = null : {spelling}"})
        )
    thing().insert1({"thing": 1})
    assert thing().fetch1() == {"thing": 1, "x": None}
    assert thing().to_arrow().num_rows == 1


def test_an_unknown_column_is_told_with_the_closest_name(animal: Any) -> None:
    actions: list[Callable[[], object]] = [
        lambda: animal & "nme = 'x'",
        lambda: animal & "nme > 1",
        lambda: animal.proj("nme"),
        lambda: animal.proj(x="nme + 1"),
        lambda: animal.to_arrays("nme"),
        lambda: animal.to_dicts(order_by="nme"),
        lambda: animal.fetch1("nme"),
        lambda: animal.insert1({"animal": 9, "nme": "x"}),
    ]
    for action in actions:
        with pytest.raises(UnknownAttributeError, match="Did you mean 'name'"):
            action()


def test_arrow_types_are_those_of_the_table_even_without_rows(schema: Schema) -> None:
    @schema
    class Typed(dj.Manual):
        definition = """
        i : int32
        ---
        d : decimal(6,2)
        s = null : int16
        f = null : float32
        j = null : json
        """

    Typed().insert1({"i": 1, "d": Decimal("1.5"), "j": {"a": 1}})
    expected = {
        "i": pa.int32(),
        "d": pa.decimal128(6, 2),
        "s": pa.int16(),
        "f": pa.float32(),
        "j": pa.string(),
    }
    for relation in (Typed(), Typed() & "i > 5", Typed() & False, Typed() & []):
        schema_found = relation.to_arrow().schema
        assert {field.name: field.type for field in schema_found} == expected
        assert relation.to_polars().schema["d"] == pl.Decimal(6, 2)
        assert relation.to_polars().columns == list(expected)
    assert Typed().fetch1("d") == Decimal("1.50")
    assert list((Typed() & False).to_pandas().columns) == ["d", "s", "f", "j"]


def test_importing_opens_nothing_and_warns_of_nothing(tmp_path: Path) -> None:
    script = (
        "import djflow, sys, json; print(json.dumps([m for m in sys.modules if m in ('psycopg', 'pyarrow')]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert (json.loads(done.stdout), done.stderr) == ([], "")
    assert list(tmp_path.iterdir()) == []
