"""Tables filled together are filled as they would be one after the other."""

import logging
import subprocess
import sys
from contextlib import closing
from typing import Any

import polars as pl
import pytest

import djflow as dj
from djflow.errors import InvalidArgumentError, QueryError
from djflow.pipeline.events import Began, Ended, Queued
from djflow.tables.schema import Schema


def populate(*targets: Any, **options: Any) -> dict[str, int]:
    """The number of keys made, by table."""
    frame = dj.Flow(*targets).populate(display_progress=False, **options)
    return dict(frame.select("table", "made").iter_rows())


def order(calls: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return list(dict.fromkeys(name for name, _ in calls))


# order


def test_a_chain_and_a_diamond_are_filled_in_one_go(schema: Schema, computed: Any) -> None:
    computed("A", "-> Item")
    computed("B", "-> A")
    computed("C", "-> A")
    last = computed("D", "-> B", "-> C")
    assert populate(schema) == {"A": 5, "B": 5, "C": 5, "D": 5}
    assert len(last) == 5
    assert populate(schema) == {"A": 0, "B": 0, "C": 0, "D": 0}


def test_a_key_is_made_before_the_table_before_is_complete(
    schema: Schema, computed: Any, calls: list[Any]
) -> None:
    computed("A", "-> Item")
    computed("B", "-> A")
    populate(schema)
    names = [name for name, _ in calls]
    assert names.index("B") < len(names) - 1 - names[::-1].index("A")


def test_what_refers_outside_of_its_key_waits_for_all_of_the_other_table(
    schema: Schema, computed: Any, calls: list[Any]
) -> None:
    other = computed("Other", "-> Item")
    computed(
        "A",
        "-> Item",
        secondary="-> Other.proj(best='item')",
        then=lambda *_: {"best": max(other.to_arrays("item"))},
    )
    assert populate(schema) == {"Other": 5, "A": 5}
    assert [name for name, _ in calls] == ["Other"] * 5 + ["A"] * 5


def test_a_source_that_counts_rows_waits_for_all_of_them(
    schema: Schema, source: Any, computed: Any, calls: list[Any]
) -> None:
    def whole(_: Any) -> Any:
        return source.aggr(trial, n="count(*)") & "n >= 3"

    trial = computed("Trial", "-> Item")
    computed("Summary", "-> Item", key_source=property(lambda _: source & trial))
    computed("Later", "-> Item", key_source=property(whole))
    assert populate(schema) == {"Trial": 5, "Summary": 5, "Later": 0}
    assert [name for name, _ in calls[:5]] == ["Trial"] * 5


def test_a_source_that_only_narrows_its_parents_waits_for_nothing(
    schema: Schema, computed: Any, calls: list[Any]
) -> None:
    first = computed("A", "-> Item")
    computed("B", "-> A", key_source=property(lambda _: first & "item < 3"))
    assert populate(schema) == {"A": 5, "B": 3}
    assert [name for name, _ in calls].index("B") < 5


def test_keys_that_refer_twice_or_by_other_names_are_found(schema: Schema, computed: Any) -> None:
    computed("A", "-> Item")
    pairs = computed("Pair", "-> A.proj(first='item')", "-> A.proj(second='item')")
    assert populate(schema) == {"A": 5, "Pair": 25}
    assert len(pairs & "first < second") == 10


def test_keys_of_parts_are_found_when_the_master_is_made(schema: Schema, computed: Any) -> None:
    class Spike(dj.Part):
        definition = """
        -> master
        spike : int16
        """

    def spikes(self: Any, key: dict[str, Any]) -> None:
        self.Spike().insert({**key, "spike": n} for n in range(key["item"]))

    def make(self: Any, key: dict[str, Any]) -> None:
        self.insert1({**key, "value": 1})
        spikes(self, key)

    computed("A", "-> Item", make=make, Spike=Spike)
    computed("Shape", "-> A.Spike")
    assert populate(schema) == {"A": 5, "Shape": 10}


def test_tables_of_other_schemas_take_part(schema: Schema, computed: Any) -> None:
    A = type(computed("A", "-> Item"))  # noqa: N806 - a class
    other = Schema(f"{schema.database}_b", connection=schema.connection)
    try:

        @other
        class Far(dj.Computed):
            definition = """
            -> A
            ---
            value : int32
            """

            def make(self, key: dict[str, Any]) -> None:
                self.insert1({**key, "value": 2})

        assert populate(Far) == {"A": 5, "Far": 5}
        assert len(A()) == 5
    finally:
        other.drop(prompt=False)


# targets


def test_a_single_table_comes_with_what_it_needs(computed: Any) -> None:
    computed("A", "-> Item")
    middle = computed("B", "-> A")
    computed("C", "-> B")
    computed("Aside", "-> A")
    assert populate(middle) == {"A": 5, "B": 5}


def test_several_tables_come_with_what_lies_between(computed: Any) -> None:
    first, second = computed("A", "-> Item"), computed("B", "-> A")
    computed("C", "-> B")
    last = computed("D", "-> C")
    first.populate(max_calls=2)
    assert populate(second, last) == {"B": 2, "C": 2, "D": 2}


def test_a_diagram_means_its_tables(computed: Any) -> None:
    first, second = computed("A", "-> Item"), computed("B", "-> A")
    computed("C", "-> B")
    assert populate(dj.Diagram(first) + dj.Diagram(second)) == {"A": 5, "B": 5}


def test_what_cannot_be_populated_is_said(source: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="Nothing was named"):
        dj.Flow()
    with pytest.raises(InvalidArgumentError, match="not int"):
        dj.Flow(3)
    assert populate(source) == {}


def test_a_table_without_a_class_is_named(schema: Schema, computed: Any) -> None:
    computed("A", "-> Item")
    schema.create()
    other = Schema(schema.database, connection=type(schema.connection)(lambda: schema.connection.settings))
    with pytest.raises(QueryError, match=r"No class with a make\(\).*__a"):
        dj.Flow(dj.Diagram(other))
    assert dj.Flow(other).tables == ()


# options


def test_restrictions_and_limits_are_for_each_table(schema: Schema, computed: Any) -> None:
    computed("A", "-> Item")
    computed("B", "-> A")
    frame = dj.Flow(schema).populate({"item": [1, 2]}, display_progress=False)
    assert frame["made"].to_list() == [2, 2]
    assert populate(schema, max_calls=1) == {"A": 1, "B": 1}


def test_an_error_is_kept_and_the_rest_goes_on(schema: Schema, source: Any, computed: Any) -> None:
    def fail(_: Any, key: dict[str, Any]) -> None:
        if key["item"] == 3:
            raise ValueError("no signal")

    computed("A", "-> Item", then=fail)
    computed("B", "-> A")
    flow = dj.Flow(schema)
    assert flow.populate(display_progress=False)["failed"].to_list() == [1, 0]
    errors = flow.errors()
    assert errors["table"].to_list() == ["A"]
    assert errors["key"].to_list() == ['{"item":3}']
    assert errors["message"].to_list() == ["ValueError: no signal"]
    assert "in fail" in errors["traceback"][0]
    assert errors.schema == dj.Flow(source).errors().schema
    assert populate(schema) == {"A": 0, "B": 0}


def test_the_first_error_is_raised_where_errors_are_not_suppressed(schema: Schema, computed: Any) -> None:
    def fail(_: Any, key: dict[str, Any]) -> None:
        raise ValueError(f"item {key['item']}")

    first = computed("A", "-> Item", then=fail)
    with pytest.raises(ValueError, match="item"):
        populate(schema, suppress_errors=False)
    assert first.jobs.progress()["reserved"] == 0


def test_an_error_that_passes_is_tried_again_in_the_same_run(schema: Schema, computed: Any) -> None:
    failed: list[int] = []

    def fail_once(_: Any, key: dict[str, Any]) -> None:
        if key["item"] == 3 and not failed:
            failed.append(3)
            raise TimeoutError

    computed("A", "-> Item", then=fail_once)
    computed("B", "-> A")
    assert populate(schema) == {"A": 5, "B": 5}


def test_classes_say_which_resources_their_make_needs(schema: Schema, source: Any, computed: Any) -> None:
    computed("A", "-> Item", resources={"gpu": 1})
    computed("B", "-> A")
    assert populate(schema, executor="threads", workers=2, resources={"gpu": 1}) == {"A": 5, "B": 5}
    with pytest.raises(dj.errors.ExecutorError, match="gpu"):
        (source.insert1({"item": 9}), populate(schema, executor="threads", workers=2))
    assert populate(schema) == {"A": 1, "B": 1}


# others


def test_rows_that_others_insert_meanwhile_are_found(schema: Schema, source: Any, computed: Any) -> None:
    def more(_: Any, key: dict[str, Any]) -> None:
        if key["item"] == 4:
            schema.connection.query(f"INSERT INTO {source.full_table_name} VALUES (100)")

    computed("A", "-> Item", then=more)
    computed("B", "-> A")
    assert populate(schema) == {"A": 6, "B": 6}


# telling


def test_events_tell_what_happens(schema: Schema, computed: Any) -> None:
    first, second = computed("A", "-> Item"), computed("B", "-> A")
    flow = dj.Flow(schema)
    events = list(flow.events())
    assert [type(event) for event in events][:2] == [Queued, Began]
    ended = [event for event in events if isinstance(event, Ended)]
    assert {event.table for event in ended} == {type(first), type(second)} == set(flow.tables)
    assert sum(event.made for event in ended) == 10
    assert sum(event.rows for event in ended) == 10
    assert all(event.nbytes > 0 and event.seconds > 0 for event in ended)


def test_closing_the_events_gives_back_what_was_taken(schema: Schema, computed: Any) -> None:
    first = computed("A", "-> Item")
    with closing(dj.Flow(schema).events()) as events:
        next(event for event in events if isinstance(event, Ended))
    progress = first.jobs.progress()
    assert (progress["reserved"], progress["pending"] + len(first)) == (0, 5)


def test_records_of_the_log_are_for_programs_too(
    schema: Schema, computed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Any, key: dict[str, Any]) -> None:
        if key["item"] == 3:
            raise ValueError("no signal")

    computed("A", "-> Item", then=fail)
    with caplog.at_level(logging.INFO, "djflow.pipeline"):
        populate(schema)
    records: Any = [record for record in caplog.records if record.name == "djflow.pipeline"]
    assert sum(getattr(record, "made", 0) for record in records) == 4
    [failure] = [record for record in records if record.levelno == logging.WARNING]
    assert (failure.table, failure.key, failure.error) == ("A", {"item": 3}, "ValueError")


def test_a_bar_a_table_is_shown_where_asked(
    schema: Schema, computed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    computed("A", "-> Item")
    computed("B", "-> A")
    dj.Flow(schema).populate(display_progress=True)
    told = capsys.readouterr().err
    assert "A: 100%" in told
    assert "B: 100%" in told
    dj.Flow(schema).populate()
    assert capsys.readouterr().err == ""


def test_a_plan_tells_what_there_is_to_do(schema: Schema, source: Any, computed: Any) -> None:
    computed("A", "-> Item")
    computed("B", "-> A", key_source=property(lambda self: type(self).__bases__ and source & "item < 2"))
    computed("Pair", "-> A.proj(first='item')", "-> A.proj(second='item')")
    flow = dj.Flow(schema)
    plan = flow.plan()
    assert plan.select("table", "missing", "possible").rows() == [("A", 5, 0), ("B", 2, 0), ("Pair", 0, 25)]
    assert plan["seconds"].null_count() == 3
    flow.populate(display_progress=False)
    source.insert1({"item": 5})
    plan = flow.plan()
    assert plan.select("missing", "possible").rows() == [(1, 0), (0, 0), (0, 11)]
    assert plan["seconds"].null_count() == 0
    assert plan["bytes"].to_list()[0] > 0
    assert flow.plan({"item": 77}).select("missing").sum().item() == 0


def test_a_flow_says_which_tables_it_fills(schema: Schema, computed: Any) -> None:
    computed("A", "-> Item")
    computed("B", "-> A")
    assert repr(dj.Flow(schema)) == "Flow(A, B)"


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_workers_fill_what_this_thread_would(schema: Schema, computed: Any, executor: str) -> None:
    computed("A", "-> Item")
    computed("B", "-> A")
    computed("C", "-> B", "-> Item.proj(other='item')")
    if executor == "processes":
        pytest.importorskip("cloudpickle")
    assert populate(schema, executor=executor, workers=2) == {"A": 5, "B": 5, "C": 25}


def test_summary_is_a_frame_with_a_row_a_table(schema: Schema, computed: Any) -> None:
    computed("A", "-> Item")
    frame = dj.Flow(schema).populate(display_progress=False)
    assert frame.drop("seconds", "bytes").rows() == [("A", 5, 0, 0, 5)]
    assert frame.schema["seconds"] == pl.Float64


def test_schemas_and_diagrams_populate_themselves(schema: Schema, source: Any, computed: Any) -> None:
    first = computed("A", "-> Item")
    last = computed("B", "-> A")
    frame = dj.Diagram(first).populate({"item": 1}, display_progress=False)
    assert frame.select("table", "made").rows() == [("A", 1)]
    frame = schema.populate(display_progress=False)
    assert frame.select("table", "made").rows() == [("A", 4), ("B", 5)]
    assert len(last) == len(source)


def test_what_is_read_can_be_looked_at(schema: Schema, source: Any, computed: Any) -> None:
    first = computed("A", "-> Item", then=lambda *_: len(source) and None)
    frame = schema.populate(display_progress=False, reads="strict")
    assert frame["failed"].to_list() == [5]
    first.jobs.errors.delete()
    with pytest.warns(dj.errors.ReadsWarning, match="item"):
        schema.populate({"item": 0}, display_progress=False, reads="warn")
    assert first.reads()["outside"].to_list() == [[f"{schema.database}.item"]]
    with pytest.raises(InvalidArgumentError, match="strict"):
        schema.populate(reads="strickt")


def test_what_runs_did_is_kept_and_out_of_sight(schema: Schema, computed: Any) -> None:
    computed("A", "-> Item")
    before = schema.list_tables()
    schema.populate(display_progress=False)
    schema.populate(display_progress=False)
    runs = schema.connection.query(f'SELECT table_name, made, rows FROM "{schema.database}"."~runs"')
    assert runs == [("__a", 5, 5)]
    assert schema.list_tables() == before
    assert "runs" not in schema.save()


def test_only_the_latest_runs_are_kept(schema: Schema, source: Any, computed: Any) -> None:
    computed("A", "-> Item")
    schema.populate({"item": 0}, display_progress=False)
    runs = f'"{schema.database}"."~runs"'
    copies = (
        "SELECT table_name, ended - interval '1 day' * n, made, failed, skipped, seconds, rows, bytes, host"
    )
    schema.connection.query(f'INSERT INTO {runs} {copies}, "user" FROM {runs}, generate_series(1, 1500) AS n')
    schema.populate(display_progress=False)
    assert schema.connection.query(
        f"SELECT count(*), max(made), min(ended) > now() - interval '1000 days' FROM {runs}"
    ) == [(1000, len(source) - 1, True)]


def test_one_function_populates_what_it_is_given(schema: Schema, source: Any, computed: Any) -> None:
    first, last = computed("A", "-> Item"), computed("B", "-> A")
    told = dj.populate(first, last, where={"item": 1}, display_progress=False)
    assert told.select("table", "made").rows() == [("A", 1), ("B", 1)]
    assert dj.populate(schema, where={}, display_progress=False)["made"].to_list() == [len(source) - 1] * 2


def test_the_function_is_there_whatever_was_imported_before() -> None:
    code = "import djflow as dj; dj.Computed; dj.Flow; print(callable(dj.populate))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
