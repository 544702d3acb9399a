"""What a `make` may read, what it has read, and the record of that."""

from djflow.pipeline.reads.mode import Reads

__all__ = ["Reads"]
