import os
import re
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from djflow.backend.introspect import enums_of, introspect, relation_names
from djflow.definition import bind, parse, render, unbind
from djflow.errors import LostConnectionError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName, Tier, table_name
from djflow.model.table import (
    Attribute,
    AttributeSpec,
    CurrentTimestamp,
    IndexSpec,
    Literal,
    Null,
    Table,
    TableSpec,
)
from djflow.model.types import CodecType, CoreType, EnumType, NativeType
from djflow.sql.ddl import create_schema, create_table, drop_schema
from djflow.sql.enums import enum_types, plan_enums
from djflow.sql.lineage import create_lineage_table, insert_lineage, lineage_columns
from djflow.testing.strategies import attribute_specs

Connection = psycopg.Connection[Any]
LAYOUT = {
    "tables": """
        SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c
        WHERE c.relnamespace = 'lab'::regnamespace AND c.relkind = 'r' AND c.relname <> '~~ana'
        ORDER BY c.relname COLLATE "C"
    """,
    "columns": """
        SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
          pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'lab'::regnamespace AND c.relkind = 'r' AND c.relname <> '~~ana'
        ORDER BY c.relname COLLATE "C", a.attnum
    """,
    "constraints": """
        SELECT k.conname, pg_get_constraintdef(k.oid)
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE k.connamespace = 'lab'::regnamespace AND c.relname <> '~~ana' AND k.contype <> 'n'
        ORDER BY k.conname COLLATE "C"
    """,
    "indexes": """
        SELECT indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'lab' AND tablename <> '~~ana' ORDER BY indexname COLLATE "C"
    """,
    "types": """
        SELECT 'enum_e54fc739', enum_range(NULL::lab.enum_e54fc739)::text
    """,
    "lineage": """
        SELECT table_name, attribute_name, lineage FROM lab."~lineage"
        WHERE table_name <> '~~ana' ORDER BY table_name COLLATE "C", attribute_name COLLATE "C"
    """,
}


def codec_dtype(type_: CodecType) -> CoreType:
    return CoreType("bytes" if type_.store is None else "json")


def reference(name: TableName) -> str:
    return name.class_path


def bound(name: TableName, definition: str, *parents: Table, **options: bool) -> Table:
    references = [(ref, parent) for parent in parents for ref in (parent.name.class_path, "master")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec = parse(definition)
    return bind(spec, name, resolve=dict(references).__getitem__, codec_dtype=codec_dtype, **options)


def declare(connection: Connection, *tables: Table) -> None:
    for table in tables:
        schema = table.name.schema
        needed = enum_types(table)
        plan = plan_enums(needed, enums_of(connection, [schema, *(enum.schema for enum in needed)]))
        taken = relation_names(connection, schema)
        for statement in (
            create_schema(schema),
            create_lineage_table(schema),
            *plan.statements,
            *create_table(table, enum_names=plan.names, taken_names=taken),
        ):
            connection.execute(statement.encode())
        psycopg.RawCursor(connection).execute(insert_lineage(schema).encode(), lineage_columns([table]))


@pytest.fixture(scope="session")
def lab_tables(interop: Path) -> tuple[Table, ...]:
    """What the definitions that made the database mean."""
    blocks = re.split(r"\n(?=\w)", (interop / "pipeline.txt").read_text().partition("\n")[2].strip())
    tables: dict[str, Table] = {}
    master: TableName | None = None
    for block in blocks:
        head, _, definition = block.partition("\n")
        tier, class_name = head.split()
        name = table_name("lab", class_name, Tier(tier.lower()), master if tier == "Part" else None)
        master = name if tier != "Part" else master
        known = (
            tables
            if master is None
            else {**tables, "master": tables.get(master.class_path, Table(name, "", ()))}
        )
        tables[name.class_path] = bind(
            parse(definition), name, resolve=known.__getitem__, codec_dtype=codec_dtype, job_metadata=True
        )
    return tuple(tables.values())


@pytest.fixture
def lab(lab_url: str) -> Any:
    with psycopg.connect(lab_url, autocommit=True) as connection:
        yield connection


def test_a_database_of_datajoint_reads_as_its_definitions(
    lab: Connection, lab_tables: tuple[Table, ...]
) -> None:
    catalog = introspect(lab, ["lab"])
    assert {table.name for table in catalog.tables} == {table.name for table in lab_tables}
    for table in lab_tables:
        assert catalog[table.name] == table
        ours = unbind(catalog[table.name], class_path=reference)
        assert ours == unbind(table, class_path=reference)
        assert parse(render(ours)) == ours


def test_the_layout_is_the_one_that_datajoint_makes(
    lab: Connection, lab_tables: tuple[Table, ...], empty_url: str
) -> None:
    with psycopg.connect(empty_url, autocommit=True) as connection:
        declare(connection, *lab_tables)
        for what, query in LAYOUT.items():
            assert connection.execute(query.encode()).fetchall() == lab.execute(query.encode()).fetchall(), (
                what
            )


def test_a_role_that_may_only_read_sees_everything(
    lab: Connection, lab_url: str, lab_tables: tuple[Table, ...]
) -> None:
    from psycopg.conninfo import make_conninfo

    role = f"reader_{uuid4().hex[:8]}"
    lab.execute(f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA lab TO {role}".encode())
    lab.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA lab TO {role}".encode())
    with psycopg.connect(make_conninfo(lab_url), autocommit=True) as connection:
        connection.execute(f"SET ROLE {role}".encode())
        assert set(introspect(connection, ["lab"]).tables) == set(lab_tables)
        connection.execute(b"RESET ROLE")
        connection.execute(f'REVOKE SELECT ON lab."~lineage" FROM {role}; SET ROLE {role}'.encode())
        assert set(introspect(connection, ["lab"]).tables) == set(lab_tables)
    lab.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


@pytest.mark.parametrize("damage", ['TRUNCATE lab."~lineage"', 'DROP TABLE lab."~lineage"'])
def test_lineage_that_was_lost_follows_from_the_foreign_keys(
    damage: str, lab: Connection, lab_tables: tuple[Table, ...]
) -> None:
    lab.execute(damage.encode())
    assert set(introspect(lab, ["lab"]).tables) == set(lab_tables)


def test_recorded_lineage_counts_more_than_foreign_keys(lab: Connection) -> None:
    lab.execute(b"""UPDATE lab."~lineage" SET lineage = 'old.a.b' WHERE table_name = 'session'""")
    session = introspect(lab, ["lab"])[TableName("lab", "session")]
    assert {a.lineage for a in session.columns if a.in_key} == {"old.a.b"}


def test_all_schemas_are_read_by_default_and_missing_ones_are_empty(lab: Connection) -> None:
    assert {table.name.schema for table in introspect(lab).tables} == {"lab"}
    assert introspect(lab, ["nowhere"]) == Catalog()
    assert introspect(lab, []) == Catalog()


def test_reading_is_possible_inside_a_transaction_and_sees_its_tables(
    connection: Connection, schema_name: str
) -> None:
    table = bound(TableName(schema_name, "a"), "a : int32")
    with connection.transaction(force_rollback=True):
        declare(connection, table)
        assert introspect(connection, [schema_name]).tables == (table,)
    assert introspect(connection, [schema_name]).tables == ()
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_closed_connection_is_a_lost_one(server_url: str) -> None:
    connection = psycopg.connect(server_url)
    connection.close()
    with pytest.raises(LostConnectionError):
        introspect(connection)


def test_parents_in_other_schemas_are_read_too(connection: Connection, schema_name: str) -> None:
    anatomy = f"{schema_name}_a"
    side = bound(TableName(anatomy, "#side"), "side : enum('left','right') # of the body")
    probe = bound(TableName(anatomy, "probe"), "-> Side\nprobe : int16", side)
    site = bound(
        TableName(schema_name, "site"),
        "-> Probe\nhand : enum('left','right')\n---\n-> [nullable] Probe.proj(near='side', close='probe')",
        probe,
    )
    try:
        declare(connection, side, probe, site)
        declare(connection, bound(TableName(anatomy, "unrelated"), "a : int32"))
        assert set(introspect(connection, [schema_name]).tables) >= {side, probe, site}
        types = enums_of(connection, [schema_name, anatomy])
        assert {schema: list(names) for schema, names in types.items()} == {
            schema_name: ["enum_08a01091"],
            anatomy: ["enum_08a01091"],
        }
    finally:
        connection.execute(drop_schema(schema_name).encode())
        connection.execute(drop_schema(anatomy).encode())


def test_the_number_of_queries_does_not_grow_with_the_tables(
    connection: Connection, schema_name: str
) -> None:
    parent = bound(TableName(schema_name, "parent"), "a : int32")
    declare(connection, parent)
    few = fewest_queries(connection, schema_name)
    declare(
        connection,
        *(bound(TableName(schema_name, f"t{i}"), "-> Parent\nb : int16", parent) for i in range(20)),
    )
    assert fewest_queries(connection, schema_name) == few
    assert len(introspect(connection, [schema_name]).tables) == 21


def fewest_queries(connection: Connection, schema: str) -> int:
    """How many statements reading a schema takes; it begins again where others drop tables meanwhile."""
    return min(queries(connection, schema) for _ in range(3))


def queries(connection: Connection, schema: str) -> int:
    """How many statements reach the server while a schema is read."""
    with tempfile.TemporaryFile("r+") as trace:
        connection.pgconn.trace(os.dup(trace.fileno()))
        introspect(connection, [schema])
        connection.pgconn.untrace()
        trace.seek(0)
        return sum(
            1 for line in trace if re.search(r"^F\s|\sF\s", line) and re.search(r"\b(Query|Execute)\b", line)
        )


def columns_of(connection: Connection, schema: str, body: str) -> Mapping[str, Attribute]:
    connection.execute(create_schema(schema).encode())
    connection.execute(f"SET search_path TO {schema}; {body}".encode())
    table = introspect(connection, [schema])[TableName(schema, "t")]
    return {column.name: column for column in table.columns}


def test_tables_made_by_others_have_native_types(connection: Connection, schema_name: str) -> None:
    body = """
    CREATE TYPE mood AS ENUM ('sad', 'happy');
    CREATE DOMAIN percent AS numeric(5,2) CHECK (VALUE BETWEEN 0 AND 100);
    CREATE DOMAIN share AS percent;
    CREATE TABLE t (
      id bigserial PRIMARY KEY, n integer, v varchar(7), x double precision[], m mood, s share, p point,
      at timestamptz, counted bigint GENERATED ALWAYS AS IDENTITY,
      twice integer GENERATED ALWAYS AS (n * 2) STORED
    );
    """
    columns = columns_of(connection, schema_name, body)
    assert {name: str(column.type) for name, column in columns.items()} == snapshot(
        {
            "id": "bigserial",
            "n": "integer",
            "v": "character varying(7)",
            "x": "double precision[]",
            "m": "enum('sad','happy')",
            "s": "numeric(5,2)",
            "p": "point",
            "at": "timestamp with time zone",
            "counted": "bigserial",
            "twice": "integer",
        }
    )
    assert all(column.type == column.stored for column in columns.values())
    assert columns["m"].type == EnumType(("sad", "happy"))


def test_defaults_are_read_as_the_definition_would_write_them(
    connection: Connection, schema_name: str
) -> None:
    body = r"""
    CREATE TYPE mood AS ENUM ('sad', 'it''s ::fine');
    CREATE TABLE t (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      none integer NOT NULL, absent integer, nothing varchar(3) DEFAULT NULL,
      five smallint NOT NULL DEFAULT 5, minus bigint NOT NULL DEFAULT -5, half real NOT NULL DEFAULT 0.5,
      tiny double precision NOT NULL DEFAULT 1e-30, dec numeric(8,3) NOT NULL DEFAULT 2.5,
      yes boolean NOT NULL DEFAULT true, m mood NOT NULL DEFAULT 'it''s ::fine',
      path text NOT NULL DEFAULT 'a\b', now1 timestamp NOT NULL DEFAULT now(),
      now2 timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), day date NOT NULL DEFAULT CURRENT_DATE,
      christmas date NOT NULL DEFAULT '2024-12-25', maybe integer DEFAULT 7,
      sum integer NOT NULL DEFAULT 1 + 1, obj jsonb NOT NULL DEFAULT '{}'
    );
    """
    columns = columns_of(connection, schema_name, body)
    assert {name: column.default for name, column in columns.items()} == snapshot(
        {
            "id": None,
            "none": None,
            "absent": Null(),
            "nothing": Null(),
            "five": Literal(text="5"),
            "minus": Literal(text="-5"),
            "half": Literal(text="0.5"),
            "tiny": Literal(text="1e-30"),
            "dec": Literal(text="2.500"),
            "yes": Literal(text="true"),
            "m": Literal(text="it's ::fine"),
            "path": Literal(text="a\\b"),
            "now1": CurrentTimestamp(),
            "now2": CurrentTimestamp(),
            "day": CurrentTimestamp(),
            "christmas": Literal(text="2024-12-25"),
            "maybe": Literal(text="7"),
            "sum": None,
            "obj": Literal(text="{}"),
        }
    )
    assert columns["maybe"].nullable


def test_a_comment_that_the_column_contradicts_is_not_believed(
    connection: Connection, schema_name: str
) -> None:
    body = """
    CREATE TABLE t (a bigint, b smallint, c text, d bytea, e jsonb, f integer);
    COMMENT ON COLUMN t.a IS ':int16:widened by hand';
    COMMENT ON COLUMN t.b IS ':int8:small: very';
    COMMENT ON COLUMN t.c IS ':nonsense:';
    COMMENT ON COLUMN t.d IS ':<blob>:';
    COMMENT ON COLUMN t.e IS ':<npy@main>:an: array';
    COMMENT ON COLUMN t.f IS E'a plain\n  one';
    """
    columns = columns_of(connection, schema_name, body)
    assert {name: (str(c.type), str(c.stored), c.comment) for name, c in columns.items()} == snapshot(
        {
            "a": ("bigint", "bigint", "widened by hand"),
            "b": ("int8", "int8", "small: very"),
            "c": ("text", "text", ""),
            "d": ("<blob>", "bytes", ""),
            "e": ("<npy@main>", "json", "an: array"),
            "f": ("integer", "integer", "a plain one"),
        }
    )


def test_indexes_that_no_definition_can_say_are_left_out(connection: Connection, schema_name: str) -> None:
    columns_of(
        connection,
        schema_name,
        """
        CREATE TABLE t (a integer PRIMARY KEY, b text UNIQUE, c jsonb, d integer);
        CREATE INDEX ON t (lower(b), d DESC);
        CREATE INDEX ON t ((d + a)) INCLUDE (b);
        CREATE INDEX ON t (d) WHERE d > 0;
        CREATE INDEX ON t USING gin (c);
        """,
    )
    [table] = introspect(connection, [schema_name]).tables
    assert set(table.indexes) == {
        IndexSpec(("(lower(b))", "d")),
        IndexSpec(("(d + a)",)),
        IndexSpec(("b",), unique=True),
    }


def test_hidden_tables_views_and_partitions_are_left_out(connection: Connection, schema_name: str) -> None:
    columns_of(
        connection,
        schema_name,
        """
        CREATE TABLE t (a integer PRIMARY KEY) PARTITION BY RANGE (a);
        CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (10);
        CREATE TABLE child (a integer PRIMARY KEY REFERENCES t);
        CREATE TABLE "~hidden" (a integer REFERENCES t);
        CREATE VIEW v AS SELECT * FROM t;
        """,
    )
    names = [name.table for name in (table.name for table in introspect(connection, [schema_name]).tables)]
    assert names == ["child", "t"]


def test_references_in_a_circle_end(connection: Connection, schema_name: str) -> None:
    columns = columns_of(
        connection,
        schema_name,
        """
        CREATE TABLE t (a integer PRIMARY KEY, mother integer REFERENCES t, b integer);
        CREATE TABLE u (b integer PRIMARY KEY REFERENCES t);
        ALTER TABLE t ADD FOREIGN KEY (b) REFERENCES u, ADD FOREIGN KEY (a) REFERENCES u;
        """,
    )
    assert {str(column.type) for column in columns.values()} == {"integer"}


@st.composite
def specs(draw: st.DrawFn) -> TableSpec:
    names = ["a", "index", "select", "d", "e"][: draw(st.integers(1, 5))]
    cut = draw(st.integers(0, len(names)))
    primary = [draw(attribute_specs(name, in_key=True).filter(_keyable)) for name in names[:cut]]
    secondary = [draw(attribute_specs(name).filter(_declarable)) for name in names[cut:]]
    comment = draw(st.sampled_from(("", "plain", "it's \\ %s", "':':")))
    return TableSpec(comment, tuple(primary), tuple(secondary))


def _keyable(spec: AttributeSpec) -> bool:
    return _declarable(spec) and str(spec.type) != "json"


def _declarable(spec: AttributeSpec) -> bool:
    """Whether the server accepts it: not every text is an interval to it."""
    return not (isinstance(spec.type, NativeType) and isinstance(spec.default, Literal))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(specs())
def test_what_is_declared_is_what_is_read(connection: Connection, spec: TableSpec) -> None:
    schema = f"test_{uuid4().hex[:12]}"
    parent = bind(spec, TableName(schema, "parent"), resolve=lambda _: _absent(), codec_dtype=codec_dtype)
    tables = [parent]
    if not parent.is_singleton:
        child = "-> Parent\nmore : int16\n---\nx = null : float32"
        tables.append(bound(TableName(schema, "child"), child, parent))
    with connection.transaction(force_rollback=True):
        declare(connection, *tables)
        assert set(introspect(connection, [schema]).tables) == set(tables)


def _absent() -> Table:
    raise AssertionError
