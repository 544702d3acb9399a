"""Mice in a maze: a pipeline of several modules."""

# Whoever imports a module of the package, worker processes included, finds its schema activated.
from . import pipeline

__all__ = ["pipeline"]
