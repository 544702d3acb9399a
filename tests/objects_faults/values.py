"""A table for each codec that keeps objects in a store, and values for its rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import numpy as np
import polars as pl

from djflow.storage.codecs.store_codec import SchemaCodec
from djflow.storage.store import Store


class Diary(SchemaCodec):
    """A user's codec: one text file a row."""

    name = "diary_example"
    extension = ".txt"

    def write(self, value: Any, store: Store, path: str) -> Mapping[str, Any]:
        """Write the text."""
        store.put(path, value.encode())
        return {"size": len(value)}

    def open(self, reference: Mapping[str, Any], store: Store) -> Any:
        """The text."""
        return store.get(reference["path"]).decode()


class Letter(SchemaCodec):
    """A user's codec that makes its references itself, as those that were written for DataJoint do."""

    name = "letter_example"

    def encode(self, value: Any, *, key: Any = None, store_name: str | None = None) -> Any:
        """Write the text."""
        schema, table, field, primary_key = self._extract_context(key)
        path, _ = self._build_path(schema, table, field, primary_key, ext=".txt", store_name=store_name)
        self._get_backend(store_name).put_buffer(value.encode(), path)
        return {"path": path, "store": store_name, "size": len(value)}

    def decode(self, stored: Any, *, key: Any = None) -> Any:
        """The text."""
        del key
        return self._get_backend(stored["store"]).get_buffer(stored["path"]).decode()


LARGE: Final = 1_000_000  # values of numbers from here on have a megabyte or so


def _array(number: int) -> Any:
    return np.random.default_rng(number).random(100_000 if number >= LARGE else 50)


def _group(number: int) -> Any:
    return {"frames": _array(number).reshape(5, -1), "times": _array(number)}


def _frame(number: int) -> Any:
    return pl.DataFrame({"time": _array(number)})


def _text(number: int) -> str:
    return f"dear diary, {_array(number).tobytes().hex()}"


def _file(folder: Path, number: int) -> Path:
    file = folder / f"note {number}.txt"
    file.write_text(_text(number))
    return file


def _tree(folder: Path, number: int) -> Path:
    tree = folder / f"tree {number}"
    for name in ("a.txt", "deep/b.txt"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(f"{name} {_text(number)}")
    return tree


@dataclass(frozen=True)
class Example:
    """A codec, by the type of a column, and a new value of it for each number."""

    type: str
    value: Callable[[Path, int], Any]
    reads: Callable[[Any], Any]
    has_checksum: bool = True

    @property
    def table(self) -> str:
        """The name of its table's class."""
        return f"Of{self.type.strip('<>@').replace('_', ' ').title().replace(' ', '')}"

    @property
    def definition(self) -> str:
        """The definition of its table."""
        return f"number : int32\n---\ndatum : {self.type}"


def _read_tree(ref: Any) -> Any:
    return [file.read_bytes() for file in sorted(Path(ref.download(mkdtemp())).rglob("*.txt"))]


def _read_group(group: Any) -> Any:
    return [group["frames"][:], group["times"][:]]


EXAMPLES: Final = (
    Example("<blob@>", lambda _, number: {"n": _array(number)}, lambda value: value),
    Example("<attach@>", _file, lambda path: Path(path).read_text()),
    Example("<hash@>", lambda _, number: _text(number).encode(), lambda value: value),
    Example("<npy@>", lambda _, number: _array(number), lambda ref: ref.load()),
    Example("<zarr@>", lambda _, number: _group(number), _read_group),
    Example("<object@>", _tree, _read_tree),
    Example("<parquet@>", lambda _, number: _frame(number), lambda ref: ref.to_polars()),
    Example("<diary_example@>", lambda _, number: _text(number), lambda value: value, has_checksum=False),
    Example("<letter_example@>", lambda _, number: _text(number), lambda value: value, has_checksum=False),
)
