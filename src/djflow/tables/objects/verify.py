"""Whether what rows refer to is in its store, as it was written."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from djflow.errors import ConfigError, StorageError
from djflow.model.table import Attribute
from djflow.planner import analyze
from djflow.planner.nodes import Node
from djflow.relation.database import Database
from djflow.relation.fetch import stored_rows
from djflow.storage.handles.checksums import kind_of_problem, verify_object
from djflow.storage.parallel import map_threads
from djflow.storage.referring import refers
from djflow.tables.objects.references import store_of

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is wrong with a reference, as a row's text has it."""

    text: str
    attribute: str
    store: str
    path: str
    problem: str
    detail: str


def verify(plan: Node, database: Database) -> "pl.DataFrame":
    """A row for each reference of a query's rows whose object is not what it was: see `Table.verify`."""
    import polars as pl

    columns = [attribute for attribute in plan.heading if refers(attribute, if_unknown=False)]
    key = tuple(plan.heading.primary_key)
    names = tuple(c.name for c in columns if c.name not in key)
    rows = stored_rows(analyze.project(plan, names, {}), database)
    keys = pl.DataFrame(rows.select(list(key)))
    frames = [
        _with_keys(keys, rows.column(column.name), list(_problems(rows, column, database)))
        for column in columns
    ]
    return pl.concat([_with_keys(keys, pa.nulls(rows.num_rows, pa.string()), []), *frames])


def _problems(rows: pa.Table, column: Attribute, database: Database) -> Iterator[_Problem]:
    texts = rows.column(column.name).unique().drop_null().to_pylist()
    found = map_threads(lambda text: _problem(text, column, database), texts)
    return (problem for problem in found if problem is not None)


def _problem(text: str, column: Attribute, database: Database) -> _Problem | None:
    reference = json.loads(text)
    if not isinstance(reference, dict) or not isinstance(reference.get("path"), str):
        return None  # a codec of the user's own, which keeps something else
    name = str(reference.get("store") or store_of(column, database.settings.stores))
    try:
        verify_object(database.open_store(name), reference)
    except (StorageError, ConfigError) as error:
        return _Problem(text, column.name, name, reference["path"], kind_of_problem(error), str(error))
    except (AttributeError, TypeError, ValueError) as error:
        detail = f"The row holds no reference that could be read: {error}."
        return _Problem(text, column.name, name, reference["path"], "unreadable", detail)
    return None


def _with_keys(keys: "pl.DataFrame", column: Any, problems: list[_Problem]) -> "pl.DataFrame":
    """The keys of all rows that have a faulty reference, beside its problem."""
    import polars as pl

    told = ["text", "attribute", "store", "path", "problem", "detail"]
    rows = [tuple(getattr(problem, name) for name in told) for problem in problems]
    faults = pl.DataFrame(rows, schema=dict.fromkeys(told, pl.String()), orient="row")
    texts = pl.DataFrame({"~text": pl.Series(column, dtype=pl.String)})
    joined = pl.concat([keys, texts], how="horizontal").join(
        faults.rename({"text": "~text"}), on="~text", maintain_order="left"
    )
    return joined.drop("~text")
