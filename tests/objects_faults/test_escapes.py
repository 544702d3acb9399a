"""References and records that somebody has written by hand never lead out of a store."""

from pathlib import Path

import pytest
from tests.objects_faults.bench import Bench
from tests.objects_faults.values import EXAMPLES, Example

from djflow.errors import StorageError
from djflow.sql.identifiers import literal


@pytest.fixture
def outside(bench: Bench) -> Path:
    """A folder beside the store, with a link that leads there from within."""
    root = bench.store.local_path("x")
    assert root is not None
    link, folder = root.with_name("link"), root.parent.parent / "outside"
    for name in ("file", "tree/zarr.json", "tree/c/0"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("somebody else's")
    if not link.is_symlink():
        link.symlink_to(folder)
    return folder


@pytest.mark.parametrize(
    "path", ["../outside/file", "../outside/tree", "{outside}/file", "link/file", "link/tree", "link"]
)
def test_a_reference_that_leads_out_of_the_store_is_refused_by_all(
    bench: Bench, outside: Path, path: str
) -> None:
    before = _content(outside)
    for example in EXAMPLES:
        rows = bench.rows(example, 1)
        bench.tables[example.table].insert(rows)
        _point(bench, example, path.format(outside=outside))

        with pytest.raises(StorageError):
            _read(bench, example)

        assert bench.tables[example.table].verify()["problem"].to_list() == ["unreadable"], example.type
    bench.collector.collect(dry_run=False)
    assert {file for file in bench.stored() if not file.startswith("link/")} == set()
    bench.forget()
    bench.check()
    assert _content(outside) == before


@pytest.mark.parametrize(
    "path", ["../outside/file", "../outside", "{outside}/file", "link/file", "link/tree"]
)
def test_a_record_that_leads_out_of_the_store_removes_nothing_there(
    bench: Bench, outside: Path, path: str
) -> None:
    before = _content(outside)
    objects = f'"{bench.name}"."~objects"'
    bench.database.query(
        f"INSERT INTO {objects} (store, path, kind, quarantined_at) VALUES ('local', $1, 'owned', now())",
        (path.format(outside=outside),),
    )
    assert bench.collector.plan()["bytes"].to_list() == [0]

    statistics = bench.collector.collect(dry_run=False)

    assert (statistics["deleted"], statistics["errors"]) == (0, 1)
    assert _content(outside) == before
    bench.database.query(f"DELETE FROM {objects}")


def _point(bench: Bench, example: Example, path: str) -> None:
    table = bench.tables[example.table].table_model.name.table
    bench.database.query(
        f'UPDATE "{bench.name}".{table} SET datum = '
        f"jsonb_set(datum::jsonb, '{{path}}', to_jsonb({literal(path)}::text))::json"
    )


def _read(bench: Bench, example: Example) -> None:
    [row] = bench.tables[example.table].to_dicts()
    example.reads(row["datum"])


def _content(folder: Path) -> dict[str, str]:
    return {str(file): file.read_text() for file in folder.rglob("*") if file.is_file()}
