"""What earlier runs did with tables, and how much a key of each cost."""

import socket
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from djflow.errors import AccessError
from djflow.model.names import TableName
from djflow.pipeline.summary import Line
from djflow.relation.database import Database
from djflow.sql import jobs, runs
from djflow.sql.identifiers import qualified
from djflow.tables.rights import grants


@dataclass(frozen=True, slots=True)
class Cost:
    """What a key took: `seconds` of a worker, and about `nbytes` in the database."""

    seconds: float
    nbytes: float


def note(database: Database, lines: Mapping[TableName, Line]) -> None:
    """Keep what a run did with tables; where the role may not write that, it is not kept."""
    by_schema = defaultdict[str, list[tuple[str, Line]]](list)
    for name, line in lines.items():
        if line.made:
            by_schema[name.schema].append((name.table, line))
    for schema, found in by_schema.items():
        with suppress(AccessError), database.session.transaction():
            _note(database, schema, found)


def _note(database: Database, schema: str, found: Sequence[tuple[str, Line]]) -> None:
    session = database.session
    _create(database, schema)
    lines = [line for _, line in found]
    columns = [
        [table for table, _ in found],
        [line.made for line in lines],
        [line.failed for line in lines],
        [line.skipped for line in lines],
        [line.seconds for line in lines],
        [line.rows for line in lines],
        [line.nbytes for line in lines],
    ]
    session.execute(runs.insert_runs(schema), [*columns, socket.gethostname()[:255]])
    session.execute(runs.forget_runs(schema), [columns[0]])


def _create(database: Database, schema: str) -> None:
    session, name = database.session, runs.runs_table(schema)
    if session.execute(jobs.IS_THERE, [qualified(name)]) == [(True,)]:
        return
    session.execute(jobs.IN_TURN, [schema])
    session.execute(runs.create_runs(schema))
    grants.extend(session, schema, [name])


def costs(database: Database, tables: Iterable[TableName]) -> dict[TableName, Cost]:
    """What a key of each table took lately, of those of which that is known."""
    by_schema = defaultdict[str, list[str]](list)
    for name in tables:
        by_schema[name.schema].append(name.table)
    found = {}
    for schema, names in by_schema.items():
        if database.session.execute(runs.has_runs(schema)) == [(True,)]:
            for table, seconds, nbytes in database.session.execute(runs.cost_of_keys(schema), [names]):
                found[TableName(schema, table)] = Cost(float(seconds), float(nbytes))
    return found
