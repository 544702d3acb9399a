"""Tables of awkward rows on a server, and what plans over them must give."""

import json
import math
import os
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pyarrow as pa
import pytest
from hypothesis import Phase, given, seed, settings
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb

import djflow as dj
from djflow.configuration import changed, load
from djflow.engine import run
from djflow.engine.compile import Compiled, compile_plan
from djflow.engine.execute import count, exists, schema_of, stream
from djflow.model.table import Heading, Table
from djflow.planner.lower_sql import lower_rows
from djflow.planner.nodes import Node, is_ordered
from djflow.planner.rewriter import optimise
from djflow.relation.database import Database
from djflow.relation.relation import Relation
from djflow.sql.ddl import create_schema, create_table, drop_schema
from djflow.sql.enums import enum_types, plan_enums
from djflow.sql.identifiers import qualified, quote
from djflow.testing.databases import Rowsets
from djflow.testing.naive import evaluate
from djflow.testing.naive_scalar import Rows
from djflow.testing.naive_values import UndefinedValueError, kind_of
from djflow.testing.plans import depth_of, operator_names
from djflow.testing.schemas import schemas


class World:
    """Tables on a server, refilled for each example."""

    def __init__(self, tables: Sequence[Table], database: Database) -> None:
        self.tables, self.database, self.session = tables, database, database.session
        self.statistics: Counter[str] = Counter()
        self._writer = psycopg.connect(
            self.session.conninfo(), autocommit=True, cursor_factory=psycopg.ClientCursor
        )

    def close(self) -> None:
        self._writer.close()

    def fill(self, stored: Rowsets) -> None:
        cursor = psycopg.ClientCursor(self._writer)
        statements = [f"DELETE FROM {qualified(table.name)}" for table in reversed(self.tables)]
        for table in self.tables:
            names = ", ".join(map(quote, table.heading.names))
            row = ", ".join("%s" for _ in table.heading)
            values = [
                [_adapted(row[a.name], kind_of(a.stored)) for a in table.heading]
                for row in stored[table.name]
            ]
            statements += [
                cursor.mogrify(f"INSERT INTO {qualified(table.name)} ({names}) VALUES ({row})".encode(), each)
                for each in values
            ]
        cursor.execute("; ".join(statements).encode())

    def rows(self, plan: Node) -> Rows:
        """The rows of a plan as users get them."""
        return self._decoded(run.whole(self.session, plan), plan.heading)

    def relation(self, plan: Node) -> Relation:
        return Relation(plan, self.database)

    def check(self, plan: Node, stored: Rowsets) -> None:
        """Compare all ways of running a plan with its definition; what SQL refuses to compute is left out."""
        self.statistics.update(set(operator_names(plan)) | {f"{min(depth_of(plan), 6)} operators deep"})
        try:
            rows = evaluate(plan, stored)
        except UndefinedValueError:
            self.statistics["refused by SQL"] += 1
            return
        check_rows(rows, plan)
        comparable = canonical if is_ordered(plan) else bag
        assert comparable(self.rows(plan)) == comparable(rows)
        if plan.has_local:
            plan = run.resolved(self.session, plan)
        else:
            check_planning(plan)
        assert comparable(self.run(unoptimised(plan))) == comparable(rows)
        assert comparable(self.run(compile_plan(plan))) == comparable(rows)
        assert count(self.session, plan) == len(rows)
        assert exists(self.session, plan) is bool(rows)

    def run(self, compiled: Compiled) -> Rows:
        return self._decoded(stream(self.session, compiled), compiled.logical.heading)

    @staticmethod
    def _decoded(read: Iterable[pa.RecordBatch], heading: Heading) -> Rows:
        batches = list(read)
        assert batches
        if not heading.names:
            return [{} for batch in batches for _ in range(batch.num_rows)]
        table = pa.Table.from_batches(batches)
        assert table.schema.equals(schema_of(heading))
        table.validate(full=True)
        for attribute in heading:
            assert attribute.nullable or not table.column(attribute.name).null_count
        return [_decoded(row, heading) for row in table.to_pylist()]


def check_rows(rows: Rows, plan: Node) -> None:
    """What the heading of a plan promises of its rows."""
    assert all(tuple(row) == plan.heading.names for row in rows)
    keys = [{name: row[name] for name in plan.heading.primary_key} for row in rows]
    assert len(set(canonical(keys))) == len(rows)
    required = [a.name for a in plan.heading if not a.nullable]
    assert all(row[name] is not None for row in rows for name in required)


def check_planning(plan: Node) -> None:
    """Optimising keeps the heading, also when done again, and gives the same text for an equal plan."""
    compiled = compile_plan(plan)
    assert compiled.optimised.heading == plan.heading
    again = compile_plan(pickle.loads(pickle.dumps(plan)))  # noqa: S301 - its own plan
    assert again.statement.sql == compiled.statement.sql
    assert optimise(compiled.optimised).plan.heading == plan.heading


def _adapted(value: Any, kind: str) -> Any:
    return Jsonb(value) if kind == "json" and value is not None else value


def _decoded(row: dict[str, Any], heading: Heading) -> dict[str, Any]:
    documents = {a.name for a in heading if kind_of(a.stored) == "json"}
    return {k: json.loads(v) if k in documents and v is not None else v for k, v in row.items()}


def unoptimised(plan: Node) -> Compiled:
    return Compiled(plan, plan, (), lower_rows(plan), is_small=True)


def canonical(rows: Rows) -> list[tuple[str, ...]]:
    """Rows as text in which equal values look equal; sums of doubles may differ in their last digits."""
    return [tuple(f"{name}={_shown(value)}" for name, value in row.items()) for row in rows]


def bag(rows: Rows) -> Counter[tuple[str, ...]]:
    return Counter(canonical(rows))


def _shown(value: Any) -> str:
    match value:
        case float():
            return "nan" if math.isnan(value) else f"{value + 0.0:.9g}"
        case Decimal():
            return f"{value.normalize() + 0:f}"
        case dict() | list():
            return json.dumps(value, sort_keys=True)
        case _:
            return repr(value)


@pytest.fixture(scope="session")
def engine_database(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database as `dj.conn()` gives it, for all tests of this folder."""
    folder = tmp_path_factory.mktemp("world")
    parts = {key: str(value) for key, value in conninfo_to_dict(server_url).items()}
    server: dict[str, Any] = {key: parts[key] for key in ("host", "user", "password") if key in parts}
    server |= {"port": int(parts.get("port", "5432")), "name": parts["dbname"]}
    ambient = {"DJFLOW_HOME": str(folder), "DJ_IGNORE_CONFIG_FILE": "true"}
    chosen = changed(load(ambient, folder), {"database": server})
    database = Database(lambda: chosen)
    yield database
    database.close()


@pytest.fixture(scope="session")
def world(engine_database: Database) -> Iterator[World]:
    """Six related tables, empty; fill them, then check plans."""
    schema = dj.Schema(f"test_{uuid4().hex[:12]}", connection=engine_database)
    made = World(_declare(schema), engine_database)
    yield made
    _report(made)
    made.close()
    schema.drop(prompt=False)


@pytest.fixture
def new_world(engine_database: Database) -> Iterator[Callable[[int], World]]:
    """Makes a world of generated tables from a seed."""
    made: list[World] = []

    def declare(number: int) -> World:
        tables = _drawn(f"test_{uuid4().hex[:12]}", number)
        statements = [create_schema(tables[0].name.schema)]
        enums = plan_enums((enum for table in tables for enum in enum_types(table)), {})
        statements += enums.statements
        for table in tables:
            statements += create_table(table, enum_names=enums.names)
        with psycopg.connect(engine_database.session.conninfo(), autocommit=True) as connection:
            connection.execute("; ".join(statements).encode())
        made.append(World(tables, engine_database))
        return made[-1]

    yield declare
    for world in made:
        _report(world)
        world.close()
        with psycopg.connect(engine_database.session.conninfo(), autocommit=True) as connection:
            connection.execute(drop_schema(world.tables[0].name.schema).encode())


def _drawn(schema: str, number: int) -> tuple[Table, ...]:
    """The last of a few generated schemas: the first ones are the simplest."""
    found: list[tuple[Table, ...]] = []

    @seed(number)
    @settings(max_examples=10, database=None, phases=[Phase.generate], deadline=None)
    @given(schemas(schema))
    def draw(tables: tuple[Table, ...]) -> None:
        found.append(tables)

    draw()
    return max(found[-5:], key=len)


def _report(world: World) -> None:
    if os.environ.get("DJFLOW_TEST_STATISTICS") == "1":
        lines = [f"{n:8} {name}" for name, n in world.statistics.most_common()]
        sys.stderr.write("\n".join(("", "plans with", *lines, "")))


def _declare(schema: dj.Schema) -> list[Table]:
    @schema
    class Species(dj.Manual):
        definition = """
        species : varchar(8)
        ---
        label = null : char(4)
        """

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        -> [nullable] Species
        sex : enum('M', 'F', 'it''s', 'b\\s')
        born : date
        weight = null : decimal(8,3)
        x = null : float64
        f : float32
        alive = null : bool
        seen = null : datetime
        uid = null : uuid
        meta = null : json
        raw = null : bytes
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int16
        ---
        -> [nullable] Subject.proj(mate='subject')
        notes : varchar(10)
        big = null : int64
        """

    @schema
    class Trial(dj.Manual):
        definition = """
        -> Session
        trial : int8
        ---
        rt = null : float64
        outcome = null : enum('F', 'hit', 'miss')
        """

    @schema
    class Rig(dj.Manual):
        definition = """
        rig : varchar(8)
        ---
        notes : varchar(10)
        -> [nullable] Session
        """

    @schema
    class Setting(dj.Manual):
        definition = """
        ---
        factor : decimal(6,2)
        """

    schema.create()
    return [cls().table_model for cls in (Species, Subject, Session, Trial, Rig, Setting)]
