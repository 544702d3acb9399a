"""Tables that depend on each other, for djflow and DataJoint alike."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, Final

KEYS: Final = 2_000
# Each with its parents and the milliseconds that a key takes.
SIX: Final[Mapping[str, tuple[tuple[str, ...], float]]] = {
    "Raw": (("Source",), 1),
    "Filtered": (("Raw",), 4),
    "Spikes": (("Raw",), 8),
    "Rates": (("Spikes",), 2),
    "Tuning": (("Filtered", "Rates"), 3),
    "Report": (("Tuning",), 1),
}
CHAIN: Final[Mapping[str, tuple[tuple[str, ...], float]]] = {
    "First": (("Source",), 0),
    "Second": (("First",), 0),
    "Third": (("Second",), 0),
}


def work(keys: int) -> float:
    """Seconds of one processor that all keys of the six tables take."""
    return keys * sum(cost for _, cost in SIX.values()) / 1000


def declared(
    schema: Any, library: Any, tables: Mapping[str, tuple[tuple[str, ...], float]], prefix: str
) -> dict[str, Any]:
    """The classes of a library for some tables and their source, by name; `prefix` begins their names."""
    manual = type(f"{prefix}Source", (library.Manual,), {"definition": "number : int32"})
    found = {"Source": schema(manual)}
    for name, (parents, cost) in tables.items():
        lines = "\n".join(f"-> {prefix}{parent}" for parent in parents)
        body = {"definition": f"{lines}\n---\nvalue : int32", "make": made(cost / 1000)}
        cls = type(f"{prefix}{name}", (library.Computed,), body)
        found[name] = schema(cls, context={f"{prefix}{known}": each for known, each in found.items()})
    return found


def made(seconds: float) -> Callable[[Any, Mapping[str, Any]], None]:
    """A `make` that keeps a processor busy and inserts a row."""

    def make(self: Any, key: Mapping[str, Any]) -> None:
        spin(seconds)
        self.insert1({**key, "value": 1})

    return make


def spin(seconds: float) -> None:
    """Keep a processor busy."""
    until = perf_counter() + seconds
    while perf_counter() < until:
        pass
