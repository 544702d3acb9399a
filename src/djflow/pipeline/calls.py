"""How `make` is called, whoever calls it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from djflow.pipeline.reads import Reads


@dataclass(frozen=True, slots=True)
class Calls:
    """`make_kwargs` are keyword arguments of `make`; `reads` says how its reading is looked at."""

    make_kwargs: Mapping[str, Any] = field(default_factory=dict)
    reads: Reads = Reads.OPEN
