"""Errors of what runs tasks, not of the tasks."""

from djflow.errors.base import DjflowError


class ExecutorError(DjflowError):
    """Tasks cannot be run; what was in flight has to be given to another executor."""


class UnpicklableTaskError(ExecutorError):
    """A task, its result or the set-up of workers cannot travel to another process."""


class WorkerSetupError(ExecutorError):
    """A worker could not be set up; `traceback` is that of the worker, as text."""

    def __init__(self, message: str, traceback: str = "") -> None:
        self.traceback = traceback
        super().__init__(message)


class ClusterLostError(ExecutorError):
    """The scheduler of a cluster is gone, or cannot be reached."""
