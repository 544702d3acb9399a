"""What people restrict by, turned into plans: dicts, strings, collections, frames, relations."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from djflow.errors import DjflowError, QueryError
from djflow.model.table import Attribute, Heading
from djflow.planner import analyze
from djflow.planner import scalar as s
from djflow.planner.coerce import coerce
from djflow.planner.nodes import LocalFrame, Node, SemiJoin
from djflow.planner.parameters import as_travelling, travel_type
from djflow.planner.text import parse_condition


class AndList(list[Any]):
    """Conditions that must all hold; a plain list means that any of them does.

    >>> AndList(["a > 1", {"b": 2}])
    ['a > 1', {'b': 2}]
    """


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition: rows for which it does not hold."""

    condition: Any


@dataclass(frozen=True, slots=True)
class Top:
    """The first rows in an order, for use with `&`.

    `limit` None keeps all rows; `order_by` names attributes, "KEY" the primary key, each with an
    optional DESC.
    """

    limit: int | None = 1
    order_by: str | Sequence[str] | None = "KEY"
    offset: int = 0


@runtime_checkable
class HasPlan(Protocol):
    """A relation, or a class of tables."""

    @property
    def logical_plan(self) -> Node:
        """The logical plan."""
        ...


def restricted(source: Node, condition: Any, *, negated: bool = False, semantic_check: bool = True) -> Node:
    """The plan of `source & condition`, or of `source - condition`.

    Raises the typed errors of the planner, and `QueryError` for a condition of an unknown kind.
    """
    if isinstance(condition, Not):
        return restricted(source, condition.condition, negated=not negated, semantic_check=semantic_check)
    if isinstance(condition, Top):
        if negated:
            raise QueryError("Top can only be used with `&`.")
        return analyze.top(source, condition.order_by, condition.limit, condition.offset)
    if isinstance(condition, HasPlan):
        return analyze.semi_join(
            source, condition.logical_plan, negated=negated, semantic_check=semantic_check
        )
    if isinstance(condition, AndList) and not negated:
        for item in condition:
            source = restricted(source, item, semantic_check=semantic_check)
        return source
    frame = _local_frame(condition, source.heading)
    if frame is not None:
        return _match_frame(source, frame, negated=negated)
    scalar = _scalar(condition, source.heading, semantic_check=semantic_check)
    return analyze.exclude(source, scalar) if negated else analyze.restrict(source, scalar)


def _match_frame(source: Node, frame: LocalFrame, *, negated: bool) -> Node:
    if not frame.heading:
        scalar = s.TRUE if frame.frame.num_rows else s.FALSE
        return analyze.exclude(source, scalar) if negated else analyze.restrict(source, scalar)
    return SemiJoin(source, frame, frame.heading.names, negated)


def _scalar(condition: Any, heading: Heading, *, semantic_check: bool) -> s.Scalar:  # noqa: C901 - the kinds of conditions, each once
    def inner(item: Any) -> s.Scalar:
        return _scalar(item, heading, semantic_check=semantic_check)

    match condition:
        case bool():
            return s.TRUE if condition else s.FALSE
        case str():
            return parse_condition(condition, heading)
        case Mapping():
            return analyze.equalities(condition, heading)
        case Not():
            return s.Not(s.IsTrue(inner(condition.condition)))
        case AndList():
            return s.And(tuple(map(inner, condition)))
        case HasPlan():
            on = analyze.homologous(heading, condition.logical_plan.heading, semantic_check=semantic_check)
            return s.Matches(condition.logical_plan, on)
        case Top():
            raise QueryError("Top cannot stand inside a list of conditions; restrict by it on its own.")
        case Collection() if not isinstance(condition, bytes):
            frame = _local_frame(condition, heading)
            if frame is not None and frame.heading:
                return s.Matches(frame, frame.heading.names)
            return s.Or(tuple(map(inner, condition)))
    if hasattr(condition, "dtype") and getattr(condition.dtype, "names", None):
        names = condition.dtype.names
        return analyze.equalities({name: condition[name] for name in names}, heading)
    raise QueryError(
        f"Cannot restrict by {type(condition).__name__}. "
        "Use a dict, a string, a list of these, a frame, or a query."
    )


# frames


def _local_frame(condition: Any, heading: Heading) -> LocalFrame | None:
    """The keys that a frame or a list of alike dicts holds, or None for other conditions."""
    if isinstance(condition, list | tuple) and not isinstance(condition, AndList):
        return _frame_of_dicts(condition, heading)
    dtype = getattr(condition, "dtype", None)
    if dtype is not None and getattr(dtype, "names", None) and getattr(condition, "ndim", 0) == 1:
        columns = {name: pa.array(condition[name]) for name in dtype.names if name in heading}
        return _frame(columns, heading) if columns else None
    table = _arrow_table(condition)
    if table is None:
        return None
    if not any(name in heading for name in table.column_names):
        # No shared attribute: what matters is whether there are rows.
        return LocalFrame(pa.table({"_row": pa.nulls(table.num_rows)}), Heading(()))
    return _frame({name: table.column(name) for name in table.column_names if name in heading}, heading)


def _arrow_table(condition: Any) -> pa.Table | None:
    if hasattr(condition, "index") and hasattr(condition, "reset_index") and hasattr(condition, "columns"):
        named = any(
            name is not None for name in condition.index.names
        )  # pandas, perhaps with the key as its index
        return pa.Table.from_pandas(condition.reset_index() if named else condition, preserve_index=False)
    if isinstance(condition, HasPlan) or not hasattr(condition, "__arrow_c_stream__"):
        return None
    return pa.RecordBatchReader.from_stream(condition).read_all()


def _frame(columns: Mapping[str, Any], heading: Heading) -> LocalFrame:
    attributes = [heading[name] for name in columns]
    arrays = [_travelling(columns[a.name], a) for a in attributes]
    return LocalFrame(pa.table(arrays, names=list(columns)), Heading(tuple(attributes)))


def _travelling(column: Any, attribute: Attribute) -> pa.ChunkedArray | pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        return column.cast(travel_type(attribute.stored))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _coerced(column.to_pylist(), attribute)


def _frame_of_dicts(rows: Sequence[Any], heading: Heading) -> LocalFrame | None:
    # Tests run once a type, not once a value: there may be many thousand keys.
    if not rows or not all(issubclass(kind, Mapping) for kind in set(map(type, rows))):
        return None
    names = [name for name in rows[0] if name in heading]
    keys = rows[0].keys()
    if not names or any(row.keys() != keys for row in rows):
        return None
    if any("." in name and name.partition(".")[0] in heading for name in keys):
        return None
    columns = {name: [row[name] for row in rows] for name in names}
    if any(_is_special(kind) for values in columns.values() for kind in set(map(type, values))):
        return None
    attributes = [heading[name] for name in names]
    arrays = [_from_values(columns[a.name], a) for a in attributes]
    return LocalFrame(pa.table(arrays, names=names), Heading(tuple(attributes)))


def _is_special(kind: type) -> bool:
    """A null means IS NULL and a list means IN; neither is equality."""
    return issubclass(kind, NoneType | list | tuple | set | dict)


def _from_values(values: list[Any], attribute: Attribute) -> pa.Array:
    travel = travel_type(attribute.stored)
    kinds = set(map(type, values))
    if (travel == pa.int64() and kinds == {int}) or (travel == pa.string() and kinds == {str}):
        try:
            return _plain_text(values, attribute) if travel == pa.string() else pa.array(values, travel)
        except (pa.ArrowInvalid, OverflowError):
            pass
    return _coerced(values, attribute)


def _plain_text(values: list[str], attribute: Attribute) -> pa.Array:
    if not s.is_text(attribute.stored):
        return _coerced(values, attribute)
    return pa.array(values, pa.string())


def _coerced(values: Iterable[Any], attribute: Attribute) -> pa.Array:
    travel = travel_type(attribute.stored)
    fitted = []
    for row, value in enumerate(values):
        try:
            found, type_ = coerce(value, attribute.stored, attribute.name)
        except DjflowError as error:
            raise error.suggest(f"It stands in row {row} of the keys.") from None
        same = travel_type(type_) == travel
        fitted.append(as_travelling(found if same else None, travel))  # 2.5 equals no integer
    return pa.array(fitted, travel)
