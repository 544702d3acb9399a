"""A pipeline whose every call of `make` is noted in a file, and can be recognised in what it commits.

Processes import it; the environment says which schema it is, which file (`CHAOS_SCHEMA`, `CHAOS_LOG`), how
long calls take at most (`CHAOS_PAUSE`, in seconds), and that each so many-th key has objects (`CHAOS_EVERY`).
"""

import os
import secrets
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

import djflow as dj

SCHEMA: Final = "CHAOS_SCHEMA"
LOG: Final = "CHAOS_LOG"
PAUSE: Final = "CHAOS_PAUSE"
EVERY: Final = "CHAOS_EVERY"
_LONGEST: Final = 4  # channels of a recording

schema = dj.Schema()
if SCHEMA in os.environ:
    schema.activate(os.environ[SCHEMA])


def attempt(table: str, session: int) -> str:
    """Note a call before it does anything, in a way that survives whatever happens to the process."""
    token = secrets.token_hex(8)
    log = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(log, f"{table} {session} {token}\n".encode())
    finally:
        os.close(log)
    time.sleep(float(os.environ[PAUSE]) * (session % 5) / 4)
    return token


def attempts(log: Path) -> list[tuple[str, int, str]]:
    """Table, key and token of each call so far."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(table, int(session), token) for table, session, token in map(str.split, lines)]


def channels(session: int) -> int:
    """How many parts a recording has."""
    return 1 + session % _LONGEST


def signal(session: int) -> Any:
    """What is recorded."""
    samples = np.arange(32 * channels(session), dtype=np.float64)
    return (samples * (1 + session)).reshape(channels(session), 32)


def power(session: int) -> Any:
    """What is computed of it."""
    return np.abs(np.fft.rfft(signal(session)))


def has_objects(session: int) -> bool:
    """Whether a key's signal and spectrum are stored as objects."""
    return session % int(os.environ[EVERY]) == 0


@schema
class Session(dj.Manual):
    definition = """
    session : int32
    """


@schema
class Recording(dj.Imported):
    definition = """
    -> Session
    ---
    token : varchar(16)
    signal = null : <zarr@>
    """

    class Channel(dj.Part):
        definition = """
        -> master
        channel : int16
        ---
        mean : float64
        """

    def make(self, key: dict[str, Any]) -> None:
        session = key["session"]
        token, recorded = attempt("Recording", session), signal(session)
        self.insert1({**key, "token": token, "signal": recorded if has_objects(session) else None})
        means = enumerate(recorded.mean(axis=1).tolist())
        self.Channel().insert({**key, "channel": channel, "mean": mean} for channel, mean in means)


@schema
class Spectrum(dj.Computed):
    definition = """
    -> Recording
    ---
    token : varchar(16)
    power = null : <npy@>
    """

    class Peak(dj.Part):
        definition = """
        -> master
        -> Recording.Channel
        ---
        height : float64
        """

    def make(self, key: dict[str, Any]) -> None:
        token, stored = attempt("Spectrum", key["session"]), (Recording() & key).fetch1("signal")
        assert (stored is not None) is has_objects(key["session"])
        found = power(key["session"]) if stored is None else np.abs(np.fft.rfft(stored[:]))
        self.insert1({**key, "token": token, "power": None if stored is None else found})
        heights = enumerate(found.max(axis=1).tolist())
        self.Peak().insert({**key, "channel": channel, "height": height} for channel, height in heights)


@schema
class Quality(dj.Computed):
    definition = """
    -> Recording
    ---
    token : varchar(16)
    channels : int32
    """

    def make_batch(self, keys: pl.DataFrame) -> None:
        rows = (Recording.Channel() & keys).to_polars().group_by("session").agg(channels=pl.len())
        tokens = pl.Series([attempt("Quality", session) for session in rows["session"]])
        self.insert(rows.with_columns(token=tokens, channels=pl.col("channels").cast(pl.Int32)))


@schema
class Report(dj.Computed):
    definition = """
    -> Spectrum
    -> Quality
    ---
    token : varchar(16)
    height : float64
    """

    def make_fetch(self, key: dict[str, Any]) -> tuple[Any, ...]:
        return ((Spectrum.Peak() & key).to_arrays("height").tolist(), (Quality() & key).fetch1("channels"))

    def make_compute(self, key: dict[str, Any], heights: list[float], found: int) -> tuple[Any, ...]:
        assert len(heights) == found
        return attempt("Report", key["session"]), max(heights)

    def make_insert(self, key: dict[str, Any], token: str, height: float) -> None:
        self.insert1({**key, "token": token, "height": height})


MASTERS: Final = (Recording, Spectrum, Quality, Report)
