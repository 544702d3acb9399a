"""`verify` finds each object that is not what it was, and nothing else."""

import numpy as np
import polars as pl
from tests.tables.objects.lab import Lab

from djflow.tables.tiers import Manual


def _damage(lab: Lab, prefix: str, data: bytes) -> str:
    """Write something else into the one file below a path."""
    (path,) = (file.path for file in lab.store.list(prefix))
    lab.store.put(path, data)
    return path


def _folder(lab: Lab, number: int) -> str:
    return f"_schema/{lab.schema.database}/recording/recording={number}"


def test_nothing_is_wrong_with_what_was_just_written(lab: Lab) -> None:
    lab.insert(1, 2)

    problems = lab.recording().verify()

    assert problems.is_empty()
    assert problems.columns == ["recording", "attribute", "store", "path", "problem", "detail"]


def test_what_is_missing_cut_off_or_altered_is_told_with_the_key(lab: Lab) -> None:
    lab.insert(1, 2, 3, 4)
    (whole,) = (lab.store.get(file.path) for file in lab.store.list(_folder(lab, 3)))
    lab.store.remove(_folder(lab, 1))
    _damage(lab, _folder(lab, 2), b"short")
    _damage(lab, _folder(lab, 3), bytes([*whole[:-1], whole[-1] ^ 1]))

    problems = lab.recording().verify().sort("recording")

    told = problems.select("recording", "attribute", "store", "problem").rows()
    assert told == [
        (1, "trace", "local", "missing"),
        (2, "trace", "local", "corrupt"),
        (3, "trace", "local", "corrupt"),
    ]
    assert "bytes" in problems["detail"][1]
    assert "checksum" in problems["detail"][2]


def test_a_damaged_content_is_told_for_every_row_that_shares_it(lab: Lab) -> None:
    lab.insert(1, 2)
    lab.insert(3, note="other")
    shared = f"_hash/{lab.schema.database}"
    contents = {file.path: lab.store.get(file.path) for file in lab.store.list(shared)}
    for path, data in contents.items():
        if b"calm" in data:
            lab.store.put(path, data.replace(b"calm", b"clam"))

    problems = lab.recording().verify().sort("recording")

    told = problems.select("recording", "attribute", "problem").rows()
    assert told == [(1, "note", "corrupt"), (2, "note", "corrupt")]


def test_only_the_rows_of_a_restriction_are_looked_at(lab: Lab) -> None:
    lab.insert(1, 2)
    lab.store.remove(_folder(lab, 1))

    assert (lab.recording() & "recording = 2").verify().is_empty()
    assert len((lab.recording() & "recording = 1").verify()) == 1


def test_a_store_that_is_not_configured_is_a_problem_of_the_row(lab: Lab) -> None:
    lab.insert(1)
    lab.database.query(
        f'UPDATE "{lab.schema.database}".recording '
        'SET trace = (trace::jsonb || \'{"store": "gone"}\')::json'
    )

    problems = lab.recording().verify()

    assert problems.select("store", "problem").rows() == [("gone", "unreadable")]


def test_each_chunk_of_an_array_counts(lab: Lab) -> None:
    @lab.schema
    class Movie(Manual):
        definition = """
        movie : int32
        ---
        frames : <zarr@>
        """

    Movie().insert([(1, np.random.default_rng(0).random((8, 8)))])
    assert Movie().verify().is_empty()
    chunks = [file.path for file in lab.store.list("_schema") if "/c/" in file.path]
    lab.store.put(chunks[0], b"x" * lab.store.size(chunks[0]))

    assert Movie().verify()["problem"].to_list() == ["corrupt"]


def test_a_table_without_objects_has_nothing_to_verify(lab: Lab) -> None:
    @lab.schema
    class Plain(Manual):
        definition = """
        plain : int32
        """

    Plain().insert([(1,)])

    assert Plain().verify().schema == {
        "plain": pl.Int32,
        **dict.fromkeys(("attribute", "store", "path", "problem", "detail"), pl.String),
    }
