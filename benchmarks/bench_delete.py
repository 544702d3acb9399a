"""A subject's rows and all that depends on them: a million rows in six tables."""

from collections.abc import Iterator
from contextlib import closing
from typing import Final

import djflow as dj
from benchmarks import rig
from benchmarks.peer import datajoint_times
from benchmarks.report import AtMost, FasterBy, Row, limit
from benchmarks.server import SCHEMA, Bench
from benchmarks.timing import race, scaled, seconds
from djflow.tables.deletion.delete import preview
from djflow.tables.deletion.integrity import PartIntegrity

SUBJECTS: Final = 50
PATIENCE: Final = 240.0
MANY: Final = 1000
MOST_PREVIEW: Final = 0.2


def measure(bench: Bench) -> Iterator[Row]:
    """Against the statements that somebody would write by hand, and DataJoint; then previews."""
    classes = rig.declared(bench.schema, dj)
    bench.schema.create()
    doomed = scaled(SUBJECTS * 10) // 10
    some = classes.RigSubject & f"subject <= {doomed}"
    statements = [text.format(schema=SCHEMA, most=doomed) for text in rig.BY_HAND]

    with closing(bench.connect()) as connection:

        def by_hand() -> None:
            with connection.transaction():
                for statement in statements:
                    connection.execute(statement.encode())

        ours, hand = race(
            lambda: some.delete(prompt=False), by_hand, repeats=3, prepare=lambda: refill(bench, 2 * doomed)
        )
    yield Row("cascading delete", ours, "SQL by hand", hand, AtMost(1.5))
    yield from against_datajoint(bench)
    yield from previews(bench)


def against_datajoint(bench: Bench) -> Iterator[Row]:
    """Rows chosen by a condition, then the same rows chosen by a list of keys."""
    classes = rig.declared(bench.schema, dj)
    doomed = scaled(SUBJECTS * 10) // 10
    chosen = f"subject <= {doomed}"

    def by_condition() -> float:
        return seconds(lambda: (classes.RigSubject & chosen).delete(prompt=False))

    def by_keys() -> float:
        keys = (classes.RigSession & chosen).keys()
        return seconds(lambda: (classes.RigSession & keys).delete(prompt=False))

    for name, task, ours in (
        ("cascading delete", "delete", by_condition),
        ("cascading delete, by keys", "delete_by_keys", by_keys),
    ):
        refill(bench, 2 * doomed)
        measured = ours()
        refill(bench, 2 * doomed)
        peer = datajoint_times(bench, task, doomed, patience=PATIENCE)
        yield peer.row(name, measured, task, FasterBy(10))


def previews(bench: Bench) -> Iterator[Row]:
    """What a delete would take, asked of a thousand tables."""
    many = f"{SCHEMA}_many"
    bench.run(f"CREATE SCHEMA {many}")
    bench.run(f"CREATE TABLE {many}.t0 (k int PRIMARY KEY)")
    with bench.database.transaction:
        for number in range(1, MANY):
            parent = (number - 1) // 3
            bench.run(
                f"CREATE TABLE {many}.t{number} (k int PRIMARY KEY REFERENCES {many}.t{parent}, x float8)"
            )
    bench.run(f"INSERT INTO {many}.t0 SELECT generate_series(1, 100)")
    module = dj.virtual_schema(many, connection=bench.database)
    root, leaf = module.schema["t0"] & {"k": 7}, module.schema[f"t{MANY - 1}"] & {"k": 7}
    policy = PartIntegrity.ENFORCE
    whole, few = race(lambda: preview(root, policy), lambda: preview(leaf, policy))
    yield limit("preview of a delete that reaches 1,000 tables", whole, MOST_PREVIEW)
    yield limit("preview of a delete beside 1,000 tables", few, MOST_PREVIEW)
    bench.run(f"DROP SCHEMA {many} CASCADE")


def refill(bench: Bench, subjects: int) -> None:
    """Rows for so many subjects, and nothing else."""
    names = ", ".join(f'{SCHEMA}."{name}"' for name in rig.FILL)
    bench.run(f"TRUNCATE {names}")
    for name, rows in rig.FILL.items():
        bench.run(f'INSERT INTO {SCHEMA}."{name}" {rows.format(schema=SCHEMA, subjects=subjects)}')
    bench.run(f"ANALYZE {names}")
    bench.run("CHECKPOINT")
