"""Keys made by threads, processes and a cluster are those that this thread would make, each once."""

import os
import time
from typing import Any

import pytest

import djflow as dj
from djflow.errors import InvalidArgumentError, WorkerDiedError
from djflow.tables.schema import Schema

KEYS = 40
NOTHING = {"success": 0, "error": 0, "skip": 0, "errors": []}


@pytest.fixture(autouse=True)
def environment(server_url: str, server_home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers find the tests' server where the schema's settings say."""
    assert server_url
    monkeypatch.setenv("DJFLOW_HOME", str(server_home))


@pytest.fixture
def result(schema: Schema) -> Any:
    """Numbers, each with a deed that happens to whoever makes it."""

    @schema
    class Number(dj.Manual):
        definition = """
        number : int32
        ---
        deed = "" : varchar(16)
        """

    @schema
    class Result(dj.Computed):
        definition = """
        -> Number
        ---
        value : int32
        worker : int64
        """

        class Digit(dj.Part):
            definition = """
            -> master
            place : int8
            """

        def make(self, key: dict[str, Any], factor: int = 2) -> None:
            deed = (Number() & key).fetch1("deed")
            self.insert1({**key, "value": factor * key["number"], "worker": os.getpid()})
            self.Digit().insert({**key, "place": place} for place in range(len(str(key["number"]))))
            if deed == "error":
                raise ValueError(f"number {key['number']}")
            if deed == "exit":
                raise SystemExit(2)
            if deed == "die":
                os._exit(9)
            if deed == "sleep":
                time.sleep(0.2)

    Number().insert([(n, "sleep" if n < 2 else "") for n in range(KEYS)])
    Result.source = Number  # type: ignore[attr-defined]
    return Result


@pytest.fixture(params=["threads", "processes"])
def executor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("reserve_jobs", [False, True])
def test_every_key_is_made_once(result: Any, executor: str, *, reserve_jobs: bool) -> None:
    told = result().populate(executor=executor, workers=2, reserve_jobs=reserve_jobs)
    assert told == NOTHING | {"success": KEYS}
    assert result().to_arrays("value").tolist() == [2 * n for n in range(KEYS)]
    assert len(result.Digit()) == 10 + 2 * (KEYS - 10)
    assert result().jobs.progress()["total"] == 0
    workers = set(result().to_arrays("worker").tolist())
    assert (workers == {os.getpid()}) is (executor == "threads")


def test_a_cluster_of_dask_makes_them_too(result: Any) -> None:
    told = result().populate(executor="dask", workers=2, reserve_jobs=True)
    assert told == NOTHING | {"success": KEYS}
    assert result().to_arrays("value").tolist() == [2 * n for n in range(KEYS)]
    assert os.getpid() not in result().to_arrays("worker").tolist()


def test_processes_are_asked_for_by_their_number(result: Any) -> None:
    assert result().populate(processes=2, max_calls=12, make_kwargs={"factor": 3})["success"] == 12
    assert result().to_arrays("value").tolist() == [3 * n for n in range(12)]
    assert os.getpid() not in result().to_arrays("worker").tolist()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("reserve_jobs", [False, True])
def test_errors_end_no_other_key(result: Any, executor: str, *, reserve_jobs: bool) -> None:
    for number, deed in ((5, "error"), (25, "exit")):
        result.source().update1({"number": number, "deed": deed})
    told = result().populate(executor=executor, workers=2, suppress_errors=True, reserve_jobs=reserve_jobs)
    assert (told["success"], told["error"]) == (KEYS - 2, 2)
    assert sorted(told["errors"], key=lambda pair: pair[0]["number"]) == [
        ({"number": 5}, "ValueError: number 5"),
        ({"number": 25}, "SystemExit: 2"),
    ]
    if reserve_jobs:
        assert result().jobs.progress()["error"] == 2


@pytest.mark.sampled(3)
@pytest.mark.parametrize("reserve_jobs", [False, True])
def test_the_first_error_is_raised_where_it_is_not_suppressed(
    result: Any, executor: str, *, reserve_jobs: bool
) -> None:
    result.source().update1({"number": 5, "deed": "error"})
    with pytest.raises(ValueError, match="number 5") as caught:
        result().populate(executor=executor, workers=2, reserve_jobs=reserve_jobs)
    assert "While making the key {'number': 5}." in caught.value.__notes__
    assert result().jobs.progress()["reserved"] == 0
    result.source().update1({"number": 5, "deed": ""})
    result().jobs.errors.delete()
    result().populate(reserve_jobs=reserve_jobs)
    assert len(result()) == KEYS


def test_a_process_that_dies_costs_its_own_key(result: Any) -> None:
    result.source().update1({"number": 30, "deed": "die"})
    told = result().populate(processes=2, suppress_errors=True, return_exception_objects=True)
    assert (told["success"], told["error"]) == (KEYS - 1, 1)
    [(key, error)] = told["errors"]
    assert key == {"number": 30}
    assert isinstance(error, WorkerDiedError)
    assert len(result()) == KEYS - 1


def test_a_key_that_ends_its_workers_again_and_again_becomes_an_error_of_the_queue(result: Any) -> None:
    result.source().update1({"number": 30, "deed": "die"})
    told = result().populate(processes=2, suppress_errors=True, reserve_jobs=True)
    assert told["success"] == KEYS - 1
    progress = result().jobs.progress()
    assert (progress["error"], progress["total"]) == (1, 1)
    assert result().jobs.errors.to_arrays("number").tolist() == [30]


@pytest.mark.parametrize("bad", [{"processes": 0}, {"executor": "threads", "workers": 0}])
def test_nobody_cannot_compute(result: Any, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        result().populate(**bad)
