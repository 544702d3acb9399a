"""Relations inside the statements of a queue."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from djflow.backend.session import Session
from djflow.engine import execute
from djflow.engine.run import resolved
from djflow.model.types import CoreType, StoredType, arrow_type
from djflow.pipeline.queue.transitions import Event, result, sources
from djflow.planner.lower_sql import Statement, lower_insert
from djflow.planner.nodes import Node
from djflow.planner.parameters import Parameter, cast_name, renumber
from djflow.planner.rewriter import optimise
from djflow.relation.relation import Relation
from djflow.sql.job_changes import Change, JobTable

_FLOAT: Final = CoreType("float64")
_INTEGER: Final = CoreType("int64")


@dataclass(frozen=True, slots=True)
class Rows:
    """A query inside a statement, if any, and the values of its parameters."""

    sql: str | None = None
    values: tuple[Any, ...] = ()


def change(event: Event) -> Change:
    """What an event changes, as statements say it."""
    target = result(event)
    return Change(tuple(map(str, sources(event))), None if target is None else str(target))


def keys_among(relation: Relation | None, jobs: JobTable, session: Session, others: int) -> Rows:
    """The query for the keys of a relation, for a statement that has `others` parameters of its own."""
    if relation is None:
        return Rows()
    relation.connection.ensure(relation.logical_plan.tables)
    statement = _keys(relation.logical_plan, jobs, session)
    numbers = {number: number + others for number in range(1, len(statement.parameters) + 1)}
    values = [parameter.value for parameter in statement.parameters]
    plain = tuple(value.to_pylist() if hasattr(value, "to_pylist") else value for value in values)
    return Rows(renumber(statement.sql, numbers), plain)


def write_keys(
    relation: Relation,
    jobs: JobTable,
    session: Session,
    within: Callable[[str, int], str],
    *values: float,
) -> int:
    """Run the statement that `within` makes around the query for a relation's keys; the rows affected.

    It gets that query and the number of its parameters, behind which `values` come.
    """
    statement = _keys(relation.logical_plan, jobs, session)
    count = len(statement.parameters)
    added = tuple(_parameter(value) for value in values)
    whole = replace(statement, parameters=(*statement.parameters, *added))
    return execute.write(session, whole, lambda rows: within(rows, count))


def _keys(plan: Node, jobs: JobTable, session: Session) -> Statement:
    return lower_insert(optimise(resolved(session, plan)).plan, jobs.key)


def _parameter(value: float) -> Parameter:
    type_: StoredType = _INTEGER if isinstance(value, int) else _FLOAT
    return Parameter(value, arrow_type(type_), cast_name(type_))
