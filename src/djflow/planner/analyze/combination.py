"""Sets of rows: union, and the distinct values that a universal set picks out of a relation."""

from collections.abc import Sequence
from dataclasses import replace

from djflow.errors import QueryError, UnknownAttributeError
from djflow.planner import scalar as s
from djflow.planner.analyze.matching import homologous
from djflow.planner.memo import memoised
from djflow.planner.nodes import Distinct, Node, Project, Union


@memoised
def union(left: Node, right: Node) -> Node:
    """A row for every key of either side, with the attributes of both; null where a side lacks the key.

    Raises `QueryError` unless both have the same primary key and no other attribute in common,
    and `SemanticMatchError` where namesakes in the key differ in origin.
    """
    keys = left.heading.primary_key, right.heading.primary_key
    if set(keys[0]) != set(keys[1]):
        raise QueryError(
            f"A union needs the same primary key on both sides, but they are {_listed(keys[0])} "
            f"and {_listed(keys[1])}. Rename with proj(new='old'), or regroup with dj.U(...) & query."
        )
    shared = [name for name in left.heading.secondary if name in right.heading.secondary]
    if shared:
        raise QueryError(
            f"A union cannot have {_listed(shared)} outside the key on both sides: which value would count? "
            f"Rename one, or leave it out with proj(..., '-{shared[0]}')."
        )
    homologous(left.heading, right.heading)
    return Union(left, right)


def _listed(names: Sequence[str]) -> str:
    return f"({', '.join(names)})"


@memoised
def distinct(source: Node, names: Sequence[str]) -> Node:
    """The different combinations of values of some attributes, which become the primary key.

    >>> from djflow.model.table import Attribute, Heading
    >>> from djflow.planner.nodes import Empty
    >>> heading = Heading((Attribute("id", s.INT64, s.INT64, True), Attribute("age", s.INT64, s.INT64)))
    >>> distinct(Empty(heading), ["age"]).heading.primary_key
    ('age',)

    Raises `UnknownAttributeError` for an attribute that the source lacks.
    """
    for name in names:
        if name not in source.heading:
            raise UnknownAttributeError(name, source.heading.names, context="dj.U")
    chosen = [source.heading[name] for name in dict.fromkeys(names)]
    columns = ((replace(a, in_key=True), s.Column(a.name, a.stored)) for a in chosen)
    return Distinct(Project(source, tuple(columns)))
