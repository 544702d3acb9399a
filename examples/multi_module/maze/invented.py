"""Invented animals that learn: rows, and the files that an experiment would have written."""

from datetime import date, timedelta
from random import Random

import polars as pl

from .pipeline import FOLDER, Animal, Session

ANIMALS = [
    {"animal": "m1", "strain": "C57BL/6", "born": date(2024, 1, 8)},
    {"animal": "m2", "strain": "C57BL/6", "born": date(2024, 1, 8)},
    {"animal": "m3", "strain": "BALB/c", "born": date(2024, 2, 5)},
]
SESSIONS, TRIALS = 6, 40


def fill():
    """Insert animals and their sessions, and write the files of their trials."""
    sessions = [
        {"animal": row["animal"], "session": number, "day": date(2024, 4, 1) + timedelta(days=number)}
        for row in ANIMALS
        for number in range(1, SESSIONS + 1)
    ]
    Animal.insert(ANIMALS, skip_duplicates=True)
    Session.insert(sessions, skip_duplicates=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for row in sessions:
        write_file(row["animal"], row["session"])


def write_file(animal, session):
    """A file of one session: the later, the more trials are correct."""
    random = Random(f"{animal} {session}")
    chance = 0.4 + 0.09 * session
    trials = {
        "trial": range(1, TRIALS + 1),
        "correct": [random.random() < chance for _ in range(TRIALS)],
        "latency": [round(2 + 8 * random.random() / session, 2) for _ in range(TRIALS)],
    }
    pl.DataFrame(trials).write_csv(FOLDER / f"{animal}-{session}.csv")
