"""Tasks on processes of this machine."""

from collections.abc import Mapping

from djflow.executors.pickling import packed
from djflow.executors.pool import PoolExecutor, Worker
from djflow.executors.processes.worker import ProcessWorker
from djflow.executors.task import NO_RESOURCES, Setup, Task, no_setup


class ProcessesExecutor(PoolExecutor):
    """Runs tasks on processes of their own, started when first needed; one that dies is replaced.

    The death of a process costs the one task that it ran, which becomes `WorkerLost`. Processes
    end with this one, whatever ends it. They don't run the user's script again, so that it needs no
    `if __name__ == "__main__"`; its functions travel as cloudpickle makes them.
    """

    def __init__(
        self, workers: int, *, setup: Setup = no_setup, resources: Mapping[str, float] = NO_RESOURCES
    ) -> None:
        super().__init__(workers, resources)
        self._setup = packed(setup, "The set-up of workers")
        self._packed: dict[str, bytes] = {}

    def submit(self, task: Task) -> None:
        """Let a task wait for a process; `UnpicklableTaskError` if it cannot travel."""
        super().submit(task)

    def cancel_pending(self) -> tuple[Task, ...]:
        """Take back the tasks that no process has."""
        tasks = super().cancel_pending()
        for task in tasks:
            self._packed.pop(task.id, None)
        return tasks

    def _prepare(self, task: Task) -> None:
        self._packed[task.id] = packed(task.run, f"Task {task.id!r}")

    def _worker(self, number: int) -> Worker:  # noqa: ARG002 - processes are named by their ids
        return ProcessWorker(self._setup, lambda task: self._packed.pop(task.id))
