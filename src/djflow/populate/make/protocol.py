"""The ways to write a `make`, and one call of it."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from djflow.errors import InputChangedError
from djflow.populate.make.fingerprint import fingerprint

if TYPE_CHECKING:
    from djflow.populate.tiers import AutoPopulated

_PARTS: Final = ("make_fetch", "make_compute", "make_insert")

Check: TypeAlias = Callable[[], None]
"""Raises `InputChangedError` where what was fetched has changed since; called where the result commits."""


@dataclass(frozen=True, slots=True)
class Called:
    """A call that has come to its end, but for what is to be done where its result commits.

    `check` sees whether the inputs are still those that were fetched, `insert` then inserts.
    """

    check: Check | None = None
    insert: Callable[[], object] | None = None


def call(table: "AutoPopulated", key: Mapping[str, Any], make_kwargs: Mapping[str, Any]) -> Called:
    """Call `make`, or `make_fetch` and `make_compute`, with a key.

    Raises `DjflowError` for a class that defines none of them.
    """
    if all(hasattr(table, name) for name in _PARTS):
        return _call_parts(table, key, make_kwargs)
    result = table.make(dict(key), **make_kwargs)
    if not inspect.isgenerator(result):
        return Called()
    return _run_through(table, key, make_kwargs, result)


def _call_parts(table: Any, key: Mapping[str, Any], make_kwargs: Mapping[str, Any]) -> Called:
    fetched = _as_tuple(table.make_fetch(dict(key), **make_kwargs))
    before = fingerprint(fetched)
    computed = _as_tuple(table.make_compute(dict(key), *fetched))

    def check() -> None:
        if fingerprint(_as_tuple(table.make_fetch(dict(key), **make_kwargs))) != before:
            raise InputChangedError(type(table).__name__, key)

    return Called(check, lambda: table.make_insert(dict(key), *computed))


def _run_through(
    table: "AutoPopulated", key: Mapping[str, Any], make_kwargs: Mapping[str, Any], steps: Iterator[Any]
) -> Called:
    """Run a `make` that yields to its end; what it yields first, if anything, is what it has fetched."""
    fetched = next(steps, None)
    before = None if fetched is None else fingerprint(fetched)
    for _ in steps:
        pass
    if before is None:
        return Called()

    def check() -> None:
        with closing(table.make(dict(key), **make_kwargs)) as again:
            if fingerprint(next(again, None)) != before:
                raise InputChangedError(type(table).__name__, key)

    return Called(check)


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
