"""One row whose objects are written while it is being made: `Table.staged_insert1`."""

from djflow.tables.staged.block import staged_insert1
from djflow.tables.staged.staged_insert import StagedInsert

__all__ = ["StagedInsert", "staged_insert1"]
