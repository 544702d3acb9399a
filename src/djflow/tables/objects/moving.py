"""Objects of a query's rows into another store: copies of them, or the objects themselves.

An object that moves is copied to a new path, since no path is used twice: whatever still reads or removes
what was at the old one never meets the new one. It is recorded before it is copied, as what an insert writes
is, and the rows get their new references in the transaction of that record. No row has the old object then,
and a collection removes it.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from djflow.display.bars import progress_bar
from djflow.errors import QueryError
from djflow.sql.moving import replace_references
from djflow.storage.cached import without_cache
from djflow.tables.objects.moved import Moved, Step, frame
from djflow.tables.objects.transfer import copied, recorded

if TYPE_CHECKING:
    import polars as pl

    from djflow.tables.objects.movable import Movable, Movables


def copy(movables: "Movables", *, display: bool) -> "pl.DataFrame":
    """Copy objects to the same paths in another store: see `Table.copy_objects`."""
    target = without_cache(movables.database.open_store(movables.to))

    def copy_batch(batch: Sequence["Movable"]) -> list[Moved]:
        return copied(movables.database, batch, target, [movable.path for movable in batch])

    return _done(movables, copy_batch, "copy", display=display)


def move(movables: "Movables", *, dry_run: bool, display: bool) -> "pl.DataFrame":
    """Move objects to another store: see `Table.move_objects`."""
    if dry_run:
        batches = movables.batches()
        return frame(Moved(each, Step.PLANNED, each.size) for batch in batches for each in batch)
    if movables.database.in_transaction:
        raise QueryError("Move objects outside of a transaction: each batch of them has one of its own.")
    return _done(movables, lambda batch: _moved(movables, batch), "move", display=display)


def _done(
    movables: "Movables", action: Callable[[Sequence["Movable"]], list[Moved]], label: str, *, display: bool
) -> "pl.DataFrame":
    import polars as pl

    title = f"{label} objects of {movables.table.name} to {movables.to}"
    with progress_bar(desc=title, unit="object", total=len(movables), disable=not display) as bar:

        def frames() -> Iterator["pl.DataFrame"]:
            for batch in movables.batches():
                yield frame(action(batch))
                bar.update(len(batch))

        return pl.concat([frame([]), *frames()])


def _moved(movables: "Movables", batch: Sequence["Movable"]) -> list[Moved]:
    database, schema = movables.database, movables.table.name.schema
    target = without_cache(database.open_store(movables.to))
    with database.transaction:
        paths = recorded(database, schema, target, batch)
        done = copied(database, batch, target, paths)
        changed = _repoint(movables, [each for each in done if each.error is None])
    return [replace(each, step=_step(each, changed)) for each in done]


def _step(moved: Moved, changed: set[str]) -> Step | None:
    if moved.error is not None:
        return None
    return Step.MOVED if moved.movable.text in changed else Step.LEFT


def _repoint(movables: "Movables", done: Sequence[Moved]) -> set[str]:
    """Give rows the references to the copies; the references that any row still had."""
    if not done:
        return set()
    column = next(c for c in movables.columns if c.name == done[0].movable.attribute)
    old = [each.movable.text for each in done for _ in each.movable.rows]
    new = [text for each in done for text in [_new_reference(movables, each)] * len(each.movable.rows)]
    keys = movables.keys([row for each in done for row in each.movable.rows])
    statement = replace_references(movables.table, column)
    return {old[place - 1] for (place,) in movables.database.session.execute(statement, [keys, old, new])}


def _new_reference(movables: "Movables", moved: Moved) -> str:
    reference = {**moved.movable.reference, "store": movables.to, "path": moved.new_path}
    if "schema" in reference:
        reference["schema"] = movables.table.name.schema
    return json.dumps(reference)
