"""Learning of inserts as they are committed."""

from djflow.pipeline.watch.message import Change
from djflow.pipeline.watch.watch import Watch

__all__ = ["Change", "Watch"]
