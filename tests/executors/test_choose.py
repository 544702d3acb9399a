"""Executors by name."""

import pytest

from djflow.errors import ExecutorError
from djflow.executors import (
    DaskExecutor,
    Executor,
    ProcessesExecutor,
    SerialExecutor,
    ThreadsExecutor,
    executor_of,
)


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        ("serial", SerialExecutor),
        ("threads", ThreadsExecutor),
        ("processes", ProcessesExecutor),
        ("dask", DaskExecutor),
        ("tcp://scheduler:8786", DaskExecutor),
    ],
)
def test_an_executor_is_chosen_by_name_or_address(choice: str, kind: type[Executor]) -> None:
    assert type(executor_of(choice)) is kind


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ExecutorError, match="Did you mean 'processes'") as caught:
        executor_of("proceses")
    assert "serial, threads, processes, dask" in caught.value.__notes__[0]


def test_an_executor_needs_a_worker() -> None:
    with pytest.raises(ExecutorError, match="at least one worker"):
        ThreadsExecutor(0)
