"""Keys that Python can only have as dicts or lists are refused before anything is queued or made."""

import pickle
from typing import Any

import pytest

import djflow as dj
from djflow.errors import UnusableKeyError
from djflow.tables.schema import Schema


@pytest.fixture
def by_document(schema: Schema) -> Any:
    @schema
    class Protocol(dj.Manual):
        definition = "document : json\n---\nx : int32"

    @schema
    class Digest(dj.Computed):
        definition = "-> Protocol\n---\ny : int32"

        def make(self, key: dict[str, Any]) -> None:
            self.insert1({**key, "y": 1})

    Protocol().insert([({"a": 1}, 1), ({"b": [2]}, 2)])
    return Digest()


@pytest.mark.parametrize("reserve_jobs", [False, True])
def test_keys_that_are_documents_are_refused_with_what_to_do(by_document: Any, *, reserve_jobs: bool) -> None:
    with pytest.raises(UnusableKeyError, match="'document' of type json") as caught:
        by_document.populate(reserve_jobs=reserve_jobs)
    assert (caught.value.attribute, caught.value.type) == ("document", "json")
    assert "plain key" in caught.value.__notes__[0]
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert again.table == str(by_document.table_model.name)
    assert by_document.jobs.progress()["total"] == 0


def test_such_jobs_are_not_queued(by_document: Any) -> None:
    with pytest.raises(UnusableKeyError):
        by_document.jobs.refresh()
    assert len(by_document.jobs) == 0


def test_rows_with_such_keys_can_be_inserted_by_hand(by_document: Any) -> None:
    by_document.insert([{"document": {"a": 1}, "y": 3}], allow_direct_insert=True)
    assert by_document.to_dicts() == [{"document": {"a": 1}, "y": 3}]


@pytest.mark.filterwarnings("ignore::djflow.errors.NativeTypeWarning")
def test_keys_that_are_lists_are_refused(schema: Schema) -> None:
    @schema
    class Path(dj.Manual):
        definition = "steps : int4[]"

    @schema
    class Length(dj.Computed):
        definition = "-> Path\n---\nlength : int32"

        def make(self, key: dict[str, Any]) -> None:
            raise NotImplementedError

    with pytest.raises(UnusableKeyError, match="'steps'"):
        Length().populate()
