"""What a `make` may read: what is upstream of its table, and of that the rows of its keys."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import Attribute, Heading, Table
from djflow.pipeline.reads.key_values import KeyValues
from djflow.planner.pinned import PinnedScan
from djflow.planner.pins import Among, OneOf


class Fault(Enum):
    """What is wrong with reading something."""

    NOT_UPSTREAM = "it is not upstream"
    OTHER_ROWS = "rows of other keys"
    OWN_SQL = "nobody can tell what SQL of your own reads"


@dataclass(frozen=True, slots=True)
class Finding:
    """A table that was read. `free` are attributes that nothing restricted to the values of the key."""

    name: TableName
    fault: Fault | None = None
    free: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Shared:
    """What a table upstream shares with the keys: attributes of the same origin.

    Each of those of its primary key must be pinned to values of the keys. Where it shares none of these, one
    secondary attribute of each origin, or else its whole primary key to rows that were chosen before.
    """

    in_key: tuple[Attribute, ...]
    secondary: tuple[Attribute, ...]
    primary_key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contract:
    """What one table may read while it is made: tables `upstream` of it, all of which the catalog has."""

    name: TableName
    catalog: Catalog
    upstream: frozenset[TableName]
    _shared: dict[TableName, _Shared | None] = field(default_factory=dict, compare=False)

    @property
    def heading(self) -> Heading:
        """The heading of the table."""
        return self.catalog[self.name].heading

    def findings(self, scans: Sequence[PinnedScan], keys: KeyValues) -> Iterator[Finding]:
        """What to say about each place where a plan reads a table."""
        free = [self._free(scan, keys) for scan in scans]
        allowed = {number for number, names in enumerate(free) if names == ()}
        while more := set(self._referred_to(scans, free, allowed)):
            allowed |= more
        for number, (scan, names) in enumerate(zip(scans, free, strict=True)):
            if number in allowed:
                yield Finding(scan.table.name)
            elif names is None:
                yield Finding(scan.table.name, Fault.NOT_UPSTREAM)
            else:
                yield Finding(scan.table.name, Fault.OTHER_ROWS, names)

    def _free(self, scan: PinnedScan, keys: KeyValues) -> tuple[str, ...] | None:
        """The attributes that ought to be pinned to the keys and are not; None for what is not upstream."""
        if scan.is_known:
            return ()
        name = scan.table.name
        if name not in self._shared:
            self._shared[name] = self._shared_with(scan.table, keys)
        shared = self._shared[name]
        if shared is None:
            return None
        if shared.in_key:
            return tuple(a.name for a in shared.in_key if not _is_of_keys(scan, a, keys))
        met = {a.lineage for a in shared.secondary if _is_of_keys(scan, a, keys)}
        if all(any(isinstance(f, OneOf) for f in scan.pins.get(n, ())) for n in shared.primary_key):
            return ()
        return tuple(a.name for a in shared.secondary if a.lineage not in met)

    def _shared_with(self, table: Table, keys: KeyValues) -> _Shared | None:
        if table.name not in self.upstream:
            return None
        heading = self.catalog[table.name].heading
        shared = [a for a in heading if a.lineage is not None and keys.have(a.lineage)]
        return _Shared(
            tuple(a for a in shared if a.in_key),
            tuple(a for a in shared if not a.in_key),
            heading.primary_key,
        )

    def _referred_to(
        self, scans: Sequence[PinnedScan], free: Sequence[tuple[str, ...] | None], allowed: Collection[int]
    ) -> Iterator[int]:
        """More places that may be read: rows to which those of an allowed one refer, and parts of these."""
        for number, scan in enumerate(scans):
            if number in allowed or free[number] is None:
                continue
            own = self.catalog[scan.table.name]
            if any(_leads(other, scans[other].table, scan, own) for other in allowed):
                yield number


def _is_of_keys(scan: PinnedScan, attribute: Attribute, keys: KeyValues) -> bool:
    facts = scan.pins.get(attribute.name, ())
    return any(isinstance(fact, OneOf) and keys.hold(attribute, fact) for fact in facts)


def _leads(number: int, other: Table, scan: PinnedScan, own: Table) -> bool:
    """Whether a place reads only rows to which rows of another place refer, or parts of these."""
    down = [key.columns for key in other.foreign_keys if key.parent == own.name]
    up = [key.columns for key in own.foreign_keys if key.parent == other.name == own.name.master]
    ways = [*down, *([(its, mine) for mine, its in columns] for columns in up)]
    return any(
        all(Among(number, theirs) in scan.pins.get(mine, ()) for theirs, mine in columns) for columns in ways
    )
