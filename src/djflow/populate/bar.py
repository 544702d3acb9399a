"""A bar for people who wait."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(name: str, total: int) -> Iterator[Callable[[int], object]]:
    """A progress bar of keys; what it gives is called with how many more are done."""
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=name, unit="key") as shown:
        yield shown.update


@contextmanager
def no_bar() -> Iterator[Callable[[int], object]]:
    """Nothing to see."""
    yield lambda _: None
