"""Values are free: hostile ones come back as they went in, and match themselves alone."""

from typing import Any

import polars as pl
import pytest
from tests.hostile.corpus import NAMES, VALUES

import djflow as dj

Pair = tuple[Any, Any]


@pytest.fixture
def filled(online: Pair) -> Any:
    specimen = online[0]
    specimen().insert({"n": n, "t": text, "j": {"k": text}} for n, text in enumerate(VALUES))
    return specimen


def numbers(relation: Any) -> list[int]:
    found: list[int] = relation.to_arrays("n").tolist()
    return found


def test_hostile_values_come_back_and_match_themselves_alone(filled: Any) -> None:
    assert filled.to_arrays("t").tolist() == list(VALUES)
    for n, text in enumerate(VALUES):
        quoted = text.replace("'", "''")
        doubled = text.replace('"', '""')
        pattern = quoted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        for condition in (
            {"t": text},
            {"t": [text]},
            [{"t": text}],
            [{"t": text}, {"t": text}],
            dj.AndList([{"t": text}]),
            f"t = '{quoted}'",
            f"'{quoted}' = t",
            f"t IN ('{quoted}')",
            f"concat(t, '') = '{quoted}'",
            f"t LIKE '{pattern}'",
            pl.DataFrame({"t": [text]}),
            {"j": {"k": text}},
            {"j.k": text},
            f"j->>'k' = '{quoted}'",
        ):
            assert numbers(filled & condition) == [n], (condition, text)
        if text not in filled.heading.names:
            assert numbers(filled & f't = "{doubled}"') == [n], text
    assert numbers(filled & {"t": list(VALUES)}) == list(range(len(VALUES)))
    assert numbers(filled - {"t": list(VALUES)}) == []


def test_hostile_keys_of_json_paths_are_keys(online: Pair) -> None:
    specimen = online[0]
    keys = [text for text in VALUES if text and "." not in text and not text.isdigit()]
    specimen().insert({"n": n, "j": {key: "found"}} for n, key in enumerate(keys))
    for n, key in enumerate(keys):
        assert numbers(specimen & {f"j.{key}": "found"}) == [n], key
        quoted = key.replace("'", "''")
        assert numbers(specimen & f"j->>'{quoted}' = 'found'") == [n], key


def test_names_that_no_attribute_has_do_not_restrict(filled: Any) -> None:
    for name in NAMES:
        assert len(filled & {name: "1"}) == len(VALUES), name


def test_new_names_are_names_or_are_refused(filled: Any) -> None:
    one, refused = filled & "n = 1", []
    for name in NAMES:
        try:
            found = one.proj(**{name: "t"}).to_arrow()
        except dj.errors.QueryError as error:
            refused.append((name, error))
        else:
            assert found.column_names == ["n", name]
    assert [name for name, error in refused if error.sqlstate] == []
    assert len(filled) == len(VALUES)
