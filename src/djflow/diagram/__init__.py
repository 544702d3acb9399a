"""The graph of tables: what is drawn of it, and how rows are followed through it."""

from djflow.diagram.diagram import Diagram

__all__ = ["Diagram"]
