"""Types, what is told of them, and what importing costs."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest

import djflow as dj
from djflow.errors import NativeTypeWarning, UnknownAttributeError
from djflow.tables.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Callable


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
