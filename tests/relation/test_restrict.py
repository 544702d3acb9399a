"""What a restriction keeps: every kind of condition, every awkward value."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import djflow as dj
from djflow.errors import DataTypeError, QueryError, SemanticMatchError


def subjects(relation: Any) -> list[int]:
    return [key["subject"] for key in relation.keys()]  # noqa: SIM118 - not a dict


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("subject > 1", [2, 3]),
        ({"subject": 2}, [2]),
        ({"subject": 2, "nosuch": 5}, [2]),
        ({"nosuch": 5}, [1, 2, 3]),
        ({}, [1, 2, 3]),
        ({"weight": None}, [2, 3]),
        ({"sex": "M"}, [1]),
        ({"sex": "nosuch"}, []),
        ({"name": 'it\'s \\ "odd" é'}, [3]),
        ({"weight": 1.5}, [1]),
        ({"weight": "1.500"}, [1]),
        ({"uid": "12345678-1234-5678-1234-567812345678"}, [1]),
        ({"born": "2024-02-29"}, [3]),
        ({"alive": 0}, [1]),
        ({"raw": b"\x00\xff"}, [1]),
        ({"meta.age": 8}, [2]),
        ({"meta.deep.x": "y"}, [1]),
        ({"subject": [1, 3]}, [1, 3]),
        ({"subject": np.int64(2)}, [2]),
        ([], []),
        ([{"subject": 1}, {"subject": 3}], [1, 3]),
        ([{"subject": 1}, "subject = 2"], [1, 2]),
        ([{"weight": None}, {"subject": 1}], [1, 2, 3]),
        (["subject = 1", ["subject = 2", {"subject": 3}]], [1, 2, 3]),
        (dj.AndList(["subject > 1", {"name": "ben"}]), [2]),
        (dj.Not("subject = 1"), [2, 3]),
        (dj.Not("weight > 1"), [2, 3]),
        ([dj.Not({"subject": 1})], [2, 3]),
        (True, [1, 2, 3]),
        (False, []),
        ("meta->>'age' = '7'", [1]),
        ("meta->>'age' > 7", [2]),
        ("meta->>'age' >= 7", [1, 2]),
        ({"meta.deep.x": 5}, []),
        ("name LIKE '%s%' AND name NOT LIKE '%\\%%'", [3]),
        ("YEAR(born) = 2024 AND MONTH(born) = 1", [1, 2]),
        ("name LIKE '%\\ %'", [3]),
        ("sex IN ('M', 'F')", [1, 3]),
        ("seen IS NULL", [2, 3]),
    ],
)
def test_conditions_keep_the_rows_that_they_describe(condition: Any, kept: list[int], lab: Any) -> None:
    assert subjects(lab.Subject & condition) == kept
    assert subjects(lab.Subject - condition) == [s for s in (1, 2, 3) if s not in kept]
    assert len(lab.Subject & condition) == len(kept)
    assert bool(lab.Subject & condition) == bool(kept)


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"subject": [1, 3, 99], "else": [0, 0, 0]}),
        pl.DataFrame({"subject": [1, 3]}, schema={"subject": pl.Int16}),
        pa.table({"subject": pa.array([3, 1], pa.int64())}),
        pd.DataFrame({"subject": [1, 3]}),
        pd.DataFrame({"x": [1, 2]}, index=pd.Index([1, 3], name="subject")),
        np.array([(1, 0.5), (3, 0.5)], dtype=[("subject", "i4"), ("x", "f8")]),
        [{"subject": 1}, {"subject": 3}],
    ],
    ids=["polars", "polars-int16", "arrow", "pandas", "pandas-index", "numpy", "dicts"],
)
def test_frames_of_keys_restrict(frame: Any, lab: Any) -> None:
    assert subjects(lab.Subject & frame) == [1, 3]
    assert subjects(lab.Subject - frame) == [2]


def test_keys_of_several_attributes_match_together(lab: Any) -> None:
    keys = pl.DataFrame({"subject": [1, 2], "session": [2, 0]})
    assert (lab.Session & keys).keys() == [{"subject": 1, "session": 2}, {"subject": 2, "session": 0}]
    assert len(lab.Session - keys) == 7


def test_a_frame_without_shared_attributes_asks_only_whether_it_has_rows(lab: Any) -> None:
    assert len(lab.Subject & pl.DataFrame({"x": [1]})) == 3
    assert len(lab.Subject & pl.DataFrame({"x": []}, schema={"x": pl.Int64})) == 0


def test_relations_restrict_by_their_lineage(lab: Any) -> None:
    assert subjects(lab.Subject & lab.Trial) == [1]
    assert subjects(lab.Subject - lab.Trial) == [2, 3]
    assert subjects(lab.Subject & [lab.Trial, {"subject": 3}]) == [1, 3]


def test_a_renamed_key_matches_under_its_new_name(lab: Any) -> None:
    mates = lab.Subject.proj(mate="subject") & "mate = 2"
    assert len(lab.Session & mates) == 3


def test_ten_thousand_keys_restrict_in_one_query(lab: Any) -> None:
    keys = [{"subject": i, "session": i % 3} for i in range(10_000)]
    assert len(lab.Session & keys) == 3
    assert len((lab.Session & keys).explain().compiled.statement.sql) < 600


def test_what_cannot_restrict_is_an_error(lab: Any) -> None:
    for wrong in (None, 5, 2.5, object()):
        with pytest.raises(QueryError, match="Cannot restrict by"):
            lab.Subject & wrong
    with pytest.raises(DataTypeError, match="'born'"):
        lab.Subject & {"born": "soon"}
    with pytest.raises(DataTypeError, match="'subject'"):
        lab.Subject & [{"subject": 1}, {"subject": "x"}]


def test_values_never_become_sql(lab: Any) -> None:
    hostile = "x'; DROP SCHEMA public; --"
    assert len(lab.Subject & {"name": hostile}) == 0
    assert len(lab.Subject & [{"name": hostile}, {"name": "ann"}]) == 1
    assert hostile not in (lab.Subject & {"name": hostile}).explain().compiled.statement.sql


def test_membership_asks_the_server(lab: Any) -> None:
    assert {"subject": 1} in lab.Subject
    assert {"subject": 9} not in lab.Subject


def test_semantic_mismatch_names_both_lineages(lab: Any) -> None:
    other = lab.Subject.proj(duration="subject")
    with pytest.raises(SemanticMatchError, match=r"duration.*lineages"):
        lab.Session & other
    assert len(lab.Session.restrict(other, semantic_check=False)) >= 0


def test_a_key_given_twice_keeps_its_row_once(lab: Any) -> None:
    twice = [{"subject": 1, "session": 2}] * 2
    assert len(lab.Session & twice) == 1
    names = [{"name": "ann", "sex": "M"}, {"name": "ann", "sex": "M"}]
    assert len(lab.Subject & names) == 1
    moments = [
        {"subject": 1, "seen": "2024-05-06 07:08:09.123456"},
        {"subject": 1, "seen": "2024-05-06T07:08:09.123456"},
    ]
    assert len(lab.Subject & moments) == 1
    weights = pl.DataFrame({"subject": [1, 1], "weight": ["1.5", "1.500"]})
    assert len(lab.Subject & weights) == 1
