"""The queue of jobs of one table that `make` fills: who computes which keys, and what became of them."""

from djflow.pipeline.queue.backoff import Retries
from djflow.pipeline.queue.holding import Claim, Failure, Worker
from djflow.pipeline.queue.jobs import Jobs
from djflow.pipeline.queue.queue import Queue

__all__ = ["Claim", "Failure", "Jobs", "Queue", "Retries", "Worker"]
