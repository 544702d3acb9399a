"""Tables to be filled, and their queues."""

from typing import Any

import pytest

import djflow as dj
from djflow.pipeline.queue import Jobs, Queue, Retries
from djflow.tables.schema import Schema


@pytest.fixture
def double(schema: Schema) -> Any:
    """An instance of a table that doubles six numbers."""

    @schema
    class Number(dj.Lookup):
        definition = """
        number : int32
        ---
        parity : enum('even', 'odd')
        """
        contents = [(n, ("even", "odd")[n % 2]) for n in range(6)]  # noqa: RUF012 - as users write it

    @schema
    class Double(dj.Computed):
        definition = """
        -> Number
        ---
        double : int32
        """

        number = Number

        def make(self, key: dict[str, Any]) -> None:
            self.insert1({**key, "double": 2 * key["number"]})

    return Double()


@pytest.fixture
def jobs(double: Any) -> Jobs:
    """The jobs of the table."""
    return Jobs(double)


@pytest.fixture
def queue(jobs: Jobs) -> Queue:
    """The queue of the table, filled; a transient failure is tried three times, at once."""
    jobs.refresh()
    return Queue(jobs.queue.target, jobs.queue.database, Retries(attempts=3, base=0, cap=0))
