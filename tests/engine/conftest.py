"""Tables of awkward rows on a server, and what plans over them must give."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pyarrow as pa
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb

import djflow as dj
from djflow.backend.session import Session
from djflow.configuration import changed, load
from djflow.engine.compile import Compiled, compile_plan
from djflow.engine.execute import count, exists, schema_of, stream
from djflow.model.table import Heading, Table
from djflow.planner.lower_sql import lower_rows
from djflow.planner.nodes import Node, is_ordered
from djflow.relation.database import Database
from djflow.sql.identifiers import qualified, quote
from djflow.testing.databases import Rowsets
from djflow.testing.naive import evaluate
from djflow.testing.naive_scalar import Rows
from djflow.testing.naive_values import UndefinedValueError, kind_of


class World:
    """Tables on a server, refilled for each example."""

    def __init__(self, tables: Sequence[Table], session: Session) -> None:
        self.tables, self.session = tables, session

    def fill(self, stored: Rowsets) -> None:
        with psycopg.connect(self.session.conninfo()) as connection, connection.cursor() as cursor:
            for table in reversed(self.tables):
                cursor.execute(f"DELETE FROM {qualified(table.name)}".encode())
            for table in self.tables:
                names = ", ".join(map(quote, table.heading.names))
                with cursor.copy(f"COPY {qualified(table.name)} ({names}) FROM STDIN".encode()) as copy:
                    for row in stored[table.name]:
                        copy.write_row([_adapted(row[a.name], kind_of(a.stored)) for a in table.heading])

    def check(self, plan: Node, stored: Rowsets) -> None:
        """Compare all ways of running a plan with its definition; what SQL refuses to compute is left out."""
        try:
            rows = evaluate(plan, stored)
        except UndefinedValueError:
            return
        compiled = compile_plan(plan)
        assert compiled.optimised.heading == plan.heading
        comparable = canonical if is_ordered(plan) else _bag
        assert comparable(self.run(unoptimised(plan))) == comparable(rows)
        assert comparable(self.run(compiled)) == comparable(rows)
        assert count(self.session, plan) == len(rows)
        assert exists(self.session, plan) is bool(rows)
        assert all(tuple(row) == plan.heading.names for row in rows)
        keys = [{name: row[name] for name in plan.heading.primary_key} for row in rows]
        assert len(set(canonical(keys))) == len(rows)

    def run(self, compiled: Compiled) -> Rows:
        batches = list(stream(self.session, compiled))
        assert batches
        heading = compiled.logical.heading
        if not heading.names:
            return [{} for batch in batches for _ in range(batch.num_rows)]
        table = pa.Table.from_batches(batches)
        assert table.schema.equals(schema_of(heading))
        table.validate(full=True)
        for attribute in heading:
            assert attribute.nullable or not table.column(attribute.name).null_count
        return [_decoded(row, heading) for row in table.to_pylist()]


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


def _bag(rows: Rows) -> Counter[tuple[str, ...]]:
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
def world(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Six related tables, empty; fill them, then check plans."""
    folder = tmp_path_factory.mktemp("world")
    parts = {key: str(value) for key, value in conninfo_to_dict(server_url).items()}
    server: dict[str, Any] = {key: parts[key] for key in ("host", "user", "password") if key in parts}
    server |= {"port": int(parts.get("port", "5432")), "name": parts["dbname"]}
    ambient = {"DJFLOW_HOME": str(folder), "DJ_IGNORE_CONFIG_FILE": "true"}
    chosen = changed(load(ambient, folder), {"database": server})
    database = Database(lambda: chosen)
    schema = dj.Schema(f"test_{uuid4().hex[:12]}", connection=database)
    yield World(_declare(schema), database.session)
    schema.drop(prompt=False)
    database.close()


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
