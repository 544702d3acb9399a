"""Settings that columns of files obey, and stacked arrays as rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import djflow as dj
from djflow.configuration import changed
from djflow.errors import ConfigError, DataTypeError
from djflow.relation.database import Database
from djflow.tables.schema import Schema

Make = Callable[..., tuple[Any, Path]]


@pytest.fixture
def make(server_url: str, server_home: Path, schema_name: str, tmp_path: Path) -> Any:
    """Makes a table with a column of a type, and the folder of its store."""
    from djflow.configuration import load

    assert server_url
    settings = load({"DJFLOW_HOME": str(server_home), "DJ_IGNORE_CONFIG_FILE": "true"}, tmp_path)
    opened = []

    def table(kind: str, **stores: Any) -> tuple[Any, Path]:
        store = {"protocol": "file", "location": str(tmp_path / "store")}
        own = changed(
            settings,
            {
                "download_path": str(tmp_path / "down"),
                "stores": {"default": "main", "main": store, **stores},
            },
        )
        database = Database(lambda: own)
        opened.append(database)

        class Item(dj.Manual):
            definition = f"""
            item : int32
            ---
            value = null : {kind}
            """

        return Schema(schema_name, connection=database)(Item), tmp_path / "store"

    yield table
    for database in opened:
        database.close()


@pytest.mark.parametrize("kind", ["<attach>", "<attach@>"])
def test_an_attachment_is_fetched_into_the_download_folder(kind: str, make: Make, tmp_path: Path) -> None:
    item, _ = make(kind)
    (tmp_path / "a.txt").write_text("text")
    item().insert([(1, tmp_path / "a.txt"), (2, None)])
    assert (item() & {"item": 1}).fetch1("value") == str(tmp_path / "down" / "a.txt")
    assert (tmp_path / "down" / "a.txt").read_text() == "text"
    frame = item().to_polars()
    assert frame["value"].to_list() == [str(tmp_path / "down" / "a.txt"), None]
    assert item().verify().is_empty()
    with pytest.raises(DataTypeError, match="is no file"):
        item().insert1((3, tmp_path / "absent"))


def test_a_file_of_the_user_s_is_referred_to_and_never_touched(make: Make, tmp_path: Path) -> None:
    raw = {"protocol": "file", "location": str(tmp_path / "raw"), "filepath_prefix": "recordings"}
    item, store = make("<filepath@>", raw=raw, filepath_default="raw")
    path = tmp_path / "raw" / "recordings" / "a.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"123")
    (tmp_path / "raw" / "b.bin").touch()
    item().insert1((1, "recordings/a.bin"))
    ref = item().fetch1("value")
    assert (ref.store, ref.size, ref.read()) == ("raw", 3, b"123")
    with pytest.raises(DataTypeError, match="outside of 'recordings'"):
        item().insert1((2, "b.bin"))
    item().delete(prompt=False)
    assert path.read_bytes() == b"123"
    assert not store.exists()


def test_without_a_default_store_for_files_one_is_to_be_named(make: Make) -> None:
    item, _ = make("<filepath@>")
    with pytest.raises(ConfigError, match=r"'stores\.filepath_default'"):
        item().insert1((1, "a.bin"))


def test_tensors_are_tensors_in_arrow_and_arrays_in_python(make: Make) -> None:
    item, _ = make("<tensor>")
    stack = np.arange(24, dtype="f4").reshape(4, 3, 2)
    rows = np.zeros(4, [("item", "i4"), ("value", "f4", (3, 2))])
    rows["item"], rows["value"] = np.arange(4), stack
    item().insert(rows)
    table = item().to_arrow()
    assert isinstance(table.column("value").combine_chunks(), pa.FixedShapeTensorArray)
    assert np.array_equal(np.stack(item().to_arrays("value")), stack)
    assert np.array_equal(np.array(item().to_polars()["value"].to_list()).reshape(4, 3, 2), stack)
    item().insert(pa.table({"item": pa.array([4, 5], pa.int32()), "value": table["value"].slice(0, 2)}))
    assert np.array_equal((item() & {"item": 5}).fetch1("value"), stack[1])
    holes = table["value"].combine_chunks().take(pa.array([3, None], pa.int64()))
    item().insert(pa.table({"item": pa.array([6, 7], pa.int32()), "value": holes}))
    six, seven = (item() & "item > 5").to_arrays("value")
    assert np.array_equal(six, stack[3])
    assert seven is None
