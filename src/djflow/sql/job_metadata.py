"""The hidden columns of computed rows: when, how long and by which code they were computed."""

from collections.abc import Sequence

from djflow.model.table import Attribute, Table
from djflow.sql.identifiers import qualified, quote
from djflow.sql.inputs import array_type


def write_metadata(table: Table, key: Sequence[Attribute]) -> str:
    """Set the columns for rows with the keys `$4`, `$5`, ...: start `$1`, seconds `$2`, `$3` the version.

    All but the version are arrays, an element a key.

    >>> from djflow.model.names import TableName
    >>> from djflow.model.types import CoreType
    >>> int16 = CoreType("int16")
    >>> rat = Attribute("rat", int16, int16, in_key=True)
    >>> print(write_metadata(Table(TableName("lab", "__rat"), "", (rat,)), [rat]))
    UPDATE "lab"."__rat" AS t SET _job_start_time = u.start, _job_duration = u.seconds, _job_version = $3
    FROM unnest($1::timestamp[], $2::float8[], $4::smallint[]) AS u(start, seconds, k0)
    WHERE t."rat" = u.k0
    """
    arrays = [f"${i}::{array_type(a.stored)}" for i, a in enumerate(key, 4)]
    names = [f"k{i}" for i in range(len(key))]
    matching = [f"t.{quote(a.name)} = u.{name}" for a, name in zip(key, names, strict=True)]
    return (
        f"UPDATE {qualified(table.name)} AS t SET _job_start_time = u.start, _job_duration = u.seconds, "
        "_job_version = $3\n"
        f"FROM unnest({', '.join(['$1::timestamp[]', '$2::float8[]', *arrays])}) "
        f"AS u({', '.join(['start', 'seconds', *names])})\n"
        f"WHERE {' AND '.join(matching) or 'true'}"
    )
