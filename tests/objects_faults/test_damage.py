"""Objects that are cut off, altered or gone are told, by whoever reads them and by `verify`."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import pytest
from tests.objects_faults.bench import Bench
from tests.objects_faults.values import EXAMPLES, Example

from djflow.errors import CorruptObjectError, MissingExternalFile
from djflow.storage.store import Store


def _cut(store: Store, path: str) -> None:
    store.put(path, store.get(path)[:-3])


def _empty(store: Store, path: str) -> None:
    store.put(path, b"")


def _lengthen(store: Store, path: str) -> None:
    store.put(path, store.get(path) + b"more")


def _flip(store: Store, path: str) -> None:
    data = bytearray(store.get(path))
    data[len(data) // 2] ^= 1
    store.put(path, bytes(data))


def _remove(store: Store, path: str) -> None:
    store.remove(path)


DAMAGE: Final[dict[str, tuple[Callable[[Store, str], None], str]]] = {
    "cut off": (_cut, "corrupt"),
    "emptied": (_empty, "corrupt"),
    "lengthened": (_lengthen, "corrupt"),
    "one bit": (_flip, "corrupt"),
    "gone": (_remove, "missing"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_told_with_its_row(bench: Bench, damage: str) -> None:
    harm, problem = DAMAGE[damage]
    for example in EXAMPLES:
        if damage == "one bit" and not example.has_checksum:
            continue
        (number, _), _ = rows = bench.rows(example, 2)
        bench.tables[example.table].insert(rows)
        files = _files(bench, example, number)
        harm(bench.store, files[-1])

        found = bench.tables[example.table].verify().select("number", "problem").rows()

        assert found == [(number, problem if len(files) == 1 else "corrupt")], example.type
        _check_reading(bench, example, number)
    bench.forget()
    bench.check()


def _files(bench: Bench, example: Example, number: int) -> list[str]:
    """The files of a row's object; chunks of arrays are last."""
    table = bench.tables[example.table].table_model.name.table
    sql = f"SELECT datum ->> 'path' FROM \"{bench.name}\".{table} WHERE number = $1"
    [(path,)] = bench.database.query(sql, (number,))
    return sorted((file.path for file in bench.store.list(path)), key=lambda file: ("/c/" in file, file))


def _check_reading(bench: Bench, example: Example, number: int) -> None:
    """It raises a typed error, or the codec leaves it to `verify` to compare checksums."""
    row = bench.tables[example.table] & {"number": number}
    with suppress(CorruptObjectError, MissingExternalFile):
        example.reads(row.to_dicts()[0]["datum"])
