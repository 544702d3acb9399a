"""Results of many keys commit together, as if each did alone."""

from contextlib import suppress
from typing import Any

import pytest

import djflow as dj
from djflow.errors import DataTypeError, DuplicateError, IntegrityError
from djflow.tables.schema import Schema

KEYS = 100


@pytest.fixture
def lab(schema: Schema) -> Any:
    """A hundred numbers, and a table whose `make` does what `Result.how` says."""

    @schema
    class Number(dj.Lookup):
        definition = "number : int32"
        contents = ((n,) for n in range(KEYS))

    @schema
    class Note(dj.Manual):
        definition = """
        note : int32
        ---
        text = "" : varchar(8)
        """

    @schema
    class Result(dj.Computed):
        definition = """
        -> Number
        ---
        value : int16
        share = null : float64
        """

        class Item(dj.Part):
            definition = """
            -> master
            item : int8
            ---
            label = "x" : varchar(8)
            """

        how: Any = None

        def make(self, key: dict[str, Any]) -> None:
            type(self).how(self, key)

    class Lab:
        pass

    Lab.schema, Lab.Number, Lab.Note, Lab.Result = schema, Number, Note, Result  # type: ignore[attr-defined]
    return Lab


def whole(self: Any, key: dict[str, Any]) -> None:
    self.insert1({**key, "value": key["number"]})
    self.Item().insert([{**key, "item": n} for n in range(2)])


def test_results_commit_in_a_few_transactions(lab: Any) -> None:
    lab.Result.how = whole
    result = lab.Result()
    assert result.populate()["success"] == KEYS
    writers = f"SELECT count(DISTINCT xmin::text) FROM {result.full_table_name}"
    assert lab.schema.connection.query(writers)[0][0] < KEYS / 2
    assert len(lab.Result()) == KEYS
    assert len(lab.Result.Item()) == 2 * KEYS
    assert result.populate()["success"] == 0


@pytest.mark.parametrize("bad", [0, 41, KEYS - 1])
def test_who_the_server_refuses_holds_no_other_up(lab: Any, bad: int) -> None:
    def how(self: Any, key: dict[str, Any]) -> None:
        whole(self, key)
        if key["number"] == bad:
            self.Item().insert1({**key, "item": 0})

    lab.Result.how = how
    result = lab.Result().populate(suppress_errors=True, return_exception_objects=True)
    assert (result["success"], result["error"]) == (KEYS - 1, 1)
    [(key, error)] = result["errors"]
    assert key == {"number": bad}
    assert isinstance(error, DuplicateError)
    assert len(lab.Result() & key) == len(lab.Result.Item() & key) == 0
    assert len(lab.Result()) == KEYS - 1


def test_what_was_made_before_an_error_stays(lab: Any) -> None:
    def how(self: Any, key: dict[str, Any]) -> None:
        whole(self, key)
        if key["number"] == 7:
            raise ZeroDivisionError

    lab.Result.how = how
    with pytest.raises(ZeroDivisionError) as caught:
        lab.Result().populate()
    assert caught.value.__notes__ == ["While making the key {'number': 7}."]
    assert lab.Result().to_arrays("number").tolist() == list(range(7))


def test_sys_exit_is_an_error_of_its_key(lab: Any) -> None:
    def how(self: Any, key: dict[str, Any]) -> None:
        whole(self, key)
        if key["number"] == 7:
            raise SystemExit(3)

    lab.Result.how = how
    result = lab.Result().populate(suppress_errors=True)
    assert (result["success"], result["error"]) == (KEYS - 1, 1)
    assert result["errors"] == [({"number": 7}, "SystemExit: 3")]


@pytest.mark.parametrize(
    "row", [{"value": 70_000}, {"value": "a"}, {"value": None}, {"value": 1, "share": "much"}, {"valu": 1}]
)
def test_a_wrong_value_is_told_by_the_line_that_gave_it(lab: Any, row: dict[str, Any]) -> None:
    told = []

    def how(self: Any, key: dict[str, Any]) -> None:
        try:
            self.insert1({**key, **row})
        except Exception as error:
            told.append(type(error))
            raise

    lab.Result.how = how
    result = lab.Result().populate(max_calls=3, suppress_errors=True)
    assert (result["error"], len(told)) == (3, 3)
    assert len(lab.Result()) == 0


def test_rows_of_all_kinds_arrive_as_they_were_when_they_were_inserted(lab: Any) -> None:
    def how(self: Any, key: dict[str, Any]) -> None:
        number = key["number"]
        row = {**key, "value": number}
        if number % 3 == 1:
            row["share"] = 0.5
        if number % 3 == 2:
            row = {"share": None, "value": number, **key}
        self.insert1(row)
        row["value"] = -1
        item: dict[str, Any] = {**key}
        for each in range(3):
            item["item"] = each
            if each:
                item["label"] = "é" * each
            self.Item().insert1(item)

    lab.Result.how = how
    assert lab.Result().populate()["success"] == KEYS
    rows = lab.Result().to_dicts()
    assert [row["value"] for row in rows] == list(range(KEYS))
    assert [row["share"] for row in rows] == [0.5 if n % 3 == 1 else None for n in range(KEYS)]
    assert lab.Result.Item().to_polars()["label"].to_list() == ["x", "é", "éé"] * KEYS


def test_a_make_sees_what_other_keys_and_itself_have_inserted(lab: Any) -> None:
    def how(self: Any, key: dict[str, Any]) -> None:
        number = key["number"]
        if number % 10 == 5:
            assert len(lab.Result()) == number
        whole(self, key)
        if number % 10 == 3:
            assert len(self.Item() & key) == 2
            assert lab.schema.connection.in_transaction
            self.Item().insert1({**key, "item": 9})

    lab.Result.how = how
    assert lab.Result().populate()["success"] == KEYS
    assert len(lab.Result.Item() & "item = 9") == 10


def test_what_a_make_writes_elsewhere_commits_with_its_rows_or_not_at_all(lab: Any) -> None:
    def how(self: Any, key: dict[str, Any]) -> None:
        number = key["number"]
        whole(self, key)
        lab.Note().insert1({"note": number})
        if number % 2:
            lab.Note().update1({"note": number, "text": "odd"})
        if number % 10 == 7:
            raise ValueError(number)

    lab.Result.how = how
    result = lab.Result().populate(suppress_errors=True)
    assert (result["success"], result["error"]) == (90, 10)
    expected = [n for n in range(KEYS) if n % 10 != 7]
    assert lab.Note().to_arrays("note").tolist() == expected
    assert lab.Result().to_arrays("number").tolist() == expected
    assert len(lab.Note() & "text = 'odd'") == 40


def test_statements_of_ones_own_come_after_the_rows_before_them(lab: Any) -> None:
    def how(self: Any, key: dict[str, Any]) -> None:
        whole(self, key)
        count = f"SELECT count(*) FROM {self.full_table_name} WHERE number = $1"
        assert lab.schema.connection.query(count, [key["number"]]) == [(1,)]
        with lab.schema.connection.transaction:
            lab.Note().insert1({"note": key["number"]})

    lab.Result.how = how
    assert lab.Result().populate(max_calls=5)["success"] == 5
    assert len(lab.Note()) == 5


def test_an_error_of_held_rows_is_not_survived_by_catching_it(lab: Any) -> None:
    def how(self: Any, key: dict[str, Any]) -> None:
        whole(self, key)
        if key["number"] == 3:
            self.Item().insert1({**key, "item": 0})
        with suppress(DuplicateError):
            len(self.Item())

    lab.Result.how = how
    result = lab.Result().populate(max_calls=6, suppress_errors=True)
    assert (result["success"], result["error"]) == (5, 1)
    assert lab.Result().to_arrays("number").tolist() == [0, 1, 2, 4, 5]


def test_a_generator_that_reads_what_it_inserts_into(lab: Any) -> None:
    def how(self: Any, key: dict[str, Any]) -> None:
        self.insert1({**key, "value": 1})
        self.Item().insert1({**key, "item": 5})
        self.Item().insert({**key, "item": n + len(self.Item() & key)} for n in range(3))

    lab.Result.how = how
    assert lab.Result().populate(max_calls=2)["success"] == 2
    assert (lab.Result.Item() & "number = 1").to_arrays("item").tolist() == [1, 2, 3, 5]


def test_rows_of_another_key_are_refused_by_the_server_alone(lab: Any) -> None:
    def how(self: Any, key: dict[str, Any]) -> None:
        self.insert1({"number": key["number"] + 1000, "value": 1})

    lab.Result.how = how
    result = lab.Result().populate(max_calls=3, suppress_errors=True, return_exception_objects=True)
    assert [type(error) for _, error in result["errors"]] == [IntegrityError] * 3


def test_the_first_wrong_value_stops_populate(lab: Any) -> None:
    lab.Result.how = lambda self, key: self.insert1({**key, "value": "a"})
    with pytest.raises(DataTypeError) as caught:
        lab.Result().populate()
    assert (caught.value.column, caught.value.row) == ("value", 0)
