"""One run of a flow: queues, leases, watched tables and an executor, put together."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from djflow.errors import DjflowError
from djflow.executors import executor_of
from djflow.pipeline import history
from djflow.pipeline.batches import ClaimedBatches
from djflow.pipeline.calls import Calls
from djflow.pipeline.dispatch import Dispatch
from djflow.pipeline.events import Ended, Event
from djflow.pipeline.flow.lane import Lane
from djflow.pipeline.flow.links import Links
from djflow.pipeline.flow.restrictions import check_known, fitting
from djflow.pipeline.flow.supply import FlowSupply
from djflow.pipeline.flow.watched import WatchedSupply
from djflow.pipeline.keys import wanted
from djflow.pipeline.queue.heart import Heart
from djflow.pipeline.reads import Reads
from djflow.pipeline.reserved import Share
from djflow.pipeline.run import check_not_within, check_workers_see
from djflow.pipeline.summary import Summary
from djflow.relation.database import Database

if TYPE_CHECKING:
    from djflow.executors.choose import Choice
    from djflow.executors.executor import Executor
    from djflow.pipeline.tiers import AutoPopulated
    from djflow.pipeline.watch import Watch


@dataclass(frozen=True, slots=True)
class Options:
    """How a flow is run; see `Flow.populate`."""

    executor: "Choice"
    workers: int | None
    resources: Mapping[str, float]
    priority: int | None
    max_calls: int | None
    watch: bool
    reads: Reads


def run(
    tables: Sequence["AutoPopulated"],
    links: Links,
    options: Options,
    restrictions: tuple[Any, ...],
    should_stop: Callable[[], bool],
    summary: Summary,
) -> Generator[Event, None, None]:
    """What happens while the tables are filled, parents first; it is added up in the summary."""
    if not tables:
        return
    database = tables[0].connection
    check_not_within(tables)
    check_known(tables, restrictions)
    with ExitStack() as stack:
        stack.callback(_keep, database, tables, summary)
        heart = stack.enter_context(Heart(database.settings.jobs.lease))
        lanes = [_lane(table, options, restrictions, heart) for table in tables]
        by_name = {lane.name: lane for lane in lanes}
        if options.watch:
            watch = stack.enter_context(_watch(database, tables, links))
            supply: FlowSupply = WatchedSupply(by_name, links, watch=watch)
        else:
            supply = FlowSupply(by_name, links)
        dispatch = Dispatch(supply, Calls(reads=options.reads), should_stop)
        executor = _executor(options, tables, should_stop)
        events = stack.enter_context(closing(dispatch.run(executor)))
        for event in events:
            if isinstance(event, Ended):
                summary.add(event)
            yield event


def _watch(database: Database, tables: Sequence["AutoPopulated"], links: Links) -> "Watch":
    from djflow.pipeline.watch import Watch

    catalog = database.catalog({table.table_model.name.schema for table in tables})
    return Watch(database, [catalog[name] for name in links.sources])


def _keep(database: Database, tables: Sequence["AutoPopulated"], summary: Summary) -> None:
    with suppress(DjflowError):  # the run itself is what counts
        history.note(database, {table.table_model.name: summary.lines[type(table)] for table in tables})


def _lane(table: "AutoPopulated", options: Options, restrictions: tuple[Any, ...], heart: Heart) -> Lane:
    restrictions = fitting(table, restrictions)
    among = wanted(table, restrictions) if restrictions else None
    share = Share(among, options.priority, options.max_calls)
    priority = table.connection.settings.jobs.default_priority
    return Lane(table, ClaimedBatches(table, share, heart), restrictions, priority)


def _executor(
    options: Options, tables: Sequence["AutoPopulated"], should_stop: Callable[[], bool]
) -> "Executor":
    resources = dict(options.resources)
    if options.executor == "serial":  # one task at a time, which has all that there is
        for table in tables:
            for name, amount in table.resources.items():
                resources[name] = max(amount, resources.get(name, 0))
    else:
        check_workers_see(tables[0].connection)
    return executor_of(
        options.executor, workers=options.workers, resources=resources, should_stop=should_stop
    )
