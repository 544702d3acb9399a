"""Which asyncio task runs, if any: the tasks of a loop share its thread, and must share nothing else."""

import sys


def current_task() -> object | None:
    """The running task of asyncio, or None outside of one.

    >>> current_task()
    """
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        task: object | None = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return None
    return task
