"""The linking module: gives the schemas their names, and the modules what they need of each other.

Import tables from here, so that all of them are there and activated.
"""

import os
import sys
from pathlib import Path

import polars as pl

import djflow as dj

from . import animal, behavior, session
from .animal import Animal, Strain
from .behavior import Criterion, Performance, Trials
from .session import Session

__all__ = ["Animal", "Criterion", "Performance", "Session", "Strain", "Trials", "learning", "read_trials"]

# Everybody can try things in schemas of their own: `DJ_DATABASE_PREFIX=ann_ python -m maze`.
PREFIX = dj.config["database.database_prefix"] or "maze_"

# Where the files of the trials lie.
FOLDER = Path(os.environ.get("MAZE_DATA", "data"))


def read_trials(key):
    """The trials of a session, from its file."""
    return pl.read_csv(FOLDER / f"{key['animal']}-{key['session']}.csv")


def learning():
    """For each animal and criterion the first session that met it; null where none did."""
    every = dj.U("animal", "criterion").aggr(Performance, sessions="count(*)")
    learnt = dj.U("animal", "criterion").aggr(Performance & "learnt", first="min(session)")
    return every.extend(learnt)


animal.schema.activate(f"{PREFIX}animal")
session.schema.activate(f"{PREFIX}session")
behavior.activate(f"{PREFIX}behavior", sys.modules[__name__])
