"""One cluster of processes for all tests of executors on Dask."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def cluster(cluster_of_two: Any) -> Any:
    """A client of a cluster of two worker processes, both of which are there."""
    cluster_of_two.wait_for_workers(2, timeout=60)
    return cluster_of_two


@pytest.fixture(scope="session")
def cluster_of_two() -> Iterator[Any]:
    """A client of a cluster of two worker processes, which are started anew when a test kills them."""
    distributed: Any = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            silence_logs=50,
        ) as workers,
        distributed.Client(workers, set_as_default=False) as client,
    ):
        yield client
