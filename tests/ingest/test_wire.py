"""What is encoded for COPY is what PostgreSQL then holds."""

import datetime as dt
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from djflow.backend.wire import copy_format, copy_rows, encode_copy
from djflow.ingest.convert import convert
from djflow.model.table import Attribute, Null
from djflow.model.types import CoreType, EnumType, NativeType, StoredType, sql_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

LABELS: Final = ("M", "it's", "é")
TEXT: Final = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)
DAYS: Final = st.dates()
MOMENTS: Final = st.datetimes()
DURATIONS: Final = st.timedeltas(dt.timedelta(days=-90_000), dt.timedelta(days=90_000))


def integers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    limit = 10**precision - 1
    return st.integers(-limit, limit).map(
        lambda n: Decimal((int(n < 0), tuple(map(int, str(abs(n)))), -scale))
    )


VALUES: Final[dict[StoredType, st.SearchStrategy[Any]]] = {
    CoreType("int8"): integers(8),
    CoreType("int16"): integers(16),
    CoreType("int32"): integers(32),
    CoreType("int64"): integers(64),
    CoreType("float32"): st.floats(width=32),
    CoreType("float64"): st.floats(),
    CoreType("decimal", (8, 3)): decimals(8, 3),
    CoreType("decimal", (38, 0)): decimals(38, 0),
    CoreType("decimal", (38, 38)): decimals(38, 38),
    CoreType("char", (9,)): TEXT,
    CoreType("varchar", (9,)): TEXT,
    CoreType("bool"): st.booleans(),
    CoreType("date"): DAYS,
    CoreType("datetime"): MOMENTS,
    CoreType("bytes"): st.binary(max_size=9),
    CoreType("json"): st.recursive(
        st.none() | st.booleans() | st.integers() | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    ),
    CoreType("uuid"): st.uuids(),
    EnumType(LABELS): st.sampled_from(LABELS),
    NativeType("text"): TEXT,
    NativeType("character varying(20)"): TEXT,
    NativeType("json"): st.dictionaries(TEXT, st.integers(), max_size=2),
    NativeType("uuid"): st.uuids(),
    NativeType("numeric(9,2)"): decimals(9, 2),
    NativeType("time without time zone"): st.times(),
    NativeType("timestamp with time zone"): st.datetimes(
        dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1), timezones=st.timezones(), allow_imaginary=False
    ),
    NativeType("interval"): DURATIONS,
    NativeType("smallint[]"): st.lists(st.none() | integers(16), max_size=3),
    NativeType("real[]"): st.lists(st.none() | st.floats(width=32), max_size=3),
    NativeType("text[]"): st.lists(st.none() | TEXT, max_size=3),
    NativeType("jsonb[]"): st.lists(st.none() | TEXT | st.integers(), max_size=3),
    NativeType("date[]"): st.lists(DAYS, max_size=3),
    # from here on as CSV
    CoreType("decimal", (50, 10)): decimals(50, 10),
    NativeType("numeric"): decimals(20, 7),
    NativeType("int4range"): integers(16).map(lambda n: f"[{n},{n + 5})"),
    NativeType("uuid[]"): st.lists(st.uuids(), max_size=3),
    NativeType("timestamp with time zone[]"): st.lists(MOMENTS, max_size=3),
    NativeType("character varying[]"): st.lists(st.none() | TEXT, max_size=3),
    NativeType("bytea[]"): st.lists(st.binary(max_size=3), max_size=3),
    NativeType("integer[][]"): st.integers(1, 3).flatmap(
        lambda n: st.lists(st.lists(integers(32), min_size=n, max_size=n), min_size=1, max_size=3)
    ),
}  # fmt: skip
BINARY: Final = [stored for stored in VALUES if copy_format([Attribute("x", stored, stored)]) == "binary"]


def column_type(stored: StoredType, schema: str) -> str:
    return f'"{schema}".label' if isinstance(stored, EnumType) else sql_type(stored)


@pytest.fixture
def schema(connection: "psycopg.Connection[Any]", schema_name: str) -> str:
    connection.execute(f'CREATE SCHEMA "{schema_name}"'.encode())
    labels = ", ".join("'" + label.replace("'", "''") + "'" for label in LABELS)
    connection.execute(f'CREATE TYPE "{schema_name}".label AS ENUM ({labels})'.encode())
    connection.execute(b"SET TIME ZONE 'Asia/Tokyo'")  # what is stored must not depend on it
    return schema_name


def stored_rows(
    connection: "psycopg.Connection[Any]",
    schema: str,
    columns: dict[StoredType, Any],
    probe: StoredType | None,
) -> list[tuple[Any, ...]]:
    """Write columns by COPY and read them back as PostgreSQL's text, with a last column of type `probe`."""
    attributes = [
        Attribute(f"c{i}", stored, stored, nullable=True, default=Null()) for i, stored in enumerate(columns)
    ]
    arrays = [convert(values, a) for values, a in zip(columns.values(), attributes, strict=True)]
    if probe is not None:
        attributes.append(Attribute("probe", probe, probe, nullable=True))
        arrays.append(pa.nulls(len(arrays[0]), pa.string()))
    batch = pa.RecordBatch.from_arrays(arrays, [a.name for a in attributes])
    declared = ", ".join(f"{a.name} {column_type(a.stored, schema)}" for a in attributes)
    connection.execute(f'CREATE TABLE "{schema}".t (id serial, {declared})'.encode())
    names, form = ", ".join(a.name for a in attributes), copy_format(attributes)
    with connection.cursor() as cursor:
        halves = [batch.slice(0, len(batch) // 2), batch.slice(len(batch) // 2)]
        payload = encode_copy(halves, attributes)
        assert copy_rows(cursor, f'COPY "{schema}".t ({names}) FROM STDIN (FORMAT {form})', payload) == len(
            batch
        )
    rows = connection.execute(f'SELECT {names} FROM "{schema}".t ORDER BY id'.encode()).fetchall()
    connection.execute(f'DROP TABLE "{schema}".t'.encode())
    return rows


def same(found: Any, value: Any, stored: StoredType) -> bool:
    match found, value:
        case float(), float():
            # The text of a float4 is as short as tells it apart from other float4.
            exact = float(np.float32(found)) if "float32" in str(stored) or "real" in str(stored) else found
            return bool(exact == value or (math.isnan(found) and math.isnan(value)))
        case list(), list():
            return len(found) == len(value) and all(map(same, found, value, [stored] * len(found)))
        case dt.datetime(), dt.datetime() if found.tzinfo is not None:
            return bool(found == (value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)))
        case str(), _ if stored == CoreType("char", (9,)):
            return bool(found.rstrip(" ") == value.rstrip(" "))
        case _ if stored == NativeType("int4range"):
            return value is None or (found.lower, found.upper) == tuple(map(int, value[1:-1].split(",")))
        case _:
            return bool(found == value)


FAST = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("stored", BINARY, ids=str)
@FAST
@given(data=st.data())
def test_values_survive_the_binary_format(
    connection: "psycopg.Connection[Any]", schema: str, stored: StoredType, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.none() | VALUES[stored], min_size=1, max_size=4))
    found = stored_rows(connection, schema, {stored: values}, None)
    assert all(same(row[0], value, stored) for row, value in zip(found, values, strict=True)), found


@pytest.mark.parametrize("stored", VALUES, ids=str)
@FAST
@given(data=st.data())
def test_values_survive_beside_a_type_that_has_only_text(
    connection: "psycopg.Connection[Any]", schema: str, stored: StoredType, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.none() | VALUES[stored], min_size=1, max_size=4))
    found = stored_rows(connection, schema, {stored: values}, NativeType("inet"))
    assert all(same(row[0], value, stored) for row, value in zip(found, values, strict=True)), found


def test_rounding_to_the_precision_of_a_datetime_is_the_servers(
    connection: "psycopg.Connection[Any]", schema: str
) -> None:
    moment = dt.datetime(2024, 1, 1, 12, 0, 0, 123567)
    rows = stored_rows(connection, schema, {CoreType("datetime", (3,)): [moment]}, None)
    assert rows == [(moment.replace(microsecond=124_000),)]


def test_text_that_looks_like_the_end_of_csv_is_only_text(
    connection: "psycopg.Connection[Any]", schema: str
) -> None:
    texts = ["\\.", "", "NULL", '"', "a,b\r\nc", None, "\\N", " x "]
    rows = stored_rows(connection, schema, {NativeType("text"): texts}, NativeType("inet"))
    assert [row[0] for row in rows] == texts


def test_slices_are_encoded_like_whole_columns(connection: "psycopg.Connection[Any]", schema: str) -> None:
    frame = pl.select(
        n=pl.int_range(0, 1000, dtype=pl.Int32),
        t=pl.int_range(0, 1000).cast(pl.String),
        u=pl.lit(None, pl.String),
    ).slice(100, 500)
    ids = [f"{n:032x}" for n in range(1000)]
    columns: dict[StoredType, Any] = {
        CoreType("int32"): frame["n"].to_arrow(),
        CoreType("varchar", (9,)): frame["t"].to_arrow(),
        CoreType("uuid"): pa.array(ids).slice(100, 500),
    }
    rows = stored_rows(connection, schema, columns, None)
    assert [(n, t, u.int) for n, t, u in rows] == [(i, str(i), i) for i in range(100, 600)]


def test_no_batches_make_a_valid_payload(connection: "psycopg.Connection[Any]", schema: str) -> None:
    int32 = CoreType("int32")
    connection.execute(f'CREATE TABLE "{schema}".t (x integer)'.encode())
    with connection.cursor() as cursor:
        payload: Iterator[bytes] = encode_copy([], [Attribute("x", int32, int32)])
        assert copy_rows(cursor, f'COPY "{schema}".t (x) FROM STDIN (FORMAT binary)', payload) == 0


def test_binary_is_used_for_all_of_djflows_own_types_that_fit_128_bits() -> None:
    assert {stored for stored in VALUES if not isinstance(stored, NativeType)} - set(BINARY) == {
        CoreType("decimal", (50, 10))
    }
