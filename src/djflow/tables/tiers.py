"""The tiers that people and parts fill; those that `make` fills are in `djflow.pipeline`."""

from collections.abc import Iterable
from typing import Any, ClassVar

from djflow.model.names import Tier
from djflow.tables.declared import Table


class Manual(Table):
    """Rows entered from outside the pipeline."""

    tier: ClassVar[Tier | None] = Tier.MANUAL


class Lookup(Table):
    """Reference rows; those in `contents` are inserted when the table is created."""

    tier: ClassVar[Tier | None] = Tier.LOOKUP
    contents: ClassVar[Iterable[Any]] = ()


class Part(Table):
    """Details of a master: a class nested in the master's, whose definition begins with `-> master`."""

    tier: ClassVar[Tier | None] = Tier.PART
    master: ClassVar[type[Table]]


Entry = Manual
