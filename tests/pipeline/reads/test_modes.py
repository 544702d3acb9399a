"""Nothing, a warning or an error; and the record of what was read."""

import pickle
import warnings
from typing import Any

import pytest

from djflow.errors import InvalidArgumentError, ReadsError, ReadsWarning
from djflow.pipeline.make.hand import End
from djflow.pipeline.reads import Reads
from djflow.pipeline.reads.history import reads_of

World = Any


def outside(world: World) -> None:
    world.Weather().to_dicts()
    world.Session().to_dicts()


def test_open_reads_are_neither_told_nor_recorded(world: World) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ended = world.make(lambda *_: outside(world), Reads.OPEN)
    assert [each.end for each in ended] == [End.MADE] * 4
    assert reads_of(world.Score(), []).is_empty()


def test_a_table_and_fault_are_warned_of_once_a_run(world: World) -> None:
    with pytest.warns(ReadsWarning) as told:
        ended = world.make(lambda *_: outside(world), Reads.WARN)
    assert [each.end for each in ended] == [End.MADE] * 4
    texts = [str(each.message) for each in told]
    assert [text.partition(" read ")[2].partition(":")[0].partition(".")[2] for text in texts] == [
        "weather",
        "session",
    ]
    assert {each.filename for each in told} == {__file__}


def test_what_was_read_is_recorded_with_the_result(world: World) -> None:
    def reading(_: Any, key: dict[str, Any]) -> None:
        outside(world)
        (world.Subject() & key).fetch1()

    with pytest.warns(ReadsWarning):
        world.make(reading, Reads.WARN)
    found = reads_of(world.Score(), [])
    schema = world.schema
    assert found.columns == ["subject", "session_date", "dose", "reads", "outside"]
    assert found.select(world.Score().primary_key).equals(world.Score().proj().to_polars())
    every = [f"{schema}.{name}" for name in ("session", "subject", "weather")]
    assert found["reads"].to_list() == [every] * 4
    assert found["outside"].to_list() == [[every[0], every[2]]] * 4


def test_records_can_be_restricted(world: World) -> None:
    world.make(lambda _, key: (world.Session() & key).fetch1())
    key = world.Score().keys()[2]
    assert len(reads_of(world.Score(), [key])) == 1
    assert len(reads_of(world.Score() & key, ["dose > 5"])) == 0
    assert len(reads_of(world.Score(), [{"subject": key["subject"]}, "session_date > '2024-01-01'"])) == 1


def test_a_key_that_is_made_again_has_its_last_record(world: World) -> None:
    schema = world.schema
    world.make(lambda _, key: (world.Session() & key).fetch1())
    (world.Score() & "session_date = '2024-01-01'").delete(prompt=False)
    assert len(reads_of(world.Score(), [])) == 2
    world.make(lambda _, key: (world.Subject() & key).fetch1())
    assert sorted(tables[0] for tables in reads_of(world.Score(), [])["reads"]) == [
        *[f"{schema}.session"] * 2,
        *[f"{schema}.subject"] * 2,
    ]


def test_a_record_says_nothing_of_a_row_that_was_made_anew_without_one(world: World) -> None:
    world.make(lambda _, key: (world.Session() & key).fetch1())
    world.Score().delete(prompt=False)
    world.make(lambda *_: None, Reads.OPEN)
    assert len(world.Score()) == 4
    assert reads_of(world.Score(), []).is_empty()


def test_a_key_that_fails_leaves_no_record(world: World) -> None:
    def reading(_: Any, key: dict[str, Any]) -> None:
        (world.Session() & key).fetch1()
        if key["session_date"].day == 1:
            world.Weather().to_dicts()

    assert len(world.errors(reading)) == 2
    assert len(reads_of(world.Score(), [])) == 2


def test_a_make_with_a_transaction_of_its_own_is_recorded_too(world: World) -> None:
    def reading(table: Any, key: dict[str, Any]) -> None:
        table.insert1({**key, "score": 2.0})
        assert (table & key).fetch1("score") == 2.0
        (table & key).delete_quick()

    assert {each.end for each in world.make(reading)} == {End.MADE}
    assert {tuple(each) for each in reads_of(world.Score(), [])["reads"]} == {(f"{world.schema}.__score",)}


def test_reads_inside_a_transaction_are_recorded_and_undone_with_it(world: World) -> None:
    connection = world.Score().connection
    connection.start_transaction()
    world.make(lambda _, key: (world.Session() & key).fetch1())
    assert len(reads_of(world.Score(), [])) == 4
    connection.cancel_transaction()
    assert reads_of(world.Score(), []).is_empty()


def test_the_record_is_no_table_of_the_schema(world: World) -> None:
    world.make(lambda *_: None)
    assert not any("reads" in str(name) for name in world.Score().connection.whole_catalog().tables)


@pytest.mark.parametrize("given", ["strickt", "", "WARN"])
def test_another_word_is_refused(given: str) -> None:
    with pytest.raises(InvalidArgumentError, match="'open', 'warn', 'strict'"):
        Reads.of(given)


def test_a_close_word_is_suggested() -> None:
    with pytest.raises(InvalidArgumentError, match="Did you mean 'strict'"):
        Reads.of("strickt")


def test_errors_survive_pickling() -> None:
    given = ReadsError("Score", {"n": 1}, "lab.session", "it is not upstream")
    error = pickle.loads(pickle.dumps(given))  # noqa: S301 - our own
    assert (error.table, error.key, error.read, error.why) == (
        "Score",
        {"n": 1},
        "lab.session",
        "it is not upstream",
    )
