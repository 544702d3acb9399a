import datetime as dt
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from djflow.errors import StorageError
from djflow.model.names import TableName
from djflow.storage.paths import StoreLayout, check_path, content_hash, hash_path, new_token, schema_path

TABLE = TableName("lab", "__session__trial")
KEYS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_]{0,5}\Z"),
    st.one_of(st.integers(), st.text(), st.dates(), st.uuids()),
    max_size=3,
)


def path_of(key: dict[str, Any], layout: StoreLayout | None = None) -> str:
    return schema_path(layout or StoreLayout(), TABLE, key, "arr", token="t0k3n", extension=".npy")


def test_a_path_mirrors_the_database() -> None:
    at = dt.datetime(2024, 2, 29, 1, 2, tzinfo=dt.UTC).replace(tzinfo=None)
    key = {"subject_id": 7, "day": dt.date(2024, 2, 29), "at": at, "name": "a b/ü?"}
    assert path_of(key) == snapshot(
        "_schema/lab/__session__trial/subject_id=7/day=2024-02-29/at=2024-02-29%2001%3A02%3A00/name=a%20b%2F%C3%BC%3F/arr_t0k3n.npy"
    )


def test_a_partition_comes_before_the_schema() -> None:
    for pattern in ("subject/day", "{subject}/{day}", "/subject/day/"):
        layout = StoreLayout(schema_prefix="arrays", partition_pattern=pattern)
        assert path_of({"day": 1, "trial": 2, "subject": 3}, layout) == (
            "arrays/subject=3/day=1/lab/__session__trial/trial=2/arr_t0k3n.npy"
        )


def test_a_table_without_the_partition_s_attributes_is_not_partitioned() -> None:
    layout = StoreLayout(partition_pattern="subject/day")
    assert path_of({"day": 1}, layout) == path_of({"day": 1})


@given(KEYS)
def test_every_key_gives_a_safe_path(key: dict[str, Any]) -> None:
    path = check_path(path_of(key))
    assert all(len(part.encode()) <= 255 for part in PurePosixPath(path).parts)


@given(st.text(), st.text())
def test_different_keys_have_different_folders(left: str, right: str) -> None:
    assert (path_of({"k": left}) == path_of({"k": right})) == (left == right)


def test_long_values_stay_different() -> None:
    left, right = ("x" * 5000 + end for end in "ab")
    assert path_of({"k": left}) != path_of({"k": right})


def test_content_is_named_as_datajoint_names_it() -> None:
    assert hash_path(StoreLayout(), "lab", content_hash(b"")) == "_hash/lab/2qoyzwmpaczaj2mabgmoz6ccpy"
    assert hash_path(StoreLayout(subfolding=(2, 2)), "lab", "abcdef") == "_hash/lab/ab/cd/abcdef"


def test_tokens_are_long_and_different() -> None:
    tokens = {new_token(8) for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(len(token) == 8 and check_path(token) for token in tokens)


@pytest.mark.parametrize("path", ["", "/a", "a/", "..", "a/../b", "./a", "a//b", "a\\b", "a\0", "C:/a"])
def test_an_unsafe_path_is_refused_with_its_fault(path: str) -> None:
    with pytest.raises(StorageError, match="is no path in a store"):
        check_path(path)
