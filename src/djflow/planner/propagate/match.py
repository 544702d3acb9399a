"""A match: rows of a table with columns equal to those of given rows, several foreign keys away or one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from djflow.model.names import TableName
from djflow.model.table import ForeignKey, Table
from djflow.model.types import is_told_by_equality


@dataclass(frozen=True, slots=True)
class Match:
    """The rows whose `columns`, pairs of own and the anchor's, equal those of a row of the anchor.

    The anchor is a table of which the rows are known. `present` are own columns, and `anchored` the
    anchor's, that must not be null besides. `is_kept` tells whether every own row has the very values of a
    row of the anchor's table, which the server sees to at every moment.
    """

    anchor: TableName
    columns: tuple[tuple[str, str], ...]
    present: frozenset[str] = frozenset()
    anchored: frozenset[str] = frozenset()
    is_kept: bool = True

    @property
    def own(self) -> frozenset[str]:
        """The own columns on which the match depends."""
        return self.present.union(own for own, _ in self.columns)


def down(child: Table, key: ForeignKey, above: Sequence[Match]) -> tuple[Match, ...]:
    """The matches of a child over one foreign key, given those of the parent.

    Where the foreign key hands the matched columns through, the parent need not be read.
    """
    if above and all(match.own <= set(key.referenced) and not match.anchored for match in above):
        return tuple(_handed_down(child, key, match) for match in above)
    return (_direct(child, key.own, key.columns, key.parent, is_kept=_repeats(child, key)),)


def up(child: Table, key: ForeignKey, below: Sequence[Match]) -> tuple[Match, ...]:
    """The matches of a parent over a child's foreign key, given those of the child.

    Where the rows that matched the child carry the foreign key's columns, the child need not be read.
    """
    columns = tuple((its, own) for own, its in key.columns)
    if below and all(_carries(match, key) for match in below):
        return tuple(_handed_up(key, match) for match in below)
    return (Match(child.name, columns, is_kept=False),)


def distinct(found: Iterable[Match]) -> tuple[Match, ...]:
    """The matches without those that give no row which another does not.

    >>> name = TableName("lab", "subject")
    >>> len(distinct([Match(name, (("a", "a"), ("b", "b"))), Match(name, (("b", "b"), ("a", "a")))]))
    1
    """
    kept: list[Match] = []
    for match in found:
        if not any(_covers(other, match) for other in kept):
            kept = [*(other for other in kept if not _covers(match, other)), match]
    return tuple(kept)


def _direct(
    child: Table,
    own: Iterable[str],
    columns: tuple[tuple[str, str], ...],
    anchor: TableName,
    *,
    is_kept: bool,
) -> Match:
    # A foreign key with a null in any of its columns refers to nothing.
    matched = {name for name, _ in columns}
    return Match(anchor, columns, _nullable(child).intersection(own) - matched, is_kept=is_kept)


def _handed_down(child: Table, key: ForeignKey, match: Match) -> Match:
    own = {its: own for own, its in key.columns}
    columns = tuple((own[between], its) for between, its in match.columns)
    direct = _direct(child, key.own, columns, match.anchor, is_kept=match.is_kept and _repeats(child, key))
    present = direct.present.union(own[name] for name in match.present)
    return Match(match.anchor, columns, present, is_kept=direct.is_kept)


def _carries(match: Match, key: ForeignKey) -> bool:
    return not match.present and set(key.own) <= {own for own, _ in match.columns}


def _handed_up(key: ForeignKey, match: Match) -> Match:
    carried = dict(match.columns)
    columns = tuple((its, carried[own]) for own, its in key.columns)
    # The anchor's row refers to the table between with all of its columns, or to nothing.
    named = {its for _, its in match.columns} - {its for _, its in columns}
    return Match(match.anchor, columns, anchored=match.anchored | named, is_kept=False)


def _repeats(child: Table, key: ForeignKey) -> bool:
    """Whether the values of a foreign key are those that it refers to, not only equal to them."""
    types = {column.name: column.stored for column in child.columns}
    return key.is_enforced and all(is_told_by_equality(types[name]) for name in key.own)


def _nullable(table: Table) -> frozenset[str]:
    return frozenset(column.name for column in table.columns if column.nullable)


def _covers(match: Match, other: Match) -> bool:
    return (
        (match.anchor, set(match.columns)) == (other.anchor, set(other.columns))
        and match.present <= other.present
        and match.anchored <= other.anchored
    )
