"""A bar that shows how far long work is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from djflow.display.bars import progress_bar


@contextmanager
def counted(label: str, total: int | None, *, display: bool) -> Iterator[Callable[[int], object]]:
    """A function to be told of rows that are done, for a bar on the screen if `display`.

    >>> with counted("dump lab", None, display=False) as advance:
    ...     advance(100)
    """
    if not display:
        yield lambda _rows: None
        return
    with progress_bar(desc=label, total=total, unit="row", unit_scale=True) as bar:
        yield bar.update
