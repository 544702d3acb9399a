"""Deletes: of rows with all that depends on them, and of whole tables."""

from djflow.tables.deletion.delete import delete, delete_quick
from djflow.tables.deletion.drop import drop

__all__ = ["delete", "delete_quick", "drop"]
