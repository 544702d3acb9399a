"""The universal set: regroup a relation by any of its attributes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeAlias, cast

from djflow.errors import QueryError
from djflow.planner import analyze
from djflow.planner.nodes import Node
from djflow.relation.conditions import HasPlan
from djflow.relation.frames import as_frame
from djflow.relation.habits import expected
from djflow.relation.relation import Relation

if TYPE_CHECKING:
    from types import EllipsisType

    import polars as pl

_Refusal: TypeAlias = Callable[["U", Any], NoReturn]


class U:
    """The set of all values of some attributes, to be restricted by a relation that has them.

    `dj.U("a", "b") & query` gives the different values of `a` and `b` in a query, and
    `dj.U("a").aggr(query, n="count(*)")` summaries for each value of `a`. The attributes become
    the primary key. `dj.U()` has none: `dj.U().aggr(query, n="count(*)")` summarises the whole query.

    >>> U("a", "b")
    U('a', 'b')
    """

    attributes: tuple[str, ...]

    def __init__(self, *attributes: str) -> None:
        for name in attributes:
            if not isinstance(name, str):
                raise QueryError(f"dj.U takes names of attributes, not {name!r}.")
        self.attributes = tuple(dict.fromkeys(attributes))

    def __repr__(self) -> str:
        return f"U({', '.join(map(repr, self.attributes))})"

    @property
    def primary_key(self) -> list[str]:
        """The names of the attributes, all of which identify."""
        return list(self.attributes)

    @property
    def as_operand(self) -> str:
        """What to write where it stands as the right operand."""
        return f"Write it first, as in dj.{self!r} & query: the different values in a query."

    def __and__(self, other: Any) -> Relation:
        plan, source = _operand(other)
        return Relation(analyze.distinct(plan, self.attributes), source.connection)

    def restrict(self, other: Any) -> Relation:
        """The different values of the attributes in a relation.

        Raises `UnknownAttributeError` for an attribute that the relation lacks.
        """
        return self.__and__(other)

    def aggr(
        self,
        group: Any,
        *attributes: "str | EllipsisType",
        exclude_nonmatching: bool = True,
        **named: "str | pl.Expr",
    ) -> Relation:
        """Summaries of a relation's rows for each combination of values of the attributes.

        Raises `QueryError` for `exclude_nonmatching=False`: a universal set has no end of other values.
        """
        if not exclude_nonmatching:
            raise QueryError(
                "dj.U(...).aggr has only the values that occur: there is no end of others to keep."
            )
        plan, source = _operand(group)
        analyze.refuse_unnamed(attributes)
        for name in attributes:
            if name is not Ellipsis and name not in self.attributes:
                raise QueryError(
                    f"{name!r} is not among the attributes that {self!r} groups by; name it there."
                )
        return Relation(analyze.group(plan, self.attributes, named), source.connection)

    def _refuse(self, _other: Any) -> NoReturn:
        raise QueryError(f"{self!r} is infinite: restrict it with &, or summarise with .aggr().")

    __add__: ClassVar[_Refusal] = _refuse
    __sub__: ClassVar[_Refusal] = _refuse
    __mul__: ClassVar[_Refusal] = _refuse
    __radd__: ClassVar[_Refusal] = _refuse
    __rsub__: ClassVar[_Refusal] = _refuse
    __rmul__: ClassVar[_Refusal] = _refuse
    __rand__: ClassVar[_Refusal] = _refuse


def _operand(other: Any) -> tuple[Node, Relation]:
    if isinstance(other, U):
        raise QueryError("Restrict dj.U by a table or a query, not by another dj.U.")
    if not isinstance(other, HasPlan):
        if as_frame(other) is not None:
            raise QueryError(
                f"dj.U picks values from a table or a query, not from a {type(other).__name__}. "
                "Restrict a table by the frame first: dj.U(...) & (table & frame)."
            )
        raise expected(other, "a table or a query")
    source = cast("Relation", other() if isinstance(other, type) else other)
    return source.logical_plan, source
