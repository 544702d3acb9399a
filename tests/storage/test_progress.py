"""Bars for transfers, where somebody can see them."""

import io
import sys
from pathlib import Path
from pickle import dumps, loads

import dask.array as da
import numpy as np
import pytest

from djflow.model.types import CodecType
from djflow.storage import progress
from djflow.storage.codec import codec_for
from djflow.storage.handles.download import download
from djflow.storage.local import LocalStore
from djflow.storage.progress import watched
from djflow.testing.codecs import column_context
from djflow.testing.stores import MemoryStore


class Terminal(io.StringIO):
    """What somebody sees."""

    def isatty(self) -> bool:
        return True


def a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal, in which bars appear at once, from now until the end of the test."""
    seen = Terminal()
    monkeypatch.setattr(sys, "stderr", seen)  # not in a fixture: each phase of a test has its own
    monkeypatch.setattr(progress, "DELAY", 0)
    return seen


@pytest.mark.parametrize("name", ["npy", "zarr", "hash"])
def test_a_column_has_one_bar_in_bytes(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    terminal = a_terminal(monkeypatch)
    values = [bytes([i]) * 3000 if name == "hash" else np.arange(400.0) + i for i in range(3)]
    kind = CodecType(name, "main")
    codec_for(kind).encode_column(values, column_context(kind, MemoryStore("main"), rows=3))

    shown = [line for line in terminal.getvalue().split("\r") if line.strip()]
    assert shown
    assert all(line.startswith("lab.example.value: ") and "B/s" in line for line in shown)


def test_nothing_is_shown_where_nobody_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", seen)
    monkeypatch.setattr(progress, "DELAY", 0)
    store = MemoryStore()
    with watched(store, "label", 1) as (same, done):
        assert same is store
        done()
    assert seen.getvalue() == ""


def test_a_watched_store_does_what_the_store_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    a_terminal(monkeypatch)
    store = LocalStore(tmp_path / "store", "main")
    (tmp_path / "file").write_bytes(b"file")
    with watched(store, "label", 1) as (shown, _):
        shown.put("a", b"text")
        shown.put_file("b", tmp_path / "file")
        with shown.create("c") as file:
            assert file.write(b"pieces") == 6
        shown.get_file("a", tmp_path / "copy")
        assert (shown.get("a"), shown.get("b"), shown.get("c")) == (b"text", b"file", b"pieces")
        assert (tmp_path / "copy").read_bytes() == b"text"
        assert loads(dumps(shown)) == store  # noqa: S301 - our own bytes


def test_dask_writes_to_a_watched_store(monkeypatch: pytest.MonkeyPatch) -> None:
    a_terminal(monkeypatch)
    store, kind = MemoryStore("main"), CodecType("zarr", "main")
    context = column_context(kind, store, rows=1)
    column = codec_for(kind).encode_column([da.arange(6, chunks=3)], context)
    [array] = codec_for(kind).decode_column(column, context)
    assert array[:].tolist() == list(range(6))


def test_downloads_have_a_bar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    terminal = a_terminal(monkeypatch)
    store = MemoryStore()
    for name in ("a", "b"):
        store.put(f"tree/{name}", bytes(1000))
    download(store, "tree", tmp_path / "copy")
    assert "download tree" in terminal.getvalue()
