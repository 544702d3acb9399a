"""The logical plan: closed union of frozen nodes, each with its heading."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias, assert_never

from djflow.model.table import Attribute, Heading, Table
from djflow.planner.scalar import Matches, Scalar, walk

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Scan:
    """All rows of a table."""

    table: Table

    @cached_property
    def heading(self) -> Heading:
        """The visible attributes of the table."""
        return self.table.heading


@dataclass(frozen=True)
class LocalFrame:
    """Rows held by the client, shipped as typed arrays."""

    frame: "pa.Table"
    heading: Heading

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, LocalFrame) and self.heading == other.heading and self.frame.equals(other.frame)
        )

    def __hash__(self) -> int:
        return hash((self.heading, self.frame.num_rows))


@dataclass(frozen=True)
class Restrict:
    """Rows of `source` for which `condition` is true."""

    source: "Node"
    condition: Scalar

    @property
    def heading(self) -> Heading:
        """The heading of the source."""
        return self.source.heading


@dataclass(frozen=True)
class SemiJoin:
    """Rows of `source` with (or, negated, without) a row of `other` equal in the attributes `on`."""

    source: "Node"
    other: "Node"
    on: tuple[str, ...]
    negated: bool = False

    @property
    def heading(self) -> Heading:
        """The heading of the source."""
        return self.source.heading


@dataclass(frozen=True)
class Project:
    """Attributes selected, renamed or computed; each output has an expression over the source."""

    source: "Node"
    columns: tuple[tuple[Attribute, Scalar], ...]

    @cached_property
    def heading(self) -> Heading:
        """The outputs, in order."""
        return Heading(tuple(attribute for attribute, _ in self.columns))


@dataclass(frozen=True)
class Join:
    """Pairs of rows equal in the attributes `on`; `left` keeps rows of the left side without a match."""

    left: "Node"
    right: "Node"
    on: tuple[str, ...]
    heading: Heading
    kind: Literal["inner", "left"] = "inner"


@dataclass(frozen=True)
class Aggregate:
    """Rows of `source`, each with summaries of the rows of `other` equal in the attributes `on`."""

    source: "Node"
    other: "Node"
    on: tuple[str, ...]
    summaries: tuple[tuple[Attribute, Scalar], ...]
    keep_all: bool = True

    @cached_property
    def heading(self) -> Heading:
        """The source's attributes, then the summaries."""
        return Heading((*self.source.heading, *(attribute for attribute, _ in self.summaries)))


@dataclass(frozen=True, slots=True)
class Order:
    """One term of an ordering; nulls come last, descending or not."""

    name: str
    descending: bool = False


@dataclass(frozen=True)
class Top:
    """The first rows in an order. `limit` None keeps all."""

    source: "Node"
    order: tuple[Order, ...]
    limit: int | None = None
    offset: int = 0

    @property
    def heading(self) -> Heading:
        """The heading of the source."""
        return self.source.heading


@dataclass(frozen=True)
class Empty:
    """No rows."""

    heading: Heading


Node: TypeAlias = Scan | LocalFrame | Restrict | SemiJoin | Project | Join | Aggregate | Top | Empty


def inputs(node: Node) -> tuple[Node, ...]:
    """The direct operands of a node."""
    match node:
        case Scan() | LocalFrame() | Empty():
            return ()
        case Restrict() | Project() | Top():
            return (node.source,)
        case SemiJoin() | Aggregate():
            return node.source, node.other
        case Join():
            return node.left, node.right
        case _ as never:
            assert_never(never)


def with_inputs(node: Node, new: tuple[Node, ...]) -> Node:
    """The node over other operands."""
    match node:
        case Scan() | LocalFrame() | Empty():
            return node
        case Restrict() | Project() | Top():
            return replace(node, source=new[0])
        case SemiJoin() | Aggregate():
            return replace(node, source=new[0], other=new[1])
        case Join():
            return replace(node, left=new[0], right=new[1])
        case _ as never:
            assert_never(never)


def is_ordered(node: Node) -> bool:
    """Whether the rows of a plan come in an order that somebody asked for."""
    match node:
        case Top():
            return True
        case Project(source):
            return is_ordered(source)
        case _:
            return False


def base_tables(node: Node) -> tuple[Table, ...]:
    """All stored tables that a plan reads, those inside conditions included."""
    found: dict[object, Table] = {}

    def visit(inner: Node) -> None:
        if isinstance(inner, Scan):
            found[inner.table.name] = inner.table
        if isinstance(inner, Restrict):
            for part in walk(inner.condition):
                if isinstance(part, Matches):
                    visit(part.other)
        for operand in inputs(inner):
            visit(operand)

    visit(node)
    return tuple(found.values())
