"""Delayed pieces told apart by their tasks, so that each can be computed and forgotten by itself."""

from collections.abc import Collection, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from dask.delayed import Delayed

Graph: TypeAlias = Mapping[Any, Any]


def parted(pieces: "Sequence[Delayed]", scheduler: str | None = None) -> "Generator[Delayed]":
    """The pieces, each with the tasks that are its own; what several need is computed first, and only once.

    That is held until the iterator is closed: on a cluster by its workers, otherwise in memory. `scheduler`
    is what computes it, by default what Dask would choose.

    >>> from dask import delayed
    >>> mean = delayed(sum)([1, 2, 3]) / 3
    >>> [len(piece.dask) for piece in parted([1 - mean, 2 - mean])]
    [2, 2]
    """
    from dask.base import persist
    from dask.delayed import Delayed

    # Those of a frame have one graph.
    graphs = {id(piece.dask): piece.dask for piece in pieces}.values()
    graph: dict[Any, Any] = {key: task for each in graphs for key, task in each.items()}
    shared = _shared(graph, [piece.key for piece in pieces])
    common = [Delayed(key, _own(graph, key, ())) for key in shared]  # type: ignore[no-untyped-call]
    made = persist(*common, scheduler=scheduler) if common else ()  # type: ignore[no-untyped-call]
    held: dict[Any, Graph] = {each.key: dict(each.dask) for each in made}
    for piece in pieces:
        own = _own(graph, piece.key, shared)
        kept = [held[key] for key in own if key in held]
        for found in kept:
            own |= found
        yield Delayed(piece.key, own)  # type: ignore[no-untyped-call]


def _shared(graph: Graph, keys: Sequence[Any]) -> frozenset[Any]:
    """The tasks that more than one piece asks for; not those that only these need."""
    from dask.core import get_dependencies

    owners: dict[Any, int] = {}
    shared = set()
    for number, key in enumerate(keys):
        waiting = [key]
        while waiting:
            each = waiting.pop()
            owner = owners.setdefault(each, -1)
            if owner < 0:
                owners[each] = number
                waiting.extend(get_dependencies(graph, each))
            elif owner != number:
                shared.add(each)
    return frozenset(shared)


def _own(graph: Graph, key: Any, others: Collection[Any]) -> dict[Any, Any]:
    """The tasks that one needs, itself included, down to `others`, which are included too."""
    from dask.core import get_dependencies

    found: dict[Any, Any] = {}
    waiting = [key]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found[each] = graph[each]
            if each not in others:
                waiting.extend(get_dependencies(graph, each))
    return found
