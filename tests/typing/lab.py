"""A pipeline as people write it: mypy and pyright check it, and a test runs it."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from collections.abc import Iterator
from typing import Any, ClassVar, assert_type

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

import djflow as dj

schema = dj.Schema()


@schema
class Species(dj.Lookup):
    definition = """
    species : varchar(40)
    """
    contents: ClassVar = [("mouse",), ("rat",)]


@schema
class Subject(dj.Manual):
    definition = """
    subject : int32
    ---
    -> Species
    weight = null : float64
    """

    def heaviest(self) -> float:
        """The greatest weight among the rows."""
        return float(max(self.to_polars()["weight"].to_list()))


@schema
class Trace(dj.Computed):
    definition = """
    -> Subject
    ---
    mean : float64
    """

    class Point(dj.Part):
        definition = """
        -> master
        point : int16
        ---
        height : float64
        """

    @property
    def key_source(self) -> dj.Relation:
        return Subject & "weight > 1"

    def make(self, key: dict[str, Any]) -> None:
        weight = (Subject & key).fetch1("weight")
        self.insert1({**key, "mean": float(np.mean([weight, 2.0]))})
        self.Point.insert({**key, "point": i, "height": weight * i} for i in range(3))


@schema
class Slow(dj.Computed):
    definition = """
    -> Trace
    ---
    total : float64
    """

    def make_fetch(self, key: dict[str, Any]) -> tuple[pl.DataFrame]:
        return ((Trace.Point & key).to_polars(),)

    def make_compute(self, _key: dict[str, Any], points: pl.DataFrame) -> tuple[float]:
        return (float(points["height"].sum()),)

    def make_insert(self, key: dict[str, Any], total: float) -> None:
        self.insert1({**key, "total": total})


def enter() -> None:
    """Rows go in by the class, and by an instance."""
    Subject.insert([(1, "mouse", 20.0), (2, "rat", 250.0)])
    Subject.insert1({"subject": 3, "species": "rat"}, skip_duplicates=True)
    Subject().insert(pl.DataFrame({"subject": [3], "species": ["rat"]}), on_conflict="skip")
    Subject.update1({"subject": 3, "weight": 300.0})
    assert Subject.validate([{"subject": 4, "species": "cat"}])
    with schema.connection.transaction, dj.config.override(safemode=False):
        (Subject & {"subject": 3}).delete()


def ask() -> Iterator[object]:
    """Queries keep what is known of them."""
    yield assert_type(Subject & "weight > 100", Subject)
    yield assert_type(Subject() - {"species": "rat"}, Subject)
    yield assert_type(Subject.restrict("weight > 100"), Subject)
    yield assert_type((Subject & "subject = 1").heaviest(), float)
    yield assert_type(Subject * Species & dj.Top(1), dj.Relation)
    yield assert_type(Subject.proj("weight", kilos="weight / 1000"), dj.Relation)
    yield assert_type(Species.aggr(Subject, n="count(*)"), dj.Relation)
    yield assert_type(dj.U("species").aggr(Subject, n="count(*)"), dj.Relation)
    yield assert_type(Subject.to_polars(), pl.DataFrame)
    yield assert_type(Subject().to_dicts(), list[dict[str, Any]])
    yield assert_type(Subject.to_arrow("weight"), pa.Table)
    yield assert_type(Subject.to_pandas(), pd.DataFrame)
    yield assert_type((Subject & "subject = 1").to_polars(order_by="subject"), pl.DataFrame)
    yield assert_type(Subject.heading.names, tuple[str, ...])
    yield assert_type(Subject.primary_key, list[str])
    yield assert_type(Subject.keys(), list[dict[str, Any]])
    yield assert_type(Subject.full_table_name, str)
    yield assert_type(len(Subject), int)
    yield assert_type([row["subject"] for row in Subject], list[Any])
    yield assert_type(dj.config.sources(), dict[str, str])


def compute() -> None:
    """What fills computed tables, and what tells of it."""

    @schema
    class Chosen(dj.Computed):
        definition = "-> Subject"
        key_source = Subject & "subject = 1"

        def make(self, key: dict[str, Any]) -> None:
            self.insert1(key)

    Chosen.populate()
    assert len(Chosen.key_source) == len(Chosen) == 1
    Trace.populate(display_progress=False)
    Slow().populate(Subject & "subject = 2")
    assert_type(Trace.progress(), tuple[int, int])
    assert_type(Trace.jobs.errors.to_dicts(), list[dict[str, Any]])
    assert_type(dj.Diagram(schema), dj.Diagram)


def mistakes() -> None:
    """Checkers find these; nobody runs them."""
    Subject.insert([], replac=True)  # type: ignore[call-arg]
    Subject.insert1()  # type: ignore[call-arg]
    Subject.to_polar()  # type: ignore[attr-defined]
    Subject.insert([], on_conflict="ignore")  # type: ignore[arg-type]
    (Subject & 1).populate()  # type: ignore[attr-defined]
