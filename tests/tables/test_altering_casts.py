"""What is called lossless keeps every value, says the server."""

import json
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from djflow.definition import parse_type
from djflow.model.types import CodecType, CoreType, EnumType, StoredType
from djflow.sql.alteration.casts import cast, is_lossless, physical_sql
from djflow.testing.databases import values

TYPES = [
    found
    for text in (
        *("int8", "int16", "int32", "int64", "float32", "float64", "bool", "date", "datetime"),
        *("decimal(6,2)", "decimal(8,3)", "decimal(12,0)", "decimal(20,4)", "datetime(3)", "uuid", "json"),
        *("varchar(3)", "varchar(20)", "char(3)", "char(20)", "bytes", "text", "numeric", "real"),
        *("timestamp", "double precision", "bigint", "character varying"),
    )
    if not isinstance(found := parse_type(text), CodecType)
]
# Native types by the core types whose values they hold.
TWINS = {
    "numeric": CoreType("int64"),
    "bigint": CoreType("int64"),
    "real": CoreType("float32"),
    "double precision": CoreType("float64"),
    "timestamp without time zone": CoreType("datetime"),
}
PAIRS = [(old, new) for old in TYPES for new in TYPES if old != new]


@st.composite
def conversions(draw: st.DrawFn) -> tuple[StoredType, StoredType, str]:
    old, new = draw(st.sampled_from(PAIRS))
    value: Any = draw(values(TWINS.get(str(old), old)))
    text = (
        json.dumps(value)
        if str(old) == "json"
        else "\\x" + value.hex()
        if isinstance(value, bytes)
        else value
    )
    return old, new, str(text)


@pytest.fixture(scope="module")
def server(server_url: str) -> Any:
    with psycopg.connect(server_url, autocommit=True) as connection:
        yield connection


@settings(max_examples=400)
@given(conversions())
def test_a_lossless_conversion_can_be_undone(
    server: "psycopg.Connection[Any]", conversion: tuple[StoredType, StoredType, str]
) -> None:
    old, new, value = conversion
    before, after = physical_sql(old), physical_sql(new)
    forth = cast("x", old, after)
    back = cast(forth, new, before)
    source = f"(SELECT CAST(CAST(%s AS text) AS {before}) AS x) AS s"
    statement = f"SELECT CAST({back} AS text) IS NOT DISTINCT FROM CAST(x AS text) FROM {source}"
    try:
        [(same,)] = server.execute(statement.encode(), [value])
    except psycopg.errors.DataError:
        same = False  # some values of one type are none of the other
    assert same or not is_lossless(old, new)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_every_conversion_is_one_that_the_server_knows(
    server: "psycopg.Connection[Any]", old: StoredType, new: StoredType
) -> None:
    source = f"(SELECT CAST(NULL AS {physical_sql(old)}) AS x) AS s"
    assert server.execute(f"SELECT {cast('x', old, physical_sql(new))} FROM {source}".encode()).fetchall()


def test_an_enum_that_keeps_its_labels_loses_nothing() -> None:
    small, large = EnumType(("a", "b")), EnumType(("b", "c", "a"))
    assert is_lossless(small, large)
    assert not is_lossless(large, small)
    assert is_lossless(large, parse_type("varchar(1)"))  # type: ignore[arg-type]
    assert not is_lossless(EnumType(("long",)), parse_type("varchar(3)"))  # type: ignore[arg-type]
