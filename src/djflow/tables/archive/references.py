"""Which objects of stores some rows refer to."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from djflow.model.table import Attribute, Table
from djflow.model.types import CodecType
from djflow.storage.referring import refers


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """An object by its store, "" for the default one, and its path there."""

    store: str
    path: str


def reference_columns(table: Table) -> tuple[Attribute, ...]:
    """The columns whose values refer to objects."""
    return tuple(column for column in table.columns if refers(column, if_unknown=False))


def references(table: Table, batch: pa.RecordBatch) -> Iterator[Reference]:
    """The objects that rows refer to; each once a column."""
    for column in reference_columns(table):
        for text in batch.column(column.name).unique().drop_null().to_pylist():
            found = reference_in(text, column)
            if found is not None:
                yield found


def reference_in(text: str, column: Attribute) -> Reference | None:
    """The reference that a value is; None for a codec of the user's own that keeps something else.

    >>> from djflow.model.types import CoreType
    >>> json_ = CoreType("json")
    >>> reference_in('{"path": "_hash/lab/x"}', Attribute("a", CodecType("blob", "main"), json_))
    Reference(store='main', path='_hash/lab/x')
    """
    value = json.loads(text)
    if not isinstance(value, Mapping) or not isinstance(value.get("path"), str):
        return None
    own = column.type.store if isinstance(column.type, CodecType) else None
    return Reference(str(value.get("store") or own or ""), value["path"])
