"""Pictures of pipelines."""

from djflow.diagram.text import draw
from djflow.tables.schema import Schema


class Diagram:
    """The tables of a schema and their dependencies; printing it draws them as text."""

    def __init__(self, schema: Schema) -> None:
        schema.create()
        self._schema = schema

    def __str__(self) -> str:
        return draw(self._schema.catalog(), [self._schema.database])

    def __repr__(self) -> str:
        return str(self)


__all__ = ["Diagram"]
