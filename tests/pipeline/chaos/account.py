"""What there is in the database, the store and the log when a pipeline is through, as plain values."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tests.pipeline.chaos import pipeline

_LEFT = {
    "triggers": """
        SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = $1::regnamespace AND NOT t.tgisinternal AND t.tgname LIKE '%watch%'""",
    "locks": """
        SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
        WHERE c.relnamespace = $1::regnamespace AND l.pid <> pg_backend_pid()""",
    "advisory locks": "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND $1 <> ''",
    "open transactions": """
        SELECT count(*) FROM pg_stat_activity
        WHERE xact_start IS NOT NULL AND backend_type = 'client backend' AND pid <> pg_backend_pid()
          AND $1 <> ''    """,
}


@dataclass(frozen=True)
class Account:
    """Counts by table and, in lists, whatever is wrong."""

    keys: dict[str, int]
    wrong_keys: list[str]
    wrong_parts: list[str]
    wrong_objects: list[str]
    wrong_tokens: list[str]
    attempts: dict[str, int]
    jobs: dict[str, int]
    errors: list[str]
    leases: int
    left: dict[str, int]

    def problems(self) -> dict[str, Any]:
        """Whatever must not be."""
        asked = ("wrong_keys", "wrong_parts", "wrong_objects", "wrong_tokens", "errors", "leases", "left")
        told = {name: value for name, value in asdict(self).items() if name in asked}
        found = {name: value for name, value in told.items() if value}
        return found | ({"jobs": self.jobs} if any(self.jobs.values()) else {})


def account(number: int, log: Path) -> Account:
    """Of `number` keys of each table."""
    attempts = pipeline.attempts(log)
    queues = [(master.__name__, master().jobs) for master in pipeline.MASTERS]
    query = pipeline.schema.connection.query
    return Account(
        keys={master.__name__: len(master()) for master in pipeline.MASTERS},
        wrong_keys=[text for master in pipeline.MASTERS for text in _wrong_keys(master, number)],
        wrong_parts=_wrong_parts(),
        wrong_objects=_wrong_objects(),
        wrong_tokens=[text for master in pipeline.MASTERS for text in _wrong_tokens(master, attempts)],
        attempts=dict(Counter(table for table, _, _ in attempts)),
        jobs={name: jobs.progress()["total"] for name, jobs in queues},
        errors=[
            f"{name}: {row['error_message']}\n{row['error_stack']}"
            for name, jobs in queues
            for row in jobs.errors.to_dicts()
        ],
        leases=sum(
            query(
                f"SELECT count(*) FROM {jobs.queue.jobs} WHERE _token IS NOT NULL OR _lease_end IS NOT NULL"
            )[0][0]
            for _, jobs in queues
        ),
        left={
            name: found
            for name, sql in _LEFT.items()
            if (found := query(sql, (pipeline.schema.database,))[0][0])
        },
    )


def _wrong_keys(master: Any, number: int) -> list[str]:
    found = Counter(master().to_arrays("session").tolist())
    wanted = Counter(range(number))
    return [f"{master.__name__} {key}" for key in (found - wanted) + (wanted - found)]


def _wrong_parts() -> list[str]:
    wrong = []
    for part in (pipeline.Recording.Channel, pipeline.Spectrum.Peak):
        found = Counter(part().to_arrays("session").tolist())
        wanted = Counter(
            {key: pipeline.channels(key) for key in pipeline.Session().to_arrays("session").tolist()}
        )
        wrong += [f"{part.__name__} {key}" for key in (found - wanted) + (wanted - found)]
    return wrong


def _wrong_objects() -> list[str]:
    wrong = [
        str(row) for master in (pipeline.Recording, pipeline.Spectrum) for row in master().verify().rows()
    ]
    for master, name, value in (
        (pipeline.Recording(), "signal", pipeline.signal),
        (pipeline.Spectrum(), "power", pipeline.power),
    ):
        for row in (master & "session % 7 = 0").to_dicts():
            session, stored = row["session"], row[name]
            if pipeline.has_objects(session) is not (
                stored is not None and np.array_equal(stored[:], value(session))
            ):
                wrong.append(f"{name} {session}")
    return wrong


def _wrong_tokens(master: Any, attempts: list[tuple[str, int, str]]) -> list[str]:
    """What was committed is what one call made, for its own key."""
    rows = master().proj("token").to_dicts()
    known = {(token, session) for table, session, token in attempts if table == master.__name__}
    made = Counter(row["token"] for row in rows)
    strange = [row for row in rows if (row["token"], row["session"]) not in known or made[row["token"]] > 1]
    return [f"{master.__name__} {row}" for row in strange]
