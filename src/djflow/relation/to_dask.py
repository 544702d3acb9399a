"""A relation as a Dask frame: each partition a range of the key, all in one view of the database."""

import math
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from djflow.engine.execute import count, schema_of
from djflow.errors import DjflowError
from djflow.model.table import Heading
from djflow.model.types import CodecType
from djflow.planner.nodes import Node
from djflow.planner.scalar import is_integer
from djflow.relation import fetch
from djflow.relation.database import Database
from djflow.relation.decode import python_values
from djflow.relation.partitions import Partition, Partitions, partitions

if TYPE_CHECKING:
    import dask.dataframe as dd
    import pandas as pd

ROWS_A_PARTITION: Final = 250_000


def to_dask(plan: Node, database: Database, npartitions: int | None = None) -> "dd.DataFrame":
    """The rows of a plan as a Dask frame; see `frame_of`. Raises `DjflowError` where Dask is missing."""
    if npartitions is None:
        database.before_query(plan)
        npartitions = max(1, math.ceil(count(database.session, plan) / ROWS_A_PARTITION))
    return frame_of(partitions(plan, database, npartitions))


def frame_of(parts: Partitions) -> "dd.DataFrame":
    """Partitions as a Dask frame in Arrow's types, codec columns as Python objects.

    A key of one attribute is the index, with known divisions where it is an integer; attributes of a
    longer key are columns. The snapshot lives as long as the frame, or one made from it, is referred to.
    """
    try:
        import dask
        import dask.dataframe as dd
    except ImportError as error:
        raise DjflowError("to_dask needs Dask: pip install 'djflow[dask]'.") from error
    meta = pandas_part(schema_of(parts[0].heading).empty_table(), parts[0].heading, parts[0].database)
    # Texts are Arrow's already; what else is an object, such as a codec's array, must stay one.
    with dask.config.set({"dataframe.convert-string": False}):
        made: dd.DataFrame = dd.from_map(  # type: ignore[no-untyped-call]
            read_part, list(parts), meta=meta, divisions=_divisions(parts), label="djflow"
        )
    return made


def read_part(part: Partition) -> "pd.DataFrame":
    """One partition as Dask holds it."""
    return pandas_part(part.stored_rows(), part.heading, part.database)


def pandas_part(rows: pa.Table, heading: Heading, database: Database) -> "pd.DataFrame":
    """Stored rows as a pandas frame in Arrow's types, codec columns decoded to Python objects."""
    import pandas as pd

    encoded = [a for a in heading if isinstance(a.type, CodecType)]
    frame = rows.drop_columns([a.name for a in encoded]).to_pandas(types_mapper=pd.ArrowDtype)
    for attribute in encoded:
        values = python_values(rows.column(attribute.name), attribute, database)
        frame[attribute.name] = pd.Series(fetch.object_array(values), index=frame.index)
    frame = frame[list(heading.names)]
    return frame.set_index(heading.primary_key[0]) if _is_indexed(heading) else frame


def _is_indexed(heading: Heading) -> bool:
    return len(heading.primary_key) == 1


def _divisions(parts: Partitions) -> tuple[Any, ...] | None:
    """The first key of each partition and the last of all, where the key is one integer."""
    heading = parts[0].heading
    if not _is_indexed(heading) or len(parts.edges) != len(parts) + 1:
        return None
    if not is_integer(heading[heading.primary_key[0]].stored):
        return None
    return tuple(int(value) for (value,) in parts.edges)
