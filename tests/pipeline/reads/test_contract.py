"""What a `make` may read, whatever way it reads."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

import djflow as dj
from djflow.errors import ReadsError
from djflow.pipeline.make.hand import End
from djflow.pipeline.reads.history import reads_of

World = Any
Reading = Callable[[World, Any, dict[str, Any]], object]

ALLOWED: dict[str, Reading] = {
    "the row of a parent": lambda w, _, key: (w.Session() & key).fetch1(),
    "a parent by text": lambda w, _, key: (
        w.Session()
        & f"subject = '{key['subject']}' and session_date = '{key['session_date']}' and dose = {key['dose']}"
    ).fetch1(),
    "a parent by a list of keys": lambda w, _, key: (w.Session() & [key]).to_dicts(),
    "a parent by a frame": lambda w, _, key: (w.Session() & pl.DataFrame([key])).to_polars(),
    "a grandparent": lambda w, _, key: (w.Subject() & key).fetch1(),
    "parts of a parent": lambda w, _, key: (w.Session.Trial() & key & "rt > 0").to_dicts(),
    "parts by their restricted master": lambda w, _, key: (
        w.Session.Trial() & (w.Session() & key)
    ).to_arrow(),
    "a parent by restricted parts": lambda w, _, key: (w.Session() & (w.Session.Trial() & key)).to_pandas(),
    "a join": lambda w, _, key: (w.Subject() * w.Session() * w.Session.Trial() & key).to_arrays("rt"),
    "a summary": lambda w, _, key: (w.Session().aggr(w.Session.Trial(), n="count(*)") & key).fetch1("n"),
    "a summary of restricted rows": lambda w, _, key: (
        (w.Session() & key).aggr(w.Session.Trial(), n=pl.col("rt").mean()).to_dicts()
    ),
    "regrouped rows": lambda w, _, key: dj.U("trial").aggr(w.Session.Trial() & key, n="count(*)").to_dicts(),
    "renamed attributes": lambda w, _, key: (
        w.Session().proj(day="session_date")
        & {"subject": key["subject"], "day": key["session_date"], "dose": key["dose"]}
    ).to_dicts(),
    "the first of the rows of the key": lambda w, _, key: (
        w.Session.Trial() & key & dj.Top(1, "rt DESC")
    ).to_dicts(),
    "a number of rows": lambda w, _, key: len(w.Session.Trial() & key),
    "whether there are rows": lambda w, _, key: bool(w.Session.Trial() & key),
    "a lazy frame": lambda w, _, key: (w.Session.Trial() & key).lazy().collect(),
    "batches": lambda w, _, key: (w.Session.Trial() & key).to_batches().read_all(),
    "one row after the other": lambda w, _, key: list(w.Session.Trial() & key),
    "partitions": lambda w, _, key: (w.Session.Trial() & key).partitions(2)[0].to_polars(),
    "what is upstream": lambda w, t, _: (t.upstream[w.Session].fetch1(), t.upstream[w.Subject].fetch1()),
    "what is upstream over secondary references": lambda w, t, _: (
        t.upstream[w.Rig].fetch1(),
        t.upstream[w.Probe].fetch1(),
    ),
    "what depends on what is upstream": lambda w, t, _: (
        w.Session.Trial() & t.upstream[w.Session]
    ).to_dicts(),
    "a table without attributes of the key": lambda w, _, __: w.Rig().to_dicts(),
    "rows to which those of the key refer": lambda w, _, key: (w.Probe() & (w.Session() & key)).to_dicts(),
    "one row by its key, which was read before": lambda w, _, key: (
        w.Probe() & {"probe": (w.Session() & key).fetch1("probe")}
    ).fetch1(),
    "what parts refer to": lambda w, _, __: w.Label().to_dicts(),
    "its own row": lambda _, t, key: len(t & key),
    "its own parts": lambda _, t, key: len(t.Item() & key),
    "nothing that matters": lambda w, _, __: (w.Session() & "1 = 1").make_sql(),
}

REFUSED: dict[str, tuple[str, Reading]] = {
    "a table that is not upstream": ("weather", lambda w, _, __: w.Weather().to_dicts()),
    "... in a condition": ("weather", lambda w, _, key: (w.Session() & key & w.Weather().proj()).to_dicts()),
    "... excluded": ("weather", lambda w, _, key: (w.Session() & key) - w.Weather() and None),
    "all rows of a parent": ("session", lambda w, _, __: w.Session().to_dicts()),
    "rows of the same subject": (
        "session",
        lambda w, _, key: (w.Session() & {"subject": key["subject"]}).to_dicts(),
    ),
    "other rows": ("session", lambda w, _, key: (w.Session() - key).to_dicts()),
    "its own table": ("__score", lambda _, t, __: len(t)),
    "a summary of all": ("session", lambda w, _, __: dj.U().aggr(w.Session(), n="count(*)").fetch1("n")),
    "the first of all rows": ("session", lambda w, _, key: (w.Session() & dj.Top(1) & key).to_dicts()),
    "a number of rows": ("session", lambda w, _, __: len(w.Session())),
    "a lazy frame": ("session", lambda w, _, __: w.Session().lazy()),
    "batches": ("session", lambda w, _, __: w.Session().to_batches()),
    "partitions": ("session", lambda w, _, __: w.Session().partitions(2)),
    "a preview": ("session", lambda w, _, __: w.Session().preview()),
    "parts of others": ("session__trial", lambda w, _, __: (w.Session.Trial() & "trial = 1").keys()),
    "probes of any subject": ("probe", lambda w, _, __: w.Probe().to_dicts()),
    "a copy in the server": (
        "session",
        lambda w, _, __: w.Weather().insert(w.Session().proj(day="session_date"), ignore_extra_fields=True),
    ),
    "an analysed explanation": ("session", lambda w, _, __: w.Session().explain(analyze=True)),
    "its queue": ("~~score", lambda _, t, __: len(t.jobs)),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_rows_of_the_key_may_be_read(world: World, name: str) -> None:
    ended = world.make(lambda table, key: ALLOWED[name](world, table, key))
    assert [(each.end, each.error) for each in ended] == [(End.MADE, None)] * 4
    assert len(world.Score()) == 4
    assert not any(reads_of(world.Score(), [])["outside"].list.len())


@pytest.mark.parametrize("name", REFUSED)
def test_other_rows_are_refused_where_reads_are_strict(world: World, name: str) -> None:
    world.Score().jobs.refresh()
    read, reading = REFUSED[name]
    errors = world.errors(lambda table, key: reading(world, table, key))
    assert len(errors) == 4
    assert {error.read.partition(".")[2] for error in errors if isinstance(error, ReadsError)} == {read}
    assert not world.Score()


def test_rows_of_every_key_of_a_batch_may_be_read(world: World) -> None:
    def reading(_: Any, keys: pl.DataFrame) -> None:
        assert len((world.Session() & keys).to_polars()) == 4
        assert len((world.Session.Trial() * world.Session() & keys).to_polars()) == 8
        assert len(world.Session() & keys.row(0, named=True)) == 1

    assert [each.end for each in world.make(reading, table="Batched")] == [End.MADE] * 4


def test_a_batch_may_not_read_what_belongs_to_none_of_its_keys(world: World) -> None:
    def reading(_: Any, keys: pl.DataFrame) -> None:
        (world.Session() & keys.select("subject")).to_polars()

    errors = world.errors(reading, table="Batched")
    assert [type(error) for error in errors] == [ReadsError] * 4


def test_what_several_references_lead_to_may_be_read_by_each(world: World) -> None:
    def reading(_: Any, key: dict[str, Any]) -> None:
        (world.Session() & key).fetch1()
        other = {"session_date": key["other_date"], "dose": key["other_dose"]}
        (world.Session() & {"subject": key["subject"], **other}).fetch1()

    assert {each.end for each in world.make(reading, table="Pair")} == {End.MADE}


def test_what_make_insert_reads_is_seen(world: World) -> None:
    errors = world.errors(lambda *_: world.Weather().to_dicts(), table="Split")
    assert [type(error) for error in errors] == [ReadsError] * 4
    assert not world.Split()
    ended = world.make(lambda _, key: (world.Subject() & key).fetch1(), table="Split")
    assert {each.end for each in ended} == {End.MADE}
    assert {tuple(tables) for tables in reads_of(world.Split(), [])["reads"]} == {
        (f"{world.schema}.session", f"{world.schema}.subject")
    }


def test_a_statement_of_ones_own_cannot_be_judged(world: World) -> None:
    def reading(table: Any, _: Any) -> None:
        table.connection.query("SELECT 1")

    first, *_ = world.errors(reading)
    assert str(first).endswith("read SQL: nobody can tell what SQL of your own reads.")


def test_an_error_that_make_catches_fails_the_key_all_the_same(world: World) -> None:
    def reading(_: Any, __: Any) -> None:
        with pytest.raises(ReadsError):
            world.Weather().to_dicts()

    assert [type(error) for error in world.errors(reading)] == [ReadsError] * 4
    assert not world.Score()


def test_the_error_has_facts_and_advice(world: World) -> None:
    first, *_ = world.errors(lambda *_: world.Session().to_dicts(), most=1)
    assert isinstance(first, ReadsError)
    assert (first.table, first.read) == ("Score", f"{world.schema}.session")
    assert first.key == world.Session().keys(limit=1)[0]
    assert first.why == ("rows of other keys, for nothing restricts subject, session_date, dose to the key's")
    assert first.__notes__ == ["Write `self.upstream[Session]`, or `Session & key`."]
    second, *_ = world.errors(lambda *_: world.Weather().to_dicts(), most=1)
    assert isinstance(second, ReadsError)
    assert second.why == "it is not upstream"
    assert second.__notes__ == ["If Score depends on it, say so in its definition: `-> Weather`."]
