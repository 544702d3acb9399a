"""Disks without room: a typed error, no row, and nothing that a collection does not find."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from tests.objects_faults.bench import Bench
from tests.objects_faults.values import EXAMPLES, LARGE

from djflow.configuration import Settings, changed
from djflow.errors import StoreFullError
from djflow.relation.database import Database

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and mounts of POSIX systems")


@contextmanager
def _files_limited_to(size: int) -> Iterator[None]:
    """The system refuses to let this process's files grow beyond a size."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The folder of a real file system of 5 MB, where this machine lets us mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=5m", "none", str(place)]
    try:
        mounted = subprocess.run(command, check=False, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no mount here")
    if mounted.returncode:
        pytest.skip("mounting takes an administrator")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_file_that_cannot_grow_leaves_no_row(bench: Bench) -> None:
    for example in EXAMPLES:
        rows = bench.rows(example, 2, LARGE)
        with pytest.raises(StoreFullError), _files_limited_to(1 << 18):
            bench.tables[example.table].insert(rows)
        assert bench.count(example, rows) == 0
    bench.check()
    bench.forget()
    bench.check()


def test_a_full_disk_leaves_no_row_and_takes_others_once_there_is_room(
    bench_settings: Settings, small_disk: Path, tmp_path: Path
) -> None:
    store = {"protocol": "file", "location": str(small_disk / "store")}
    (small_disk / "store").mkdir()
    settings = changed(bench_settings, {"stores": {"default": "local", "local": store}})
    database = Database(lambda: settings)
    bench = Bench(database, f"test_{uuid4().hex[:12]}", tmp_path)
    for example in EXAMPLES:
        rows = bench.rows(example, 8, LARGE)
        with pytest.raises(StoreFullError):
            bench.tables[example.table].insert(rows)
        assert bench.count(example, rows) == 0
        bench.check()
        assert bench.stored() == set()
        bench.tables[example.table].insert(rows[:1])
        bench.check()
        bench.forget()
    bench.schema.drop(prompt=False)
    bench.shaky.close()
    database.close()
