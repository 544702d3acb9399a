"""The ways to write a `make`, and one call of it."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pyarrow as pa

from djflow.errors import DjflowError, InputChangedError
from djflow.ingest.convert import convert
from djflow.pipeline.make.fingerprint import fingerprint

if TYPE_CHECKING:
    import polars as pl

    from djflow.pipeline.tiers import AutoPopulated

_PARTS: Final = ("make_fetch", "make_compute", "make_insert")

Caller: TypeAlias = "Callable[[Sequence[Mapping[str, Any]]], Called]"
"""Makes keys. Raises whatever the class's methods raise; `NotImplementedError` where it has none."""

Check: TypeAlias = Callable[[], None]
"""Raises `InputChangedError` where what was fetched has changed since; called where the result commits."""


@dataclass(frozen=True, slots=True)
class Called:
    """A call that has come to its end, but for what is to be done where its result commits.

    `check` sees whether the inputs are still those that were fetched, `insert` then inserts.
    """

    check: Check | None = None
    insert: Callable[[], object] | None = None


def caller(table: "AutoPopulated", make_kwargs: Mapping[str, Any]) -> Caller:
    """How keys of a table are made: by `make_batch`, by `make_fetch` and `make_compute`, or by `make`.

    But for `make_batch`, one key by a call.
    """
    if takes_batches(table):
        return partial(_call_batch, table, make_kwargs)
    if all(_defines(table, name) for name in _PARTS):
        return partial(_call_parts, table, make_kwargs)
    return partial(_call_make, table, make_kwargs)


def _call_batch(table: Any, make_kwargs: Mapping[str, Any], keys: Sequence[Mapping[str, Any]]) -> Called:
    table.make_batch(frame_of(table, keys), **make_kwargs)
    return Called()


def _call_make(
    table: "AutoPopulated", make_kwargs: Mapping[str, Any], keys: Sequence[Mapping[str, Any]]
) -> Called:
    [key] = keys
    result = table.make(dict(key), **make_kwargs)
    if inspect.iscoroutine(result):
        result.close()
        raise DjflowError(f"{type(table).__name__}.make is asynchronous, and nobody waits for it.").suggest(
            "Write `def make`, and asyncio.run() for what is asynchronous in it."
        )
    return _run_through(table, key, make_kwargs, result) if inspect.isgenerator(result) else Called()


def takes_batches(table: "AutoPopulated") -> bool:
    """Whether a class makes many keys by one call."""
    return _defines(table, "make_batch")


def _defines(table: "AutoPopulated", name: str) -> bool:
    """Whether a class has a method of its own; an instance would look further."""
    return any(name in vars(cls) for cls in type(table).__mro__)


def frame_of(table: "AutoPopulated", keys: Sequence[Mapping[str, Any]]) -> "pl.DataFrame":
    """Keys as a frame, in the exact types of the table's attributes."""
    import polars as pl

    attributes = [table.table_model.heading[name] for name in keys[0]]
    columns = {
        a.name: convert([key[a.name] for key in keys], a, 0, str(table.table_model.name)) for a in attributes
    }
    frame = pl.from_arrow(pa.table(columns))
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table, not an array, went in
    return frame


def _call_parts(table: Any, make_kwargs: Mapping[str, Any], keys: Sequence[Mapping[str, Any]]) -> Called:
    [key] = keys
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
