"""The public algebra: immutable, lazy expressions over tables."""

from collections.abc import Iterator, Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from djflow.engine import execute
from djflow.engine.compile import compile_plan
from djflow.errors import DjflowError, QueryError
from djflow.model.table import Heading
from djflow.planner import analyze
from djflow.planner.nodes import Node, base_tables
from djflow.relation import fetch, preview
from djflow.relation.conditions import HasPlan, Not, restricted
from djflow.relation.database import Database
from djflow.relation.explanation import Explanation, readable_sql

if TYPE_CHECKING:
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

    @property
    def logical_plan(self) -> Node:
        """The plan as written, before optimisation."""
        return self._plan

    @property
    def connection(self) -> Database:
        """The database that the relation reads."""
        return self._database

    @property
    def heading(self) -> Heading:
        """The attributes, primary key first."""
        return self.logical_plan.heading

    @property
    def primary_key(self) -> list[str]:
        """The names of the primary key."""
        return list(self.heading.primary_key)

    def _derived(self, plan: Node) -> "Relation":
        return Relation(plan, self.connection)

    # restriction

    def restrict(self, condition: Any, semantic_check: bool = True) -> "Relation":  # noqa: FBT001, FBT002
        """Rows that satisfy a condition: a dict, string, list (any of), frame of keys, or relation.

        Raises `UnknownAttributeError`, `QuerySyntaxError`, `DataTypeError` or `SemanticMatchError`
        before anything is sent to the server.
        """
        self._same_database(condition)
        return self._derived(restricted(self.logical_plan, condition, semantic_check=semantic_check))

    def __and__(self, condition: Any) -> "Relation":
        return self.restrict(condition)

    def __sub__(self, condition: Any) -> "Relation":
        return self.restrict(Not(condition))

    # combination

    def proj(self, *attributes: str | EllipsisType, **named: str) -> "Relation":
        """The primary key, the attributes named, and those renamed or computed.

        `...` stands for all, `'-name'` leaves one out; `new='old'` renames, `new='(old)'` duplicates,
        `new='expression'` computes.
        """
        return self._derived(analyze.project(self.logical_plan, attributes, named))

    def join(self, other: Any, semantic_check: bool = True, left: bool = False) -> "Relation":  # noqa: FBT001, FBT002
        """Pairs of rows that match in all shared attributes of the same lineage."""
        plan = self._operand(other)
        return self._derived(
            analyze.join(self.logical_plan, plan, semantic_check=semantic_check, keep_left=left)
        )

    def __mul__(self, other: Any) -> "Relation":
        return self.join(other)

    def extend(self, other: Any, semantic_check: bool = True) -> "Relation":  # noqa: FBT001, FBT002 - documented
        """All rows, with the attributes of `other` where it has a matching row."""
        return self.join(other, semantic_check=semantic_check, left=True)

    def aggr(
        self, group: Any, *attributes: str | EllipsisType, exclude_nonmatching: bool = False, **named: str
    ) -> "Relation":
        """All rows, with summaries of the matching rows of `group`, such as `n="count(trial)"`."""
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
            raise QueryError(f"Expected a table or a query, not {type(other).__name__}.")
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

    def to_arrow(
        self, order_by: OrderBy = None, limit: int | None = None, offset: int | None = None
    ) -> "pa.Table":
        """All rows as an Arrow table in exact types."""
        return fetch.to_arrow(self._ordered(order_by, limit, offset), self.connection)

    def to_polars(
        self, order_by: OrderBy = None, limit: int | None = None, offset: int | None = None
    ) -> "pl.DataFrame":
        """All rows as a Polars frame."""
        return fetch.to_polars(self._ordered(order_by, limit, offset), self.connection)

    def to_pandas(
        self, order_by: OrderBy = None, limit: int | None = None, offset: int | None = None
    ) -> "pd.DataFrame":
        """All rows as a pandas frame, indexed by the primary key."""
        return fetch.to_pandas(self._ordered(order_by, limit, offset), self.connection)

    def to_dicts(
        self, order_by: OrderBy = None, limit: int | None = None, offset: int | None = None
    ) -> list[dict[str, Any]]:
        """All rows as dicts of Python values."""
        return fetch.to_dicts(self._ordered(order_by, limit, offset), self.connection)

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

    def fetch1(self, *attributes: str) -> Any:
        """The only row: as a dict, or the values of the attributes named.

        Raises `QueryError` unless there is exactly one row.
        """
        if not attributes:
            return fetch.the_only_row(self.logical_plan, self.connection)
        chosen = self.proj(*(name for name in attributes if name not in self.heading.primary_key))
        row = fetch.the_only_row(chosen.logical_plan, self.connection)
        values = tuple(row[name] for name in attributes)
        return values[0] if len(values) == 1 else values

    def keys(
        self, order_by: OrderBy = None, limit: int | None = None, offset: int | None = None
    ) -> list[dict[str, Any]]:
        """The primary keys as dicts."""
        return fetch.to_dicts(
            analyze.project(self._ordered(order_by, limit, offset), (), {}), self.connection
        )

    def head(self, limit: int = 25) -> list[dict[str, Any]]:
        """The first rows by primary key."""
        return self.to_dicts(order_by="KEY", limit=limit)

    def tail(self, limit: int = 25) -> list[dict[str, Any]]:
        """The last rows by primary key, in ascending order."""
        return self.to_dicts(order_by="KEY DESC", limit=limit)[::-1]

    def to_batches(self) -> "pa.RecordBatchReader":
        """Rows as a stream of record batches in bounded memory; codec columns stay encoded."""
        return fetch.batches(self.logical_plan, self.connection)

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
        self.connection.ensure(base_tables(self.logical_plan))
        return execute.count(self.connection.session, self.logical_plan)

    def __bool__(self) -> bool:
        self.connection.ensure(base_tables(self.logical_plan))
        return execute.exists(self.connection.session, self.logical_plan)

    def __contains__(self, condition: Any) -> bool:
        return bool(self & condition)

    def make_sql(self) -> str:
        """The SQL of the query with its values written in: for reading, learning, and psql."""
        return readable_sql(compile_plan(self.logical_plan).statement)

    def explain(self, *, analyze: bool = False) -> Explanation:
        """How the query will be answered; with `analyze`, also PostgreSQL's own plan, run with times."""
        compiled = compile_plan(self.logical_plan)
        if not analyze:
            return Explanation(compiled)
        self.connection.ensure(base_tables(self.logical_plan))
        return Explanation(compiled, execute.analysed(self.connection.session, compiled.statement))

    # looks

    def preview(self, limit: int | None = None) -> str:
        """The first rows as text."""
        return preview.as_text(self.logical_plan, self.connection, self._preview_limit(limit))

    def _preview_limit(self, limit: int | None) -> int:
        return self.connection.settings.display.limit if limit is None else limit

    def __repr__(self) -> str:
        try:
            return self.preview()
        except DjflowError as error:
            return f"<{type(self).__name__} of {', '.join(self.heading.names)}: {error}>"

    def _repr_html_(self) -> str:
        return preview.as_html(self.logical_plan, self.connection, self._preview_limit(None))
