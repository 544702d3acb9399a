"""One schema for all faults of a module: each test leaves it clean, or has found a fault."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.objects_faults.bench import Bench
from tests.storage.conftest import s3_endpoint

from djflow.configuration import Settings, changed, load
from djflow.relation.database import Database

__all__ = ["s3_endpoint"]


@pytest.fixture(scope="module")
def bench_settings(server_url: str, server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The tests' server, and a store in a folder."""
    assert server_url
    folder = tmp_path_factory.mktemp("faults")
    settings = load({"DJFLOW_HOME": str(server_home), "DJ_IGNORE_CONFIG_FILE": "true"}, folder)
    (folder / "store").mkdir()
    store = {"protocol": "file", "location": str(folder / "store")}
    return changed(
        settings, {"stores": {"default": "local", "local": store}, "download_path": str(folder / "down")}
    )


@pytest.fixture(scope="module")
def bench(bench_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Tables of all codecs, without rows."""
    database = Database(lambda: bench_settings)
    bench = Bench(database, f"test_{uuid4().hex[:12]}", tmp_path_factory.mktemp("sources"))
    yield bench
    bench.schema.drop(prompt=False)
    bench.shaky.close()
    database.close()
