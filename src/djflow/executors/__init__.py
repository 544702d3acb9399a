"""Where tasks run: here, on threads, on processes, on a cluster. They know no tables and no database."""

from djflow.executors.choose import executor_of
from djflow.executors.dask.executor import DaskExecutor
from djflow.executors.events import Done, Ending, Event, Failed, Message, Started, WorkerLost
from djflow.executors.executor import Executor
from djflow.executors.failure import Failure
from djflow.executors.processes.executor import ProcessesExecutor
from djflow.executors.serial import SerialExecutor
from djflow.executors.sizing import Sizing
from djflow.executors.task import Run, Setup, Task, TaskContext
from djflow.executors.threads import ThreadsExecutor

__all__ = [
    "DaskExecutor",
    "Done",
    "Ending",
    "Event",
    "Executor",
    "Failed",
    "Failure",
    "Message",
    "ProcessesExecutor",
    "Run",
    "SerialExecutor",
    "Setup",
    "Sizing",
    "Started",
    "Task",
    "TaskContext",
    "ThreadsExecutor",
    "WorkerLost",
    "executor_of",
]
