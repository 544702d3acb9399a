"""Rows in the order of a key."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def by_key(rows: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """The rows sorted by key, nulls last. Tables are mostly stored in this order: looking first is cheap."""
    few = rows.num_rows < 2  # noqa: PLR2004 - one row has one order
    with_nulls = any(rows.column(name).null_count for name in key)
    if not key or few or (not with_nulls and _is_sorted(rows, key)):
        return rows
    return rows.take(pc.sort_indices(rows, [(name, "ascending") for name in key]))


def _is_sorted(rows: pa.Table, key: tuple[str, ...]) -> bool:
    undecided: Any = True
    for name in key:
        column = rows.column(name)
        earlier, later = column.slice(0, len(column) - 1), column.slice(1)
        wrong = pc.and_kleene(pc.greater(earlier, later), undecided)
        if pc.any(wrong).as_py():
            return False
        undecided = pc.and_kleene(pc.equal(earlier, later), undecided)
    return True
