"""How a relation looks: its first rows, never all of them."""

from djflow.relation.preview.look import Look, look, looked_at, without_rows

__all__ = ["Look", "look", "looked_at", "without_rows"]
