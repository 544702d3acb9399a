"""What a `make` may read, what it has read, and the record of that."""

from djflow.populate.reads.mode import Reads

__all__ = ["Reads"]
