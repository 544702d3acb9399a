"""Objects and attachments that DataJoint wrote are read, and it reads those that are written here."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from inspect import getsource
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.interop.peer import VARIABLE, datajoint_python

from djflow.model.types import CodecType
from djflow.storage.codec import codec_for
from djflow.storage.local import LocalStore
from djflow.storage.store import Store
from djflow.testing.codecs import column_context

_PROGRAM = """
from __future__ import annotations
import json, sys
from typing import Any
import datajoint as dj
given = json.loads(sys.argv[1])
dj.config["stores"] = {{"default": "main", "main": {{"protocol": "file", "location": given.pop("store")}}}}
{source}
print(json.dumps({function}(dj, **given)))
"""


def there(function: Callable[..., Any], store: LocalStore, **given: Any) -> Any:
    """The result of `function(dj, **given)` in a process that has DataJoint."""
    python = datajoint_python()
    if python is None:
        pytest.skip(f"DataJoint is not installed: `make interop` installs it, or {VARIABLE} names its Python")
    program = _PROGRAM.format(source=getsource(function), function=function.__name__)
    arguments = json.dumps({"store": str(store.root), **given})
    command = [python, "-W", "ignore", "-c", program, arguments]
    done = subprocess.run(
        command, cwd=store.root.parent, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def write_there(dj: Any, folder: str) -> Any:
    from pathlib import Path

    key = {"_schema": "lab", "_table": "example", "_field": "value", "id": 1}
    values = [b"abc", Path(folder), Path(folder) / "x.txt", (".dat", b"1234")]
    encode = dj.get_codec("object").encode
    attached = dj.get_codec("attach").encode(Path(folder) / "x.txt").hex()
    objects = [encode(value, key=key, store_name="main") for value in values]
    path = objects[2]["path"].replace("_schema", "raw")
    (Path("store") / path).parent.mkdir(parents=True)
    (Path("store") / path).write_bytes(b"mine")
    filed = dj.get_codec("filepath").encode(path, key=key, store_name="main")
    return {"objects": objects, "attached": attached, "filed": filed}


def read_there(dj: Any, objects: list[Any], npy: Any, filed: Any, attached: str) -> Any:
    dj.config["download_path"] = "unpacked"
    refs = [dj.get_codec("object").decode(told) for told in objects]
    file, folder = refs
    return {
        "file": file.read().decode(),
        "folder": {name: folder.open(name).read().decode() for name in ("x.txt", "sub/y")},
        "listed": sorted(folder.listdir()),
        "verified": [ref.verify() for ref in refs],
        "described": [[ref.size, ref.ext, ref.is_dir, ref.item_count] for ref in refs],
        "npy": dj.get_codec("npy").decode(npy).load().tolist(),
        "filed": dj.get_codec("filepath").decode(filed).read().decode(),
        "attached": dj.get_codec("attach").decode(bytes.fromhex(attached)),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "folder"
    (top / "sub").mkdir(parents=True)
    (top / "x.txt").write_text("text")
    (top / "sub" / "y").write_text("why")
    return top


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    (tmp_path / "store").mkdir()
    return LocalStore(tmp_path / "store", "main")


def encode(name: str, values: list[Any], store: Store) -> list[Any]:
    type_ = CodecType(name, "main")
    column = codec_for(type_).encode_column(values, column_context(type_, store, rows=len(values)))
    return [json.loads(text) for text in column.to_pylist()]


def test_what_datajoint_wrote_is_read(folder: Path, store: LocalStore) -> None:
    written = there(write_there, store, folder=str(folder))
    type_ = CodecType("object", "main")
    column = pa.array([json.dumps(each) for each in written["objects"]])
    data, tree, file, pair = codec_for(type_).decode_column(column, column_context(type_, store))
    assert (data.read(), file.read(), pair.read()) == (b"abc", b"text", b"1234")
    assert (file.ext, pair.ext, tree.is_dir, tree.item_count) == (".txt", ".dat", True, 2)
    assert (tree.listdir(), tree.listdir("sub")) == (["sub", "x.txt"], ["y"])
    assert all(ref.verify() for ref in (data, tree, file, pair))
    kind = CodecType("filepath", "main")
    (filed,) = codec_for(kind).decode_column(
        pa.array([json.dumps(written["filed"])]), column_context(kind, store)
    )
    assert (filed.read(), filed.verify()) == (b"mine", True)
    bytes_ = pa.array([bytes.fromhex(written["attached"])])
    kind = CodecType("attach")
    context = replace(column_context(kind, store), download_path=store.root.parent / "down")
    (path,) = codec_for(kind).decode_column(bytes_, context)
    assert Path(path).read_text() == "text"


def test_datajoint_reads_what_is_written(folder: Path, store: LocalStore) -> None:
    objects = encode("object", [folder / "x.txt", folder], store)
    (npy,) = encode("npy", [np.arange(3)], store)
    store.put("raw/file", b"mine")
    (filed,) = encode("filepath", ["raw/file"], store)
    kind = CodecType("attach")
    (attached,) = codec_for(kind).encode_column([folder / "x.txt"], column_context(kind, store)).to_pylist()
    found = there(read_there, store, objects=objects, npy=npy, filed=filed, attached=attached.hex())
    assert Path(store.root.parent, found.pop("attached")).read_text() == "text"
    assert found == {
        "file": "text",
        "folder": {"x.txt": "text", "sub/y": "why"},
        "listed": ["sub", "x.txt"],
        "verified": [True, True],
        "described": [[4, ".txt", False, None], [7, None, True, 2]],
        "npy": [0, 1, 2],
        "filed": "mine",
    }
