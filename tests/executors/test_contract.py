"""The laws of executors, for those that run on one machine."""

from typing import Any

from djflow.executors import Executor, ProcessesExecutor, SerialExecutor, ThreadsExecutor
from djflow.testing.executors import ExecutorContract


class TestSerial(ExecutorContract):
    is_concurrent = False
    is_elsewhere = False

    def make(self, **options: Any) -> Executor:
        return SerialExecutor(**options)


class TestThreads(ExecutorContract):
    is_elsewhere = False

    def make(self, **options: Any) -> Executor:
        return ThreadsExecutor(2, **options)


class TestProcesses(ExecutorContract):
    def make(self, **options: Any) -> Executor:
        return ProcessesExecutor(2, **options)
