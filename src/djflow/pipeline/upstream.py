"""What the key that is being made depends on: a trace for each call of `make`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from djflow.errors import DjflowError

if TYPE_CHECKING:
    from djflow.diagram import Diagram
    from djflow.diagram.view import View
    from djflow.model.catalog import Catalog
    from djflow.pipeline.tiers import AutoPopulated
    from djflow.planner.nodes import Node


@dataclass(frozen=True)
class Ancestry:
    """The tables on which a table depends, read from the database once for many keys, when first needed."""

    table: "AutoPopulated"

    @cached_property
    def catalog(self) -> "Catalog":
        """The tables of the table's schema, and all on which they depend."""
        return self.table.connection.catalog([self.table.table_model.name.schema])


@dataclass(frozen=True)
class _Call:
    """A call of `make`, for as long as it runs."""

    ancestry: Ancestry
    keys: Sequence[Mapping[str, Any]]

    @cached_property
    def trace(self) -> "Diagram":
        from djflow.diagram import Diagram

        return Diagram.showing(self.view)

    @cached_property
    def view(self) -> "View":
        """What `trace` shows."""
        from djflow.diagram.view import upstream

        table = self.ancestry.table
        if len(self.keys) > 1:
            raise DjflowError(
                f"{type(table).__name__}.upstream is that of one key, and make_batch has {len(self.keys)}: "
                "restrict the tables that you need by the frame of keys."
            )
        return upstream(table.connection, self.ancestry.catalog, table.table_model.name, self.keys[0])


# A context's, so that calls in several threads each have their own.
_current: Final[ContextVar[_Call | None]] = ContextVar("djflow_make_call", default=None)


@contextmanager
def calling(ancestry: Ancestry, keys: Sequence[Mapping[str, Any]]) -> Iterator[None]:
    """While `make` of the table runs with a key, or `make_batch` with some."""
    token = _current.set(_Call(ancestry, keys))
    try:
        yield
    finally:
        _current.reset(token)


def traced_plans() -> Collection["Node"]:
    """The plans of the tables that the call of `make` has been given so far, by `upstream`."""
    call = _current.get()
    view: View | None = None if call is None else vars(call).get("view")  # it is made when first needed
    return () if view is None or view.reach is None else view.reach.plans.values()


def current_trace(table: "AutoPopulated") -> "Diagram":
    """What the key comes from with which `make` of the table runs now.

    Raises `DjflowError` where none does.
    """
    call = _current.get()
    if call is None or call.ancestry.table.table_model.name != table.table_model.name:
        name = type(table).__name__
        raise DjflowError(
            f"{name}.upstream is for the key being made: it exists while {name}.make() runs, in its own "
            f"thread. For rows that are there already, write dj.Diagram.trace({name} & key)."
        )
    return call.trace
