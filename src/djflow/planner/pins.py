"""What equalities tell of attributes: the values that they have, and how several things known combine."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, eq=False)
class OneOf:
    """The attribute has one of these values: constants of conditions, and values in columns of frames."""

    constants: frozenset[Any] = frozenset()
    columns: "tuple[pa.ChunkedArray, ...]" = ()


@dataclass(frozen=True, slots=True)
class Among:
    """The attribute has a value that rows of a table have which is read elsewhere in the plan.

    `scan` is the place of that reading among all of the plan, and of its rows those that matter are meant.
    """

    scan: int
    column: str


Fact: TypeAlias = OneOf | Among
Facts: TypeAlias = Mapping[str, tuple[Fact, ...]]
"""What is known of attributes by name; all facts hold."""

NOTHING: Final[Facts] = {}


def picked(facts: Facts, names: Iterable[str]) -> Facts:
    """What is known of some attributes."""
    return {name: facts[name] for name in names if name in facts}


def all_of(several: Iterable[Facts]) -> Facts:
    """What is known where several things hold.

    >>> all_of([{"a": (Among(0, "x"),)}, {"a": (Among(1, "y"),), "b": (Among(1, "b"),)}])
    {'a': (Among(scan=0, column='x'), Among(scan=1, column='y')), 'b': (Among(scan=1, column='b'),)}
    """
    found: dict[str, tuple[Fact, ...]] = {}
    for facts in several:
        for name, more in facts.items():
            known = found.get(name, more)
            found[name] = more if known is more else tuple(dict.fromkeys((*known, *more)))
    return found


def any_of(several: Sequence[Facts]) -> Facts:
    """What is known where one of several things holds.

    >>> either = any_of([{"a": (OneOf(frozenset({1})),)}, {"a": (OneOf(frozenset({2})),), "b": ()}])
    >>> list(either), sorted(either["a"][0].constants)
    (['a'], [1, 2])
    """
    if not several:
        return NOTHING
    names = reduce(set[str].intersection, (set(facts) for facts in several))
    found = {name: tuple(_either([facts[name] for facts in several])) for name in names}
    return {name: facts for name, facts in found.items() if facts}


def _either(several: Sequence[Sequence[Fact]]) -> Iterator[Fact]:
    first, *others = several
    for fact in first:
        if isinstance(fact, Among) and all(fact in facts for facts in others):
            yield fact
    options = [[fact for fact in facts if isinstance(fact, OneOf)] for facts in several]
    if all(options):
        chosen = [min(some, key=_size) for some in options]
        constants = frozenset[Any]().union(*(fact.constants for fact in chosen))
        yield OneOf(constants, tuple(column for fact in chosen for column in fact.columns))


def _size(fact: OneOf) -> int:
    return len(fact.constants) + sum(len(column) for column in fact.columns)
