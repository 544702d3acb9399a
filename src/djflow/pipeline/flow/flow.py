"""`dj.Flow`: tables that are filled together, each key as soon as what it depends on is there."""

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing
from functools import cached_property
from typing import TYPE_CHECKING, Any

from djflow.executors.task import nobody_asks
from djflow.pipeline.bar import Bars, somebody_looks
from djflow.pipeline.events import Ended, Event
from djflow.pipeline.flow.engine import Options, run
from djflow.pipeline.flow.links import Links, links_of
from djflow.pipeline.flow.targets import chosen
from djflow.pipeline.interrupts import gentle_stop
from djflow.pipeline.log import log
from djflow.pipeline.reads import Reads
from djflow.pipeline.run import check_count
from djflow.pipeline.summary import Summary, labels

if TYPE_CHECKING:
    import polars as pl

    from djflow.executors.choose import Choice
    from djflow.pipeline.tiers import AutoPopulated


class Flow:
    """Tables that `make` fills, to be filled together.

    `targets` are schemas, modules or diagrams, which mean all of their imported and computed tables, or
    single tables: one that is alone comes with all on which it depends, several of which some depend on
    others come with what lies between.

    A key is made as soon as the rows are there to which it refers; no table waits until another is
    complete, unless it refers to that outside of its primary key, or reads it in its `key_source`.

    Raises `InvalidArgumentError` for other targets, `QueryError` for a table without a class here.
    """

    def __init__(self, *targets: Any) -> None:
        self._chosen = chosen(targets)

    @property
    def tables(self) -> "tuple[type[AutoPopulated], ...]":
        """The classes of the tables, each after all on which it depends."""
        return tuple(type(table) for table in self._chosen.tables)

    @cached_property
    def _links(self) -> Links:
        return links_of(self._chosen.tables, self._chosen.catalog)

    def __repr__(self) -> str:
        return f"Flow({', '.join(labels(self.tables))})"

    def populate(
        self,
        *restrictions: Any,
        executor: "Choice | None" = None,
        workers: int | None = None,
        resources: Mapping[str, float] | None = None,
        max_calls: int | None = None,
        priority: int | None = None,
        suppress_errors: bool = True,
        display_progress: bool | None = None,
        reads: str = "open",
        watch: bool = False,
    ) -> "pl.DataFrame":
        """Make every key that is missing in any of the tables; returns what became of each table.

        The keys come from the tables' queues, so any number of processes can do the same at once; see
        `AutoPopulated.populate` for `executor`, `workers`, `priority` and `reads`, and for what a restriction
        is: each applies to the tables that have its attributes. `max_calls` is for each table. `resources`
        are those of this machine (`{"gpu": 1}`), which tables ask for by a class attribute `resources`.

        Errors are kept in the queues, and the rest goes on: see `errors()`. Without `suppress_errors`, the
        first one ends the run and is raised. Bars are shown where there is a terminal or a notebook, or as
        `display_progress` says.

        With `watch`, it does not end, but waits for rows inserted into the tables on which these depend,
        and makes what they make possible, until Ctrl-C or SIGTERM.

        The first Ctrl-C, or SIGTERM, lets the keys in hand be finished; the second stops at once. Then
        `KeyboardInterrupt` or `SystemExit` is raised, except while it only watches.

        >>> dj.populate(schema)  # doctest: +SKIP
        """
        check_count("workers", workers, least=1)
        check_count("max_calls", max_calls, least=0)
        shown = somebody_looks() if display_progress is None else display_progress
        summary = Summary(self.tables)
        options = Options(
            executor or "serial", workers, resources or {}, priority, max_calls, watch, Reads.of(reads)
        )
        with gentle_stop() as stopping, ExitStack() as stack:
            bars = stack.enter_context(Bars(self.tables)) if shown else None
            running = self._run(options, restrictions, stopping.is_asked, summary)
            events = stack.enter_context(closing(running))
            for event in events:
                log(event)
                if bars is not None:
                    bars.show(event)
                if isinstance(event, Ended) and not suppress_errors:
                    event.raise_first()
        if not watch:
            stopping.raise_if_asked()
        return summary.frame()

    def events(
        self,
        *restrictions: Any,
        executor: "Choice | None" = None,
        workers: int | None = None,
        resources: Mapping[str, float] | None = None,
        max_calls: int | None = None,
        priority: int | None = None,
        reads: str = "open",
        watch: bool = False,
    ) -> Generator[Event, None, None]:
        """As `populate`, as an iterator of what happens, which does the work while it is read.

        Events are `Queued`, `Began` and `Ended` of `djflow.pipeline.events`. Whoever stops reading, and
        closes the iterator, stops the work; what was made is committed.
        """
        options = Options(
            executor or "serial", workers, resources or {}, priority, max_calls, watch, Reads.of(reads)
        )
        return self._run(options, restrictions, nobody_asks, Summary(self.tables))

    def _run(
        self,
        options: Options,
        restrictions: tuple[Any, ...],
        should_stop: Callable[[], bool],
        summary: Summary,
    ) -> Generator[Event, None, None]:
        return run(self._chosen.tables, self._links, options, restrictions, should_stop, summary)

    def errors(self) -> "pl.DataFrame":
        """The jobs that failed, of all tables: `table`, `key` as JSON, message, traceback, where and when."""
        from djflow.pipeline.flow.failures import failures_of

        return failures_of(self._chosen.tables)

    def plan(self, *restrictions: Any) -> "pl.DataFrame":
        """What there is to do, without doing it: a row a table, parents first.

        `missing` keys can be made now, `possible` ones as well once the tables before are filled (at most
        so many, null where a `key_source` of its own does not tell); `errors` and `ignored` ones have jobs
        that keep them back. `seconds` of one worker and `bytes` are expected for all of these, by what was
        made before; null where nothing was.
        """
        from djflow.pipeline.flow.plan import plan_of

        return plan_of(self._chosen.tables, restrictions)


def populate(*targets: Any, where: Any = None, **options: Any) -> "pl.DataFrame":
    """Make every key that is missing in some tables: `Flow(*targets).populate(where, ...)`.

    `where` is a condition on keys; `dj.AndList([...])` of several.
    """
    return Flow(*targets).populate(*(() if where is None else (where,)), **options)
