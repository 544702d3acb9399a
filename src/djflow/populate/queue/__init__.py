"""The queue of jobs of one table that `make` fills: who computes which keys, and what became of them."""

from djflow.populate.queue.backoff import Retries
from djflow.populate.queue.holding import Claim, Failure, Worker
from djflow.populate.queue.jobs import Jobs
from djflow.populate.queue.queue import Queue

__all__ = ["Claim", "Failure", "Jobs", "Queue", "Retries", "Worker"]
