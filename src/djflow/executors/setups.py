"""How a worker becomes ready."""

from contextlib import ExitStack
from typing import Any

from djflow.errors import WorkerSetupError
from djflow.executors.failure import Failure
from djflow.executors.task import Setup


def enter(setup: Setup, stack: ExitStack) -> Any:
    """What a set-up gives, which `stack` will leave; `WorkerSetupError` where it raises.

    >>> from contextlib import nullcontext
    >>> with ExitStack() as stack:
    ...     enter(lambda: nullcontext(42), stack)
    42
    """
    try:
        return stack.enter_context(setup())
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise not_set_up(Failure.of(error)) from error


def not_set_up(failure: Failure) -> WorkerSetupError:
    """The error of a set-up that raised, here or elsewhere."""
    return WorkerSetupError(f"A worker could not be set up: {failure}", failure.traceback)
