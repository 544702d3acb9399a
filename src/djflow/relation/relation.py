"""The public algebra: immutable, lazy expressions over tables."""

from collections.abc import Iterator, Sequence
from copy import copy
from types import EllipsisType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from djflow.engine import execute
from djflow.engine.run import resolved
from djflow.errors import DjflowError, QueryError
from djflow.model.table import Heading
from djflow.planner import analyze, distant
from djflow.planner.nodes import Node
from djflow.relation import fetch, habits
from djflow.relation.conditions import HasPlan, Not, restricted
from djflow.relation.database import Database
from djflow.relation.explanation import Explanation, explained, readable_sql
from djflow.relation.frames import as_frame
from djflow.relation.lazy import lazy_frame
from djflow.relation.on_class import class_property, on_class, on_class_same
from djflow.relation.partitions import Partitions, partitions
from djflow.relation.preview import Look, look, looked_at
from djflow.relation.single import the_only_row
from djflow.relation.to_dask import to_dask

if TYPE_CHECKING:
    import dask.dataframe as dd
    import pandas as pd
    import polars as pl
    import pyarrow as pa

OrderBy = str | Sequence[str] | None


class Relation:
    """A lazy query: every operator returns a new one, and nothing runs until rows are asked for.

    `A & condition` restricts, `A - condition` excludes, `A * B` joins, `A.proj(...)` selects, renames
    and computes, `A.aggr(B, ...)` summarises.
    """

    def __init__(self, plan: Node, database: Database) -> None:
        self._plan, self._database = plan, database

    # what it is

    @class_property
    def logical_plan(self) -> Node:
        """The plan as written, before optimisation."""
        return self._plan

    @class_property
    def connection(self) -> Database:
        """The database that the relation reads."""
        return self._database

    @class_property
    def heading(self) -> Heading:
        """The attributes, primary key first."""
        return self.logical_plan.heading

    @class_property
    def primary_key(self) -> list[str]:
        """The names of the primary key."""
        return list(self.heading.primary_key)

    def _derived(self, plan: Node) -> "Relation":
        return Relation(plan, self.connection)

    def _subset(self, plan: Node) -> Self:
        """Some of the rows: what is known of the whole holds for them, so they stay of its kind."""
        subset = copy(self)
        Relation.__init__(subset, plan, self.connection)
        return subset

    # restriction

    @on_class_same
    def restrict(self, condition: Any, semantic_check: bool = True) -> Self:  # noqa: FBT001, FBT002
        """Rows that satisfy a condition: a dict, string, list (any of), frame of keys, or relation.

        A frame is whatever `dj.Frame` takes, the path of a CSV or Parquet file included. Of it, only
        the attributes of this relation are read; a null in it matches nothing.

        Raises `UnknownAttributeError`, `QuerySyntaxError`, `DataTypeError` or `SemanticMatchError`
        before anything is sent to the server.
        """
        self._same_database(condition)
        return self._subset(restricted(self.logical_plan, condition, semantic_check=semantic_check))

    def __and__(self, condition: Any) -> Self:
        return self.restrict(condition)

    def __sub__(self, condition: Any) -> Self:
        return self.restrict(Not(condition))

    @on_class_same
    def restrict_by(self, other: Any, *, direction: distant.Direction | None = None, via: Any = None) -> Self:
        """Rows that foreign keys connect, however far, with a row of `other`: a query over one table.

        That table may be an ancestor ("up") or a descendant ("down"); `direction` None takes what there
        is. `via` names a table that the foreign keys must pass. Asks the server how tables are connected;
        rows are read when they are asked for.

        Raises `AmbiguousPathError`, which lists the paths where they give different rows, and `QueryError`
        where there is none.
        """
        plan, far = self.logical_plan, self._operand(other)
        between = None if via is None else self._operand(via)
        catalog = self.connection.catalog(distant.base_table(node).name.schema for node in (plan, far))
        return self._subset(distant.restrict_by(plan, far, catalog, direction=direction, via=between))

    def __lshift__(self, ancestor: Any) -> Self:
        return self.restrict_by(ancestor, direction="up")

    def __rshift__(self, descendant: Any) -> Self:
        return self.restrict_by(descendant, direction="down")

    # combination

    @on_class
    def proj(self, /, *attributes: "str | EllipsisType | pl.Expr", **named: "str | pl.Expr") -> "Relation":
        """The primary key, the attributes named, and those renamed or computed.

        `...` stands for all, `'-name'` leaves one out; `new='old'` renames, `new='(old)'` duplicates,
        `new='expression'` computes, and so does a Polars expression: `new=pl.col("a") / pl.col("b")`.
        """
        return self._derived(analyze.project(self.logical_plan, attributes, named))

    @on_class
    def join(self, other: Any, semantic_check: bool = True, left: bool = False) -> "Relation":  # noqa: FBT001, FBT002
        """Pairs of rows that match in all shared attributes of the same lineage.

        `other` may be a local frame, whose columns match by name: see `dj.Frame` for its key and types.
        """
        plan = self._operand(other)
        return self._derived(
            analyze.join(self.logical_plan, plan, semantic_check=semantic_check, keep_left=left)
        )

    def __mul__(self, other: Any) -> "Relation":
        return self.join(other)

    def __rmul__(self, other: Any) -> "Relation":
        frame = as_frame(other)
        if frame is None:
            raise habits.expected(other, "a table, a query or a frame")
        return frame * self

    @on_class
    def extend(self, other: Any, semantic_check: bool = True) -> "Relation":  # noqa: FBT001, FBT002 - documented
        """All rows, with the attributes of `other` where it has a matching row."""
        return self.join(other, semantic_check=semantic_check, left=True)

    # numpy and pandas leave operators to an operand that has these.
    __array_ufunc__ = None
    __pandas_priority__ = 10_000

    def __or__(self, _other: Any) -> NoReturn:
        habits.refuse_or()

    def __ror__(self, _other: Any) -> NoReturn:
        habits.refuse_or()

    def __add__(self, other: Any) -> "Relation":
        return self.union(other)

    @on_class
    def union(self, other: Any) -> "Relation":
        """A row for every key of either side, with the attributes of both; null where a side lacks the key.

        Raises `QueryError` unless both have the same primary key and no other attribute in common.
        """
        return self._derived(analyze.union(self.logical_plan, self._operand(other)))

    @on_class
    def aggr(
        self,
        /,
        group: Any,
        *attributes: str | EllipsisType,
        exclude_nonmatching: bool = False,
        **named: "str | pl.Expr",
    ) -> "Relation":
        """All rows, with summaries of the matching rows of `group`.

        A summary is text, such as `n="count(trial)"`, or a Polars expression: `m=pl.col("rt").mean()`.
        """
        plan = analyze.aggregate(
            self.logical_plan,
            self._operand(group),
            attributes,
            named,
            exclude_nonmatching=exclude_nonmatching,
        )
        return self._derived(plan)

    def _operand(self, other: Any) -> Node:
        if not isinstance(other, HasPlan):
            frame = as_frame(other)
            if frame is None:
                raise habits.expected(other, "a table, a query or a frame")
            return frame.beside(self.heading)
        self._same_database(other)
        return other.logical_plan

    def _same_database(self, other: Any) -> None:
        if (
            isinstance(other, HasPlan)
            and getattr(other, "connection", self.connection) is not self.connection
        ):
            raise QueryError(
                "The two relations live in different databases; fetch one and restrict by its frame."
            )

    # rows out

    def _ordered(self, order_by: OrderBy, limit: int | None, offset: int | None) -> Node:
        if order_by is None and limit is None and not offset:
            return self.logical_plan
        return analyze.top(self.logical_plan, order_by, limit, offset or 0)

    @on_class
    def to_arrow(
        self, order_by: OrderBy = None, limit: int | None = None, offset: int | None = None
    ) -> "pa.Table":
        """All rows as an Arrow table in exact types."""
        return fetch.to_arrow(self._ordered(order_by, limit, offset), self.connection)

    @on_class
    def to_polars(
        self, order_by: OrderBy = None, limit: int | None = None, offset: int | None = None
    ) -> "pl.DataFrame":
        """All rows as a Polars frame."""
        return fetch.to_polars(self._ordered(order_by, limit, offset), self.connection)

    @on_class
    def to_pandas(
        self, order_by: OrderBy = None, limit: int | None = None, offset: int | None = None
    ) -> "pd.DataFrame":
        """All rows as a pandas frame, indexed by the primary key."""
        return fetch.to_pandas(self._ordered(order_by, limit, offset), self.connection)

    @on_class
    def to_dicts(
        self, order_by: OrderBy = None, limit: int | None = None, offset: int | None = None
    ) -> list[dict[str, Any]]:
        """All rows as dicts of Python values."""
        return fetch.to_dicts(self._ordered(order_by, limit, offset), self.connection)

    @on_class
    def to_arrays(
        self,
        *attributes: str,
        include_key: bool = False,
        order_by: OrderBy = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Any:
        """A structured array of all attributes; one array for one attribute; a tuple for several.

        With `include_key` the list of keys comes first.
        """
        plan = self._ordered(order_by, limit, offset)
        if not attributes:
            return fetch.to_record_array(plan, self.connection)
        if include_key:
            key = self.heading.primary_key
            arrays = fetch.to_arrays(plan, self.connection, (*key, *attributes))
            lists = [array.tolist() for array in arrays[: len(key)]]
            keys = [dict(zip(key, values, strict=True)) for values in zip(*lists, strict=True)]
            return (keys, *arrays[len(key) :])
        arrays = fetch.to_arrays(plan, self.connection, attributes)
        return arrays[0] if len(arrays) == 1 else tuple(arrays)

    @on_class
    def fetch1(self, *attributes: str) -> Any:
        """The only row: as a dict, or the values of the attributes named.

        Raises `QueryError` unless there is exactly one row.
        """
        if not attributes:
            return the_only_row(self.logical_plan, self.connection)
        chosen = self.proj(*(name for name in attributes if name not in self.heading.primary_key))
        row = the_only_row(chosen.logical_plan, self.connection)
        values = tuple(row[name] for name in attributes)
        return values[0] if len(values) == 1 else values

    @on_class
    def keys(
        self, order_by: OrderBy = None, limit: int | None = None, offset: int | None = None
    ) -> list[dict[str, Any]]:
        """The primary keys as dicts."""
        return fetch.to_dicts(
            analyze.project(self._ordered(order_by, limit, offset), (), {}), self.connection
        )

    @on_class
    def head(self, limit: int = 25) -> list[dict[str, Any]]:
        """The first rows by primary key."""
        return self.to_dicts(order_by="KEY", limit=limit)

    @on_class
    def tail(self, limit: int = 25) -> list[dict[str, Any]]:
        """The last rows by primary key, in ascending order."""
        return self.to_dicts(order_by="KEY DESC", limit=limit)[::-1]

    @on_class
    def to_batches(self) -> "pa.RecordBatchReader":
        """Rows as a stream of record batches in bounded memory; codec columns stay encoded."""
        return fetch.batches(self.logical_plan, self.connection)

    @on_class
    def lazy(self) -> "pl.LazyFrame":
        """A Polars lazy frame whose filters, columns and limits the server applies, as far as it can.

        Each collection reads the rows anew; `sink_parquet` and other sinks run in bounded memory.
        Raises `QueryError` inside a transaction.
        """
        return lazy_frame(self.logical_plan, self.connection)

    @on_class
    def partitions(self, n: int) -> Partitions:
        """The rows in `n` ranges of the key, of about equal size, all in the database as it is now.

        Each partition can be pickled and read in another process while the snapshot lives: until the
        partitions are closed or no longer referred to here.
        Raises `QueryError` inside a transaction.
        """
        return partitions(self.logical_plan, self.connection, n)

    @on_class
    def to_dask(self, npartitions: int | None = None) -> "dd.DataFrame":
        """A Dask frame that reads ranges of the key, all in the database as it is now.

        `npartitions` is one for each 250,000 rows by default. Needs the extra `dask`.
        Raises `QueryError` inside a transaction.
        """
        return to_dask(self.logical_plan, self.connection, npartitions)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_batches().__arrow_c_stream__(requested_schema)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return fetch.iterate(self.logical_plan, self.connection)

    def fetch(self, *_args: object, **_kwargs: object) -> None:
        """Removed: raises `DjflowError` and names the methods to use."""
        raise DjflowError(
            "fetch() has no single meaning: use to_dicts(), to_polars(), to_arrays() or keys()."
        )

    # questions

    def __len__(self) -> int:
        self.connection.before_query(self.logical_plan)
        session = self.connection.session
        return execute.count(session, resolved(session, self.logical_plan))

    def __bool__(self) -> bool:
        self.connection.before_query(self.logical_plan)
        session = self.connection.session
        return execute.exists(session, resolved(session, self.logical_plan))

    def __contains__(self, condition: Any) -> bool:
        return bool(self & condition)

    @on_class
    def make_sql(self) -> str:
        """The SQL of the query with its values written in: for reading, learning, and psql.

        Where Polars finishes the query, comments below the SQL say what it does.
        """
        return readable_sql(self.logical_plan)

    @on_class
    def explain(self, *, analyze: bool = False) -> Explanation:
        """How the query will be answered; with `analyze`, also PostgreSQL's own plan, run with times."""
        explanation = explained(self.logical_plan)
        if not analyze:
            return explanation
        self.connection.before_query(self.logical_plan)
        return explanation.analysed(self.connection.session)

    # habits

    def __getitem__(self, item: Any) -> NoReturn:
        habits.refuse_item(type(self).__name__, item)

    if not TYPE_CHECKING:  # type checkers know the names there are

        def __getattr__(self, name: str) -> NoReturn:
            raise habits.missing(type(self).__name__, name, lambda: self.heading.names)

    # looks

    @on_class
    def preview(self, limit: int | None = None, width: int | None = None) -> str:
        """The first rows as text: at most `limit` of them, long texts cut to `width` characters.

        By default as many rows as the setting `display.limit` says, and texts as wide as the screen allows,
        but no narrower than `display.width`.
        """
        self.connection.before_query(self.logical_plan)
        settings = self.connection.settings.display
        return look(self.logical_plan, self.connection, settings, limit=limit).text(width)

    def _look(self) -> Look:
        return looked_at(self)

    def __repr__(self) -> str:
        return self._look().text()

    def _repr_html_(self) -> str:
        return self._look().html()

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        found = self._look()  # once for both
        return {"text/plain": found.text(), "text/html": found.html()}
