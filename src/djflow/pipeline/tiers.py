"""The tiers that `make` fills."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from djflow.errors import InvalidArgumentError
from djflow.model.names import Tier
from djflow.pipeline.calls import Calls
from djflow.pipeline.interrupts import gentle_stop
from djflow.pipeline.keys import missing, wanted
from djflow.pipeline.reads import Reads
from djflow.pipeline.reserved import Share
from djflow.pipeline.run import Run, check_count, check_not_within, chosen
from djflow.pipeline.upstream import current_trace
from djflow.planner import analyze
from djflow.planner.nodes import Node, Scan
from djflow.relation.on_class import class_property, on_class
from djflow.relation.relation import Relation
from djflow.tables.declared import Table

if TYPE_CHECKING:
    import polars as pl

    from djflow.diagram import Diagram
    from djflow.executors.choose import Choice
    from djflow.pipeline.queue import Jobs


class AutoPopulated(Table):
    """A table with one row for each key of `key_source`, computed by `make`.

    A class may decide for itself what settings decide for others: `job_metadata = True` as
    `jobs.add_job_metadata`, `allow_new_key = True` as `jobs.allow_new_pk_fields_in_computed_tables`.
    `resources = {"gpu": 1}` is what a call of `make` occupies, of what executors are told that there is.
    """

    resources: Mapping[str, float] = MappingProxyType({})

    def make(self, key: dict[str, Any]) -> Any:
        """Compute and insert the row of one key, with its parts; all of it commits, or none.

        Override it: read what the key selects upstream, then `self.insert1({**key, ...})`. No transaction is
        open while it computes: what it inserts is checked at once and written afterwards, with that of other
        keys. From where it reads its own rows, writes elsewhere, or inserts objects, it has a transaction.

        Or define three methods, of which the last one runs where the result commits, if `make_fetch` then
        still returns the same:

        - `make_fetch(self, key)` reads and returns a tuple,
        - `make_compute(self, key, *fetched)` touches no database and returns a tuple,
        - `make_insert(self, key, *computed)` inserts.

        Or define `make_batch(self, keys)`, which gets a Polars frame of up to 256 keys and inserts the rows
        of all of them. Where it fails, it is called again with half of them, until a bad key is alone.

        Arguments of `populate(make_kwargs=...)` go to `make`, `make_fetch` or `make_batch`.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a method make(self, key).")

    @property
    def upstream(self) -> "Diagram":
        """What the current key comes from, to be read inside `make`: `self.upstream[Session].fetch1()`.

        Brackets take an ancestor's class or name and give those of its rows to which foreign keys lead
        from the key, over any path. It is the same object throughout one call, made when first asked for.

        Raises `DjflowError` outside of `make`; brackets raise `MissingTableError` for what is no ancestor.
        """
        return current_trace(self)

    if TYPE_CHECKING:
        key_source: Any  # classes give it a query or a property of their own
    else:

        @property
        def key_source(self) -> Relation:
            """The keys to compute: all combinations of the parents in the primary key.

            Override it to narrow them.
            """
            return _combined_parents(self)

    @class_property
    def jobs(self) -> "Jobs":
        """The queue of the table: who computes which keys, what failed, what is passed over."""
        from djflow.pipeline.queue import Jobs

        return Jobs(self)

    @on_class
    def populate(
        self,
        *restrictions: Any,
        suppress_errors: bool = False,
        return_exception_objects: bool = False,
        reserve_jobs: bool = False,
        max_calls: int | None = None,
        display_progress: bool = False,
        processes: int = 1,
        make_kwargs: Mapping[str, Any] | None = None,
        priority: int | None = None,
        refresh: bool | None = None,
        executor: "Choice | None" = None,
        workers: int | None = None,
        reads: str = "open",
    ) -> dict[str, Any]:
        """Call `make` for every key of `key_source` that has no row yet.

        Results of several keys commit together, after half a second or so; each is whole or absent, and one
        that the server refuses holds no other up.

        With `reserve_jobs` the keys come from the queue `jobs`, which any number of processes share: a key is
        made by one of them, and errors are kept in the queue, so that nobody tries again. It is refreshed
        first if `refresh` says so, by default as in the settings; `priority` leaves out less urgent jobs.

        `executor` says who calls `make`: this thread by default, or "threads", "processes", "dask", the
        address of a Dask scheduler or a Dask client, with `workers` of them (by default one a processor);
        `processes=4` is short for four processes. A worker that dies takes no other key with it.

        `reads` is the contract on what `make` reads: "warn" warns (`ReadsWarning`) where that is a table that
        is not upstream, or rows of other keys, "strict" has such a key fail (`ReadsError`), and both record
        what was read, for `reads()`; "open" does not look.

        Returns counts: `success`, `error`, `skip` (made meanwhile by another process, or without inputs by
        now), and `errors`, pairs of key and message, or exception with `return_exception_objects`.
        With `suppress_errors` a failing key is noted and the rest goes on; otherwise its error is raised.

        The first Ctrl-C, or SIGTERM, lets the key in hand be finished, commits, and gives the others back;
        the second stops at once. Then `KeyboardInterrupt` or `SystemExit` is raised.
        """
        if self._plan is not None:
            raise InvalidArgumentError(
                f"{type(self).__name__} is restricted, and populate() fills whole tables: pass it conditions."
            ).suggest(f"{type(self).__name__}.populate(condition)")
        self.connection.ensure([self.table_model])
        check_not_within([self])
        check_count("max_calls", max_calls, least=0)
        with gentle_stop() as stopping:
            run = Run(
                self,
                Calls(make_kwargs or {}, Reads.of(reads)),
                chosen(executor, processes, workers, stopping),
                stopping,
                suppress_errors=suppress_errors,
                is_shown=display_progress,
            )
            if not reserve_jobs:
                outcome = run.of_missing(restrictions, max_calls)
            else:
                if self.connection.settings.jobs.auto_refresh if refresh is None else refresh:
                    self.jobs.refresh(*restrictions)
                outcome = run.of_queue(restrictions, Share(None, priority, max_calls))
        stopping.raise_if_asked()
        return outcome.summary(as_objects=return_exception_objects)

    @on_class
    def reads(self, *restrictions: Any) -> "pl.DataFrame":
        """What `make` read for the rows that fulfil all restrictions, if `reads` was "warn" or "strict" then.

        Columns: the key, `reads` (the tables read), and `outside` (those of them against the contract).
        """
        from djflow.pipeline.reads.history import reads_of

        return reads_of(self, restrictions)

    @on_class
    def progress(self, *restrictions: Any, display: bool = False) -> tuple[int, int]:
        """The number of keys still to compute, and of all keys."""
        total = len(wanted(self, restrictions))
        remaining = len(missing(self, restrictions))
        if display:
            done = total - remaining
            share = 100 * done / total if total else 100
            print(f"{type(self).__name__}: {done} of {total} ({share:.1f} %)")  # noqa: T201 - asked for
        return remaining, total


class Imported(AutoPopulated):
    """Rows made from what lies outside the database, such as files."""

    tier: ClassVar[Tier | None] = Tier.IMPORTED


class Computed(AutoPopulated):
    """Rows made from other tables."""

    tier: ClassVar[Tier | None] = Tier.COMPUTED


Ingest = Imported
Compute = Computed


def _combined_parents(table: AutoPopulated) -> Relation:
    schema = type(table).__djflow_schema__
    assert schema is not None  # noqa: S101 - connection below would have raised
    table.connection.ensure([table.table_model])
    plan: Node | None = None
    for fk in table.table_model.foreign_keys:
        if fk.in_key:
            renamed = {own: referenced for own, referenced in fk.columns if own != referenced}
            parent = analyze.project(Scan(schema.parent(fk.parent)), (), renamed)
            plan = parent if plan is None else analyze.join(plan, parent)
    return Relation(plan if plan is not None else table.logical_plan, table.connection)
