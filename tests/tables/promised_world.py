"""What two clients should find in a small pipeline, kept in plain Python: dicts of rows by key."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Key = tuple[Any, ...]
Rows = dict[Key, tuple[Any, ...]]

# For each table: those that refer to it, with the positions in their own row of what they refer by.
CHILDREN: Mapping[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "Subject": (("Session", (0,)), ("Pair", (0,)), ("Pair", (1,))),
    "Session": (("Trial", (0, 1)), ("Note", (1, 2)), ("Count", (0, 1))),
    "Count": (("Item", (0, 1)),),
    "Trial": (("Item", (0, 1, 2)),),
    "Pair": (),
    "Note": (),
    "Item": (),
}
TABLES = ("Subject", "Pair", "Session", "Trial", "Note", "Count", "Item")
KEY_LENGTHS: Mapping[str, int] = {
    "Subject": 1,
    "Pair": 2,
    "Session": 2,
    "Trial": 3,
    "Note": 1,
    "Count": 2,
    "Item": 3,
}
MASTERS: Mapping[str, str] = {"Trial": "Session", "Item": "Count"}


def empty() -> dict[str, Rows]:
    """Tables without rows."""
    return {name: {} for name in TABLES}


@dataclass
class Changes:
    """What a client did to rows and has not committed."""

    written: dict[str, Rows] = field(default_factory=empty)
    removed: dict[str, set[Key]] = field(default_factory=lambda: {name: set() for name in TABLES})

    def write(self, table: str, row: tuple[Any, ...]) -> None:
        key = row[: KEY_LENGTHS[table]]
        self.written[table][key] = row
        self.removed[table].discard(key)

    def remove(self, table: str, key: Key) -> None:
        self.written[table].pop(key, None)
        self.removed[table].add(key)


@dataclass
class World:
    """The committed rows, and the changes of clients with an open transaction."""

    committed: dict[str, Rows] = field(default_factory=empty)
    pending: dict[int, Changes] = field(default_factory=dict)

    def seen_by(self, client: int) -> dict[str, Rows]:
        """The rows as a client sees them: what is committed, with its own changes."""
        changes = self.pending.get(client, Changes())
        return {
            name: {
                **{key: row for key, row in rows.items() if key not in changes.removed[name]},
                **changes.written[name],
            }
            for name, rows in self.committed.items()
        }

    def apply(self, client: int, changes: Changes) -> None:
        """Make changes: pending ones in a transaction, committed ones outside."""
        if client in self.pending:
            mine = self.pending[client]
            for name in TABLES:
                for key in changes.removed[name]:
                    mine.remove(name, key)
                for row in changes.written[name].values():
                    mine.write(name, row)
        else:
            self._commit(changes)

    def commit(self, client: int) -> None:
        self._commit(self.pending.pop(client))

    def roll_back(self, client: int) -> None:
        del self.pending[client]

    def _commit(self, changes: Changes) -> None:
        for name in TABLES:
            for key in changes.removed[name]:
                self.committed[name].pop(key, None)
            self.committed[name].update(changes.written[name])


def cascade(
    rows: Mapping[str, Rows], table: str, keys: set[Key], *, with_masters: bool
) -> dict[str, set[Key]]:
    """The keys that a delete takes, found row by row."""
    doomed: dict[str, set[Key]] = {name: set() for name in TABLES}
    waiting = [(table, key) for key in keys]
    while waiting:
        name, key = waiting.pop()
        if key in doomed[name]:
            continue
        doomed[name].add(key)
        waiting += _dependents(rows, name, key)
        if with_masters and name in MASTERS:
            waiting.append((MASTERS[name], key[: KEY_LENGTHS[MASTERS[name]]]))
    return doomed


def orphans_masters(doomed: Mapping[str, set[Key]]) -> bool:
    """Whether a part would go and its master stay."""
    return any(
        key[: KEY_LENGTHS[master]] not in doomed[master]
        for part, master in MASTERS.items()
        for key in doomed[part]
    )


def _dependents(rows: Mapping[str, Rows], name: str, key: Key) -> Iterator[tuple[str, Key]]:
    for child, positions in CHILDREN[name]:
        for row in rows[child].values():
            if tuple(row[position] for position in positions) == key:
                yield child, row[: KEY_LENGTHS[child]]
