"""Errors of pictures."""

from djflow.errors.base import DjflowError


class DrawingError(DjflowError):
    """A picture cannot be drawn on this machine, for want of what draws it; says what to do."""
