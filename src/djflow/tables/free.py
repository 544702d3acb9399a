"""Tables without a class of their own."""

from djflow.model.table import Table as TableModel
from djflow.planner.nodes import Node
from djflow.relation.database import Database
from djflow.tables.declared import Table


class FreeTable(Table):
    """A table of the database, found by its name; it offers what a declared one does."""

    def __init__(self, connection: Database, model: TableModel, plan: Node | None = None) -> None:
        """`plan` selects some of the rows, by default all."""
        self._database, self._model, self._plan = connection, model, plan

    @property
    def table_model(self) -> TableModel:
        """The table as the database has it."""
        return self._model

    @property
    def connection(self) -> Database:
        """The database that holds the table."""
        return self._database
