"""`populate` calls `make` for what is missing; a result is there whole, or not at all."""

from pathlib import Path
from typing import Any

import pytest

import djflow as dj
from djflow.configuration import changed
from djflow.errors import DjflowError, DuplicateError
from djflow.relation.database import Database
from djflow.tables.schema import Schema


def numbers(relation: Any) -> list[int]:
    found: list[int] = relation.to_arrays("number").tolist()
    return found


def files(tmp_path: Path) -> int:
    return sum(path.is_file() for path in (tmp_path / "store").rglob("*"))


NOTHING = {"success": 0, "error": 0, "skip": 0, "errors": []}


# what is computed


def test_every_key_is_made_once(pipeline: Any) -> None:
    square = pipeline.Square()
    assert square.populate() == NOTHING | {"success": 6}
    assert square.to_arrays("square").tolist() == [0, 1, 4, 9, 16, 25]
    assert (square & {"number": 5}).fetch1("trace").load().tolist() == [0, 1, 2, 3, 4]
    assert [row["digit"] for row in square.Digit() & {"number": 5}] == [2, 5]
    assert pipeline.calls == [{"number": n} for n in range(6)]
    assert square.populate() == NOTHING
    assert len(pipeline.calls) == 6


def test_the_class_populates_like_its_instance(pipeline: Any) -> None:
    assert pipeline.Square.populate(max_calls=2)["success"] == 2
    assert pipeline.Square.progress() == (4, 6)
    assert len(pipeline.Square) == 2
    assert numbers(pipeline.Square.key_source) == list(range(6))


def test_restrictions_narrow_what_is_made(pipeline: Any) -> None:
    square = pipeline.Square()
    square.populate("number > 3")
    assert numbers(square) == [4, 5]
    square.populate(pipeline.Number() & {"parity": "even"}, "number < 2")
    assert numbers(square) == [0, 4, 5]
    square.populate([{"number": 1}, {"number": 2}])
    assert numbers(square) == [0, 1, 2, 4, 5]
    assert square.progress("number > 3") == (0, 2)
    assert square.progress() == (1, 6)


def test_max_calls_limits_the_calls(pipeline: Any) -> None:
    square = pipeline.Square()
    assert square.populate(max_calls=4)["success"] == 4
    assert numbers(square) == [0, 1, 2, 3]
    assert square.populate(max_calls=4)["success"] == 2
    assert square.populate(max_calls=0) == NOTHING


def test_progress_prints_when_asked(pipeline: Any, capsys: pytest.CaptureFixture[str]) -> None:
    square = pipeline.Square()
    square.populate(max_calls=3, display_progress=True)
    assert "Square" in capsys.readouterr().err
    assert square.progress(display=True) == (3, 6)
    assert capsys.readouterr().out == "Square: 3 of 6 (50.0 %)\n"


def test_make_gets_keyword_arguments(schema: Schema, pipeline: Any) -> None:
    Number = pipeline.Number  # noqa: N806 - a class
    given = []

    @schema
    class Result(dj.Computed):
        definition = "-> Number"

        def make(self, key: dict[str, Any], *, pace: int = 0) -> None:
            given.append(pace)
            self.insert1(key)

    assert Number().primary_key == ["number"]
    Result().populate(max_calls=1, make_kwargs={"pace": 3})
    Result().populate(max_calls=1)
    assert given == [3, 0]


# which keys


def test_keys_come_from_all_parents_in_the_key(schema: Schema, pipeline: Any, database: Database) -> None:
    Number = pipeline.Number  # noqa: N806 - a class
    later = Schema(f"{schema.database}_b", connection=database)

    @later
    class Method(dj.Lookup):
        definition = "method : varchar(10)"
        contents = (("sum",), ("product",))

    @later
    class Pair(dj.Computed):
        definition = """
        -> Number
        -> Number.proj(other='number')
        -> Method
        ---
        -> [nullable] Number.proj(chosen='number')
        result : int64
        """

        def make(self, key: dict[str, Any]) -> None:
            a, b = key["number"], key["other"]
            self.insert1({**key, "result": a + b if key["method"] == "sum" else a * b})

    try:
        pair = Pair()
        assert pair.primary_key == ["number", "other", "method"]
        assert pair.populate("number < 2", {"other": 3}) == NOTHING | {"success": 4}
        assert pair.to_arrays("result").tolist() == [0, 3, 3, 4]
        assert pair.progress() == (68, 72)
        assert set(pair.key_source.primary_key) == {"number", "other", "method"}
        assert Number().primary_key == ["number"]
        assert Method().primary_key == ["method"]
    finally:
        later.drop(prompt=False)


def test_a_key_source_may_be_overridden(schema: Schema, pipeline: Any) -> None:
    Number = pipeline.Number  # noqa: N806 - a class

    @schema
    class Odd(dj.Computed):
        definition = "-> Number"

        @property
        def key_source(self) -> Any:
            return Number() & {"parity": "odd"}

        def make(self, key: dict[str, Any]) -> None:
            self.insert1(key)

    assert Odd().progress() == (3, 3)
    Odd().populate()
    assert numbers(Odd()) == [1, 3, 5]
    assert Odd().progress() == (0, 3)


def test_tables_may_depend_on_computed_ones(schema: Schema, pipeline: Any) -> None:
    Square = pipeline.Square  # noqa: N806 - a class

    @schema
    class Root(dj.Computed):
        definition = """
        -> Square
        ---
        root : float64
        """

        def make(self, key: dict[str, Any]) -> None:
            self.insert1({**key, "root": (Square() & key).fetch1("square") ** 0.5})

    assert Root().populate() == NOTHING
    Square().populate(max_calls=3)
    assert Root().populate()["success"] == 3
    assert Root().to_arrays("root").tolist() == [0, 1, 2]


# whole or not at all


def test_a_make_that_fails_leaves_nothing(pipeline: Any, tmp_path: Path) -> None:
    pipeline.fail[2] = ValueError("boom")
    square = pipeline.Square()
    with pytest.raises(ValueError, match="boom") as caught:
        square.populate()
    assert any("{'number': 2}" in note for note in caught.value.__notes__)
    assert numbers(square) == numbers(pipeline.schema and square.Digit().proj()) == [0, 1]
    assert files(tmp_path) == 2
    pipeline.fail.clear()
    assert square.populate()["success"] == 4
    assert files(tmp_path) == 6


def test_errors_are_collected_when_suppressed(pipeline: Any, tmp_path: Path) -> None:
    pipeline.fail |= {2: ValueError("boom"), 4: ZeroDivisionError("bang")}
    square = pipeline.Square()
    summary = square.populate(suppress_errors=True)
    assert summary == NOTHING | {
        "success": 4,
        "error": 2,
        "errors": [({"number": 2}, "ValueError: boom"), ({"number": 4}, "ZeroDivisionError: bang")],
    }
    assert numbers(square) == [0, 1, 3, 5]
    assert files(tmp_path) == 4
    again = square.populate(suppress_errors=True, return_exception_objects=True)
    assert [(key["number"], type(error)) for key, error in again["errors"]] == [
        (2, ValueError),
        (4, ZeroDivisionError),
    ]


def test_an_interrupt_leaves_nothing_half_done_and_is_not_suppressed(pipeline: Any, tmp_path: Path) -> None:
    pipeline.fail[3] = KeyboardInterrupt()
    square = pipeline.Square()
    with pytest.raises(KeyboardInterrupt):
        square.populate(suppress_errors=True)
    assert numbers(square) == [0, 1, 2]
    assert sorted(set(numbers(square.Digit()))) == [0, 1, 2]
    assert files(tmp_path) == 3
    assert not square.connection.in_transaction


def test_make_sees_what_it_has_written(schema: Schema, pipeline: Any) -> None:
    Number = pipeline.Number  # noqa: N806 - a class
    seen = []

    @schema
    class Result(dj.Computed):
        definition = """
        -> Number
        ---
        x : int32
        """

        def make(self, key: dict[str, Any]) -> None:
            assert not self & key
            self.insert1({**key, "x": 7})
            seen.append(((self & key).fetch1("x"), (self & key).to_polars().height, len(Number() & self)))

    Result().populate(max_calls=2)
    assert seen == [(7, 1, 1), (7, 1, 2)]


def test_an_error_caught_inside_make_does_not_harm_it(schema: Schema, pipeline: Any) -> None:
    Number = pipeline.Number  # noqa: N806 - a class

    @schema
    class Label(dj.Manual):
        definition = "label : varchar(10)"

    @schema
    class Result(dj.Computed):
        definition = "-> Number"

        def make(self, key: dict[str, Any]) -> None:
            for label in ("a", "b"):
                try:
                    Label().insert1((label,))
                except DuplicateError:
                    assert len(Label()) >= 1
            self.insert1(key)

    assert Number().primary_key == ["number"]
    assert Result().populate()["success"] == 6
    assert len(Label()) == 2


def test_what_another_process_made_meanwhile_is_skipped(pipeline: Any, tmp_path: Path) -> None:
    square = pipeline.Square()
    settings = square.connection.settings
    rival = Database(lambda: settings)
    make = pipeline.Square.make

    def beaten(self: Any, key: dict[str, Any]) -> None:
        if key["number"] == 1:
            rival.query(
                f"INSERT INTO {self.full_table_name} (number, square, trace) VALUES (1, 1, '{{}}'::jsonb)"
            )
        make(self, key)

    pipeline.Square.make = beaten
    try:
        assert square.populate() == NOTHING | {"success": 5, "skip": 1}
    finally:
        rival.close()
    assert numbers(square) == list(range(6))
    assert files(tmp_path) == 5


def test_a_duplicate_that_is_a_mistake_of_make_is_an_error(schema: Schema, pipeline: Any) -> None:
    Number = pipeline.Number  # noqa: N806 - a class

    @schema
    class Result(dj.Computed):
        definition = "-> Number"

        def make(self, key: dict[str, Any]) -> None:
            self.insert([key, key])

    assert Number().primary_key == ["number"]
    with pytest.raises(DuplicateError):
        Result().populate()
    assert not Result()


def test_a_transaction_around_populate_decides_about_all_of_it(pipeline: Any, tmp_path: Path) -> None:
    square = pipeline.Square()
    pipeline.fail[2] = ValueError("boom")
    with pytest.raises(ZeroDivisionError), square.connection.transaction:  # noqa: PT012 - the transaction
        assert square.populate(suppress_errors=True)["success"] == 5
        assert numbers(square) == [0, 1, 3, 4, 5]
        _ = 1 / 0
    assert not square
    assert files(tmp_path) == 0


# mistakes


def test_rows_come_only_from_make(pipeline: Any) -> None:
    with pytest.raises(DjflowError, match=r"populate\(\)"):
        pipeline.Square().insert1({"number": 1, "square": 1, "trace": None})
    with pytest.raises(DjflowError, match=r"populate\(\)"):
        pipeline.Square.Digit().insert1({"number": 1, "place": 1, "digit": 1})
    pipeline.Square().populate()
    with pytest.raises(DjflowError, match=r"populate\(\)"):
        pipeline.Square.Digit().insert1({"number": 1, "place": 5, "digit": 1})


def test_make_inserts_into_its_own_table_only(schema: Schema, pipeline: Any) -> None:
    Number, Square = pipeline.Number, pipeline.Square  # noqa: N806 - classes

    @schema
    class Result(dj.Computed):
        definition = "-> Number"

        def make(self, key: dict[str, Any]) -> None:
            Square().insert1({**key, "square": 0, "trace": None})

    assert Number().primary_key == ["number"]
    with pytest.raises(DjflowError, match=r"__square is filled by make\(\)"):
        Result().populate()


def test_a_table_without_make_says_so(schema: Schema, pipeline: Any) -> None:
    Number = pipeline.Number  # noqa: N806 - a class

    @schema
    class Result(dj.Computed):
        definition = "-> Number"

    assert Number().primary_key == ["number"]
    with pytest.raises(NotImplementedError, match="Result needs a method make"):
        Result().populate()


def test_job_metadata_is_kept_where_configured(database: Database, schema_name: str) -> None:
    import datetime as dt

    settings = changed(database.settings, {"jobs": {"add_job_metadata": True}})
    keeping = Database(lambda: settings)
    schema = Schema(schema_name, connection=keeping)

    @schema
    class Number(dj.Lookup):
        definition = "number : int32"
        contents = ((1,), (2,))

    @schema
    class Result(dj.Computed):
        definition = """
        -> Number
        ---
        x : float64
        """

        def make(self, key: dict[str, Any]) -> None:
            self.insert1({**key, "x": 1.0})

    try:
        assert Number().primary_key == ["number"]
        before = dt.datetime.now(dt.UTC).replace(tzinfo=None) - dt.timedelta(seconds=1)
        Result().populate()
        assert Result().heading.names == ("number", "x")
        kept = keeping.query(
            f"SELECT _job_start_time, _job_duration, _job_version FROM {Result().full_table_name}"
        )
        assert len(kept) == 2
        for start, duration, version in kept:
            assert before <= start <= dt.datetime.now(dt.UTC).replace(tzinfo=None)
            assert 0 < duration < 60
            assert isinstance(version, str)
    finally:
        keeping.close()


# keys with attributes of their own


def test_a_key_of_the_parents_is_made_once_into_several_rows(schema: Schema) -> None:
    @schema
    class Scan(dj.Manual):
        definition = "scan : int32"

    @schema
    class Event(dj.Computed):
        definition = """
        -> Scan
        event : int32
        ---
        scans : int32
        """
        allow_new_key = True

        def make(self, key: dict[str, Any]) -> None:
            scans = len(self.upstream[Scan])
            self.insert({**key, "event": n, "scans": scans} for n in range(key["scan"]))

    Scan().insert([(1,), (2,)])
    assert Event().progress() == (2, 2)
    assert Event().populate() == NOTHING | {"success": 2}
    assert Event().keys() == [{"scan": 1, "event": 0}, {"scan": 2, "event": 0}, {"scan": 2, "event": 1}]
    assert Event().to_arrays("scans").tolist() == [1, 1, 1]
    assert Event().populate() == NOTHING
    assert Event().progress() == (0, 2)
