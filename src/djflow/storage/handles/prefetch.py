"""Reading ahead: several objects at a time, in order, and no more of them in memory than is allowed."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Generic, TypeVar

from djflow.errors import DjflowError
from djflow.storage.parallel import while_quick

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD: Final = 4  # objects a thread
_AMOUNT: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B?\s*", re.IGNORECASE)
_POWERS: Final = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def prefetched(
    load: Callable[[Item], Result], items: Iterable[tuple[Item, int]], *, memory: int, threads: int
) -> Iterator[Result]:
    """`load(item)` of each item, in order; where that takes long, the next ones are loaded meanwhile.

    With each item comes how many bytes its result has. Results that are loaded, or being loaded, and not
    yet taken have `memory` bytes at most; one that has more is loaded alone.

    >>> list(prefetched(abs, [(-1, 8), (2, 8)], memory=8, threads=2))
    [1, 2]
    """
    waiting = iter(items)
    yield from while_quick(lambda each: load(each[0]), waiting)
    ahead = _Ahead(load, waiting, memory, threads)
    try:
        ahead.begin()
        while ahead.waiting:
            yield ahead.take()
    finally:
        ahead.pool.shutdown(cancel_futures=True)


class _Ahead(Generic[Item, Result]):
    """What is loaded ahead of its turn."""

    def __init__(
        self,
        load: Callable[[Item], Result],
        items: Iterator[tuple[Item, int]],
        memory: int,
        threads: int,
    ) -> None:
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="djflow-storage")
        self.waiting: deque[tuple[Future[Result], int]] = deque()
        self._load, self._items, self._next = load, items, next(items, None)
        self._memory, self._held, self._most = memory, 0, _AHEAD * threads

    def begin(self) -> None:
        """Begin to load as many as there is room for."""
        while self._next is not None and self._has_room(self._next[1]):
            item, size = self._next
            self.waiting.append((self.pool.submit(self._load, item), size))
            self._held += size
            self._next = next(self._items, None)

    def take(self) -> Result:
        """The next result, which is no longer held; its room is for others."""
        future, size = self.waiting.popleft()
        result = future.result()
        self._held -= size
        self.begin()
        return result

    def _has_room(self, size: int) -> bool:
        fits = self._held + size <= self._memory and len(self.waiting) < self._most
        return not self.waiting or fits


def bytes_of(amount: int | str) -> int:
    """A number of bytes, or a text like "500 MB" or "1GiB". Raises `DjflowError` for anything else.

    >>> bytes_of("1.5 GB"), bytes_of("64KiB"), bytes_of(10)
    (1500000000, 65536, 10)
    """
    if isinstance(amount, int) and amount >= 0:
        return amount
    found = _AMOUNT.fullmatch(str(amount))
    if not found:
        raise DjflowError(f"{amount!r} is no amount of memory; give bytes, or a text like '500MB'.")
    number, unit, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** _POWERS[unit.upper()])
