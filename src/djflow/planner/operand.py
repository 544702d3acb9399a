"""Queries over one table, connected by its columns, whatever the query calls them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from djflow.errors import QueryError
from djflow.model.table import Attribute, Table
from djflow.planner import scalar as s
from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    LocalAggregate,
    LocalCompute,
    LocalRestrict,
    Node,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    Top,
)


@dataclass(frozen=True, slots=True)
class Operand:
    """A query over one table. `names` tells which attribute carries a column of the table unchanged."""

    node: Node
    table: Table
    names: Mapping[str, str]

    def attribute(self, column: str) -> str:
        """The attribute that carries a column of the table. Raises `QueryError` where none does."""
        if column not in self.names:
            fate = "gives that name to another value" if column in self.node.heading else "leaves it out"
            raise QueryError(
                f"The foreign keys need {column!r} of {self.table.name}, but the query {fate}. "
                "Restrict along the foreign keys first, and project afterwards."
            )
        return self.names[column]


def operand(node: Node) -> Operand:
    """The table whose rows a query restricts or projects. Raises `QueryError` where there are several."""
    match node:
        case Scan(table):
            return Operand(node, table, {name: name for name in table.heading.names})
        case Restrict(source) | SemiJoin(source) | Top(source) | Aggregate(source) | Distinct(source):
            return replace(operand(source), node=node)
        case LocalRestrict(source) | LocalCompute(source) | LocalAggregate(source):
            return replace(operand(source), node=node)
        case Project(source, columns):
            inner = operand(source)
            carried = {e.name: a.name for a, e in reversed(columns) if isinstance(e, s.Column)}
            names = {column: carried[name] for column, name in inner.names.items() if name in carried}
            return Operand(node, inner.table, names)
        case _:
            raise QueryError(
                "A restriction along foreign keys needs queries over one table each. "
                "Restrict the tables first, and join afterwards."
            )


def present(lower: Operand, columns: Iterable[str]) -> Operand:
    """The rows whose foreign keys refer to something, where the match itself does not imply that."""
    names = [lower.attribute(column) for column in sorted(columns)]
    if not names:
        return lower
    parts = tuple(s.Not(s.IsNull(_column(lower.node, name))) for name in names)
    return replace(lower, node=Restrict(lower.node, s.conjunction(parts)))


def matched(source: Operand, other: Operand, columns: Sequence[tuple[str, str]]) -> Operand:
    """Rows of `source` with a row of `other` that has equal values in pairs of columns."""
    keys, on = keys_to_match(source, other, columns)
    return replace(source, node=SemiJoin(source.node, keys, on))


def keys_to_match(
    source: Operand, other: Operand, columns: Sequence[tuple[str, str]]
) -> tuple[Node, tuple[str, ...]]:
    """The rows of `other` under the names of `source`, and the names in which matching rows are equal."""
    pairs = [(source.attribute(own), other.attribute(its)) for own, its in columns]
    wanted: dict[str, str] = {}
    for own, its in pairs:
        wanted.setdefault(own, its)
    return _renamed(_with_equal(other.node, pairs, wanted), wanted), tuple(wanted)


def _with_equal(node: Node, pairs: Sequence[tuple[str, str]], wanted: Mapping[str, str]) -> Node:
    """The rows that can match where one column refers to two: those in which the two are equal."""
    parts = tuple(
        s.Compare("=", _column(node, wanted[own]), _column(node, its))
        for own, its in pairs
        if wanted[own] != its
    )
    return Restrict(node, s.conjunction(parts)) if parts else node


def _renamed(node: Node, wanted: Mapping[str, str]) -> Node:
    """The attributes to match under the names of the other side, and what else belongs to the key.

    The key stays whole: a heading that names less would promise that the rest is unique.
    """
    if all(new == old for new, old in wanted.items()):
        return node
    outputs = dict(wanted)
    for name in node.heading.primary_key:
        if name not in wanted.values():
            outputs[_free_name(name, outputs)] = name
    columns = [_renaming(node.heading[old], new) for new, old in outputs.items()]
    return Project(node, tuple(sorted(columns, key=lambda column: not column[0].in_key)))


def _renaming(attribute: Attribute, new: str) -> tuple[Attribute, s.Scalar]:
    return replace(attribute, name=new), s.Column(attribute.name, attribute.stored)


def _free_name(name: str, taken: Iterable[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _column(node: Node, name: str) -> s.Column:
    return s.Column(name, node.heading[name].stored)
