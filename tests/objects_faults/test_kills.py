"""Writers that are killed at any moment: what is committed is whole, and what is not is collected."""

import multiprocessing
import os
import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.objects_faults import victim
from tests.objects_faults.bench import Bench

from djflow.configuration import Settings, changed
from djflow.relation.database import Database
from djflow.testing.s3_server import S3Endpoint

ROOT = Path(__file__).parents[2]
KILLS = 12 if "DJFLOW_TEST_EXAMPLES" in os.environ else 3
LONGEST = 1.0  # seconds


@pytest.fixture(scope="module")
def processes() -> Any:
    """Processes that are forked from one that has imported all that they need."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([victim.__name__])
    return context


@pytest.fixture(params=["a folder", "s3"])
def bench(
    request: pytest.FixtureRequest, bench_settings: Settings, s3_endpoint: S3Endpoint, tmp_path: Path
) -> Iterator[Bench]:
    """Tables of all codecs over one of two stores."""
    folder = {"protocol": "file", "location": str(tmp_path / "store")}
    bucket = {
        "protocol": "s3",
        "location": uuid4().hex,
        "endpoint": s3_endpoint.address,
        "bucket": s3_endpoint.bucket,
        "secure": False,
        "access_key": s3_endpoint.access_key,
        "secret_key": s3_endpoint.secret_key,
    }
    (tmp_path / "store").mkdir()
    store = bucket if request.param == "s3" else folder
    settings = changed(bench_settings, {"stores": {"default": "main", "main": store}})
    database = Database(lambda: settings)
    bench = Bench(database, f"test_{uuid4().hex[:12]}", tmp_path)
    yield bench
    bench.schema.drop(prompt=False)
    bench.shaky.close()
    database.close()


def test_a_writer_killed_at_any_moment_leaves_nothing_dangling_and_nothing_unknown(
    bench: Bench, processes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT)  # where the processes find this module's neighbours
    chance, rows = random.Random(5), 0  # noqa: S311 - moments, not secrets
    for turn in count():
        begun = processes.Event()
        arguments = (bench.database.settings, bench.name, begun, 1 + turn * 10_000)
        writer = processes.Process(target=victim.write, args=arguments, daemon=True)
        writer.start()
        while not begun.wait(0.1):
            assert writer.is_alive()
        writer.join(chance.random() * LONGEST * max(1, turn - KILLS))
        writer.kill()
        writer.join()
        assert writer.exitcode == -9
        bench.check()
        rows += sum(len(table) for table in bench.tables.values())
        bench.forget()
        if turn + 1 >= KILLS and rows:  # on a machine that is busy, it takes more time to write any
            break
