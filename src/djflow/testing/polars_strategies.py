"""Hypothesis strategies of Polars expressions over a heading: such as the server computes, and others."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from hypothesis import strategies as st

from djflow.model.table import Attribute, Heading
from djflow.planner.scalar import is_numeric, is_text
from djflow.testing.databases import values
from djflow.testing.naive_values import kind_of

if TYPE_CHECKING:
    import polars as pl

# Of a column and a value that it may hold.
_Template: TypeAlias = "Callable[[pl.Expr, Any], pl.Expr]"
_Templates: TypeAlias = Mapping[str, tuple[_Template, ...]]

_ON_ANYTHING: Final[tuple[_Template, ...]] = (
    lambda column, _: column.is_null(),
    lambda column, _: column.is_not_null(),
)
_COMPARED: Final[tuple[_Template, ...]] = (
    lambda column, value: column == value,
    lambda column, value: column != value,
    lambda column, value: column > value,
    lambda column, value: ~(column <= value),
    lambda column, value: (column < value) | column.is_null(),
    lambda column, value: column.is_in([value]),
    lambda column, value: (column == value).fill_null(value=False),
)
_TRANSLATED: Final[_Templates] = {
    "number": _COMPARED,
    "text": (
        *_COMPARED,
        lambda column, _: column.str.starts_with("a"),
        lambda column, _: column.str.len_chars() > 1,
    ),
    "date": (*_COMPARED, lambda column, _: column.dt.year() == 2024),  # noqa: PLR2004 - a year
    "datetime": (*_COMPARED, lambda column, _: column.dt.hour() > 0),
    "bool": (lambda column, _: column, lambda column, _: ~column),
}
_OPAQUE: Final[_Templates] = {
    "number": (
        lambda column, _: column > column.mean(),
        lambda column, _: column == column.max(),
        lambda column, _: column.rank("min") > 1,
        lambda column, _: column.cum_count() > 1,
        lambda column, _: column.shift(1).is_null(),
    ),
    "text": (
        lambda column, _: column.str.to_uppercase() == "A",
        lambda column, _: column.str.reverse() > "a",
        lambda column, _: column.is_first_distinct(),
    ),
    "date": (lambda column, _: column == column.max(),),
    "bool": (lambda column, _: column.cum_count() > 1,),
}
_COMPUTED: Final[_Templates] = {
    "number": (
        lambda column, _: column + 1,
        lambda column, _: column * 2 > 1,
        lambda column, _: column / 2,
        lambda column, _: column.fill_null(1),
        lambda column, _: column.cum_sum(),
        lambda column, _: column.rank("min"),
        lambda column, _: column - column.min(),
        lambda column, _: column.shift(1),
    ),
    "text": (
        lambda column, _: column + "x",
        lambda column, _: column.str.to_uppercase(),
        lambda column, _: column.str.reverse(),
        lambda column, _: column.str.len_chars(),
        lambda column, value: column.fill_null(value),
        lambda column, _: column.shift(1),
    ),
    "date": (lambda column, _: column.dt.year(), lambda column, _: column.shift(-1)),
    "datetime": (lambda column, _: column.dt.date(), lambda column, _: column.dt.minute()),
    "bool": (lambda column, _: ~column, lambda column, _: column.shift(1)),
}
_SUMMARIES: Final[_Templates] = {
    "number": (
        lambda column, _: column.min(),
        lambda column, _: column.max(),
        lambda column, _: column.median(),
        lambda column, _: column.first(),
        lambda column, value: (column > value).sum(),
        lambda column, _: column.mode().max(),
    ),
    "text": (
        lambda column, _: column.max(),
        lambda column, _: column.last(),
        lambda column, _: column.str.to_uppercase().max(),
    ),
    "date": (lambda column, _: column.min(), lambda column, _: column.first()),
    "datetime": (lambda column, _: column.max(),),
    "bool": (lambda column, _: column.any(), lambda column, _: column.first()),
}
_COUNTS: Final[tuple[_Template, ...]] = (
    lambda column, _: column.count(),
    lambda column, _: column.null_count(),
    lambda column, _: column.n_unique(),
)


def translated_conditions(heading: Heading) -> "st.SearchStrategy[pl.Expr]":
    """Conditions that the server decides."""
    return _filled(heading, _TRANSLATED, _ON_ANYTHING)


def conditions(heading: Heading) -> "st.SearchStrategy[pl.Expr]":
    """Conditions, alone or two together, of which Polars has to decide many."""
    one = _filled(heading, _OPAQUE, ()) | _filled(heading, _TRANSLATED, _ON_ANYTHING)
    return one | st.builds(lambda left, right: left & right, one, one)


def expressions(heading: Heading) -> "st.SearchStrategy[pl.Expr]":
    """Computed attributes, of which Polars has to compute many."""
    return _filled(heading, _COMPUTED, _ON_ANYTHING)


def summaries(heading: Heading) -> "st.SearchStrategy[pl.Expr]":
    """Summaries of groups, of which Polars has to compute many."""
    return _filled(heading, _SUMMARIES, _COUNTS)


@st.composite
def _filled(
    draw: st.DrawFn, heading: Heading, templates: _Templates, universal: tuple[_Template, ...]
) -> "pl.Expr":
    import polars as pl

    options = [(a, t) for a in heading for t in (*templates.get(_group(a), ()), *_for_all(a, universal))]
    if not options:
        return pl.lit(value=True) if not heading.names else pl.col(heading.names[0]).is_not_null()
    attribute, template = draw(st.sampled_from(options))
    return template(pl.col(attribute.name), draw(values(attribute.stored)))


def _for_all(attribute: Attribute, templates: tuple[_Template, ...]) -> tuple[_Template, ...]:
    return () if _group(attribute) == "json" else templates


def _group(attribute: Attribute) -> str:
    if is_numeric(attribute.stored):
        return "number"
    return "text" if is_text(attribute.stored) else kind_of(attribute.stored)
