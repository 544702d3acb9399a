"""Learning of inserts as they are committed."""

from djflow.populate.watch.message import Change
from djflow.populate.watch.watch import Watch

__all__ = ["Change", "Watch"]
