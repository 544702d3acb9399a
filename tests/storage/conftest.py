"""One S3 server for all tests; each store has a location of its own."""

import os
import sys
from collections.abc import Iterator

import pytest

from djflow.storage.registry import open_store
from djflow.storage.store import Store
from djflow.testing.s3_server import S3Endpoint, S3Server


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    """A real S3 server, the same for all workers of one run."""
    if sys.platform == "win32":
        pytest.skip("the server's wheel and its guard are for POSIX systems")
    base = tmp_path_factory.getbasetemp()
    with S3Server((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "s3") as endpoint:
        yield endpoint


@pytest.fixture
def s3_store(s3_endpoint: S3Endpoint) -> Store:
    """An empty store on that server."""
    return open_store(s3_endpoint.settings())
