"""The rows of any plan: stage by stage, on the server and in Polars."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from djflow.backend.session import Session
from djflow.engine import parallel
from djflow.engine.execute import schema_of, stream
from djflow.engine.order import by_key
from djflow.engine.plan_cache import prepared
from djflow.errors import QueryError
from djflow.model.table import Heading
from djflow.planner.lower_polars import lower_polars
from djflow.planner.nodes import LocalCompute, LocalFrame, LocalRestrict, Node, Project, is_ordered
from djflow.planner.rewriter import optimise
from djflow.planner.split import Stage, fill, split

if TYPE_CHECKING:
    import polars as pl


def whole(session: Session, plan: Node) -> Iterable[pa.RecordBatch]:
    """All batches of a plan, for a result that is held in memory anyway."""
    if plan.has_local:
        return _batches(session, split(optimise(plan).plan))
    return parallel.whole(session, prepared(plan))


def streamed(session: Session, plan: Node) -> Iterator[pa.RecordBatch]:
    """The batches of a plan as they come, in memory as bounded as its expressions allow."""
    if plan.has_local:
        return session.pinned(_batches(session, split(optimise(plan).plan)))
    return stream(session, prepared(plan), streaming=True)


def resolved(session: Session, plan: Node) -> Node:
    """The plan with what only Polars can compute replaced by its rows."""
    if not plan.has_local:
        return plan
    stage = split(optimise(plan).plan)
    if stage.where == "server":
        return fill(stage, _frames(session, stage))
    return LocalFrame(_table(_batches(session, stage), plan.heading), plan.heading)


def _batches(session: Session, stage: Stage) -> Iterator[pa.RecordBatch]:
    if stage.where == "server":
        yield from stream(session, prepared(fill(stage, _frames(session, stage))), streaming=True)
    elif _is_row_by_row(stage.plan):
        (source,) = stage.inputs
        for batch in _batches(session, source):
            rows = pa.Table.from_batches([batch], schema_of(source.plan.heading))
            yield from _in_batches(_evaluated(stage.plan, [rows]))
    else:
        yield from _in_batches(_evaluated(stage.plan, [_in_order(session, each) for each in stage.inputs]))


def _in_batches(rows: pa.Table) -> list[pa.RecordBatch]:
    """The batches of a table, one at least."""
    return rows.to_batches() or [pa.RecordBatch.from_pylist([], schema=rows.schema)]


def _frames(session: Session, stage: Stage) -> tuple[LocalFrame, ...]:
    return tuple(
        LocalFrame(_table(_batches(session, each), each.plan.heading), each.plan.heading)
        for each in stage.inputs
    )


def _table(batches: Iterable[pa.RecordBatch], heading: Heading) -> pa.Table:
    return pa.Table.from_batches(batches, schema_of(heading))


def _is_row_by_row(node: Node) -> bool:
    match node:
        case LocalRestrict(_, condition):
            return condition.is_elementwise
        case LocalCompute(_, made):
            return all(expression.is_elementwise for _, expression in made)
        case Project():
            return True
        case _:
            return False


def _in_order(session: Session, stage: Stage) -> pa.Table:
    rows = _table(_batches(session, stage), stage.plan.heading)
    return rows if is_ordered(stage.plan) else by_key(rows, stage.plan.heading.primary_key)


def _evaluated(node: Node, tables: list[pa.Table]) -> pa.Table:
    """The rows of a node that runs in Polars, in exact types. Raises `QueryError` where Polars refuses."""
    import polars as pl

    frames = [pl.DataFrame(table) for table in tables]
    try:
        found = lower_polars(node, frames)
    except pl.exceptions.PolarsError as error:
        raise QueryError(f"Polars could not compute {_expressions(node)}: {error}") from error
    return _exact(found, node.heading)


def _exact(frame: "pl.DataFrame", heading: Heading) -> pa.Table:
    rows = frame.to_arrow().select(list(heading.names))  # which counts rows without attributes, too
    try:
        return rows.cast(schema_of(heading))
    except (pa.ArrowInvalid, ValueError) as error:
        raise QueryError(f"What Polars computed does not fit the attribute's type: {error}") from error


def _expressions(node: Node) -> str:
    match node:
        case LocalRestrict(_, condition):
            return str(condition)
        case LocalCompute(_, made):
            return ", ".join(f"{a.name} = {e}" for a, e in made)
        case _:
            return "a summary"
