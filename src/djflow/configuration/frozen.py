"""An immutable mapping: hashable and, unlike `MappingProxyType`, picklable."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

V_co = TypeVar("V_co", covariant=True)


class FrozenMapping(Mapping[str, V_co]):
    """A mapping from texts that cannot change. It equals a dict of the same items.

    >>> lab = FrozenMapping({"bucket": "lab"})
    >>> lab["bucket"], lab == {"bucket": "lab"}, hash(lab) == hash(FrozenMapping({"bucket": "lab"}))
    ('lab', True, True)
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V_co] | None = None) -> None:
        self._items = dict(items or {})

    def __getitem__(self, key: str) -> V_co:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)

    def __reduce__(self) -> tuple[type["FrozenMapping[V_co]"], tuple[dict[str, V_co]]]:
        return FrozenMapping, (self._items,)
