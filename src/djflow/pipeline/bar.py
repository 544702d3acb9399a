"""Bars for people who wait."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self

from djflow.display.bars import progress_bar
from djflow.pipeline.events import Ended, Event, Queued
from djflow.pipeline.summary import labels

if TYPE_CHECKING:
    from djflow.pipeline.tiers import AutoPopulated


@contextmanager
def bar(name: str, total: int) -> Iterator[Callable[[int], object]]:
    """A progress bar of keys; what it gives is called with how many more are done."""
    with _bar(name, total) as shown:
        yield shown.update


@contextmanager
def no_bar() -> Iterator[Callable[[int], object]]:
    """Nothing to see."""
    yield lambda _: None


def somebody_looks() -> bool:
    """Whether there is a terminal or a notebook to show bars in."""
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return sys.stderr.isatty() or getattr(shell, "kernel", None) is not None


class Bars:
    """A bar for each of several tables, with rate, time left and errors. A context manager."""

    def __init__(self, tables: Sequence["type[AutoPopulated]"]) -> None:
        self._names = dict(zip(tables, labels(tables), strict=True))
        self._shown: dict[type[AutoPopulated], Any] = {}
        self._errors: Counter[type[AutoPopulated]] = Counter()
        self._stack = ExitStack()

    def show(self, event: Event) -> None:
        """Something happened."""
        shown = self._shown[event.table]
        match event:
            case Queued(_, jobs):
                shown.total += jobs
                shown.refresh()
            case Ended(table, failed=failed):
                self._errors[table] += len(failed)
                if failed:
                    shown.set_postfix(errors=self._errors[table], refresh=False)
                shown.update(event.made + event.skipped + len(failed))

    def __enter__(self) -> Self:
        for table, name in self._names.items():
            self._shown[table] = self._stack.enter_context(_bar(name, 0))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def _bar(name: str, total: int) -> Any:
    return progress_bar(total=total, desc=name, unit="key")
