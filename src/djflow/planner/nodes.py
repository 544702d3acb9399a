"""The logical plan: closed union of frozen nodes, each with its heading."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, assert_never, cast

from djflow.model.table import Attribute, Heading, Table
from djflow.planner.scalar import Matches, Scalar, children

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


class _Operator:
    """What is known of a whole plan, looked for once; the local frame alone knows it without looking."""

    @cached_property
    def _below(self) -> "tuple[Node, ...]":
        return (*inputs(cast("Node", self)), *asked(cast("Node", self)))

    @cached_property
    def holds_rows(self) -> bool:
        """Whether rows of the client are somewhere in the plan."""
        return any(operand.holds_rows for operand in self._below)

    @cached_property
    def has_local(self) -> bool:
        """Whether the plan contains what only Polars can compute."""
        return isinstance(self, LocalRestrict | LocalCompute | LocalAggregate) or any(
            operand.has_local for operand in self._below
        )

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """All stored tables that the plan reads, those inside conditions included."""
        own = (self.table,) if isinstance(self, Scan) else ()
        found = (*own, *(table for operand in self._below for table in operand.tables))
        return tuple({table.name: table for table in found}.values())


@dataclass(frozen=True)
class Scan(_Operator):
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
    holds_rows: ClassVar[bool] = True
    has_local: ClassVar[bool] = False
    tables: ClassVar[tuple[Table, ...]] = ()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, LocalFrame) and self.heading == other.heading and self.frame.equals(other.frame)
        )

    def __hash__(self) -> int:
        return hash((self.heading, self.frame.num_rows))


@dataclass(frozen=True)
class Restrict(_Operator):
    """Rows of `source` for which `condition` is true."""

    source: "Node"
    condition: Scalar

    @property
    def heading(self) -> Heading:
        """The heading of the source."""
        return self.source.heading


@dataclass(frozen=True)
class SemiJoin(_Operator):
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
class Project(_Operator):
    """Attributes selected, renamed or computed; each output has an expression over the source."""

    source: "Node"
    columns: tuple[tuple[Attribute, Scalar], ...]

    @cached_property
    def heading(self) -> Heading:
        """The outputs, in order."""
        return Heading(tuple(attribute for attribute, _ in self.columns))


@dataclass(frozen=True)
class Join(_Operator):
    """Pairs of rows equal in the attributes `on`; `left` keeps rows of the left side without a match."""

    left: "Node"
    right: "Node"
    on: tuple[str, ...]
    heading: Heading
    kind: Literal["inner", "left"] = "inner"


@dataclass(frozen=True)
class Aggregate(_Operator):
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


@dataclass(frozen=True)
class Group(_Operator):
    """One row for each combination of values of `keys`, nulls alike, with summaries of its rows.

    Without keys there is one row, also where `source` has none.
    """

    source: "Node"
    keys: tuple[str, ...]
    summaries: tuple[tuple[Attribute, Scalar], ...]

    @cached_property
    def heading(self) -> Heading:
        """The keys, which are the primary key, then the summaries."""
        keys = (replace(self.source.heading[name], in_key=True) for name in self.keys)
        return Heading((*keys, *(attribute for attribute, _ in self.summaries)))


@dataclass(frozen=True)
class Distinct(_Operator):
    """Each row of `source` once; nulls are alike."""

    source: "Node"

    @property
    def heading(self) -> Heading:
        """The heading of the source."""
        return self.source.heading


@dataclass(frozen=True)
class Union(_Operator):
    """A row for every key of either side, with the attributes of both, null where a side lacks the key.

    Null keys are alike.
    """

    left: "Node"
    right: "Node"

    @cached_property
    def heading(self) -> Heading:
        """The primary key, then the other attributes of the left side, then those of the right."""
        left, right = self.left.heading, self.right.heading
        keys = (
            replace(a, nullable=a.nullable or right[a.name].nullable, default=None) for a in left if a.in_key
        )
        rest = (replace(a, nullable=True) for side in (left, right) for a in side if not a.in_key)
        return Heading((*keys, *rest))


@dataclass(frozen=True, slots=True)
class Order:
    """One term of an ordering; nulls come last, descending or not."""

    name: str
    descending: bool = False


@dataclass(frozen=True)
class Top(_Operator):
    """The first rows in an order. `limit` None keeps all; an empty order is that of the source."""

    source: "Node"
    order: tuple[Order, ...]
    limit: int | None = None
    offset: int = 0

    @property
    def heading(self) -> Heading:
        """The heading of the source."""
        return self.source.heading


@dataclass(frozen=True)
class Empty(_Operator):
    """No rows."""

    heading: Heading


@dataclass(frozen=True, eq=False)
class LocalExpression:
    """A Polars expression that has no exact translation to SQL, and what it reads.

    `is_elementwise` tells that the result for a row depends on that row alone.
    """

    expression: "pl.Expr"
    reads: frozenset[str]
    is_elementwise: bool

    def __str__(self) -> str:
        return str(self.expression)


@dataclass(frozen=True)
class LocalRestrict(_Operator):
    """Rows of `source`, taken in the order of the key, that a Polars expression keeps."""

    source: "Node"
    condition: LocalExpression

    @property
    def heading(self) -> Heading:
        """The heading of the source."""
        return self.source.heading


@dataclass(frozen=True)
class LocalCompute(_Operator):
    """Rows of `source`, taken in the order of the key, with attributes that Polars computes."""

    source: "Node"
    made: tuple[tuple[Attribute, LocalExpression], ...]

    @cached_property
    def heading(self) -> Heading:
        """The source's attributes, then those made."""
        return Heading((*self.source.heading, *(attribute for attribute, _ in self.made)))


@dataclass(frozen=True)
class LocalAggregate(_Operator):
    """Rows of `source`, each with summaries that Polars computes of its matching rows of `other`.

    The rows of a group are taken in the order of the key of `other`.
    """

    source: "Node"
    other: "Node"
    on: tuple[str, ...]
    made: tuple[tuple[Attribute, LocalExpression], ...]
    keep_all: bool = True

    @cached_property
    def heading(self) -> Heading:
        """The source's attributes, then the summaries."""
        return Heading((*self.source.heading, *(attribute for attribute, _ in self.made)))


LocalNode: TypeAlias = LocalRestrict | LocalCompute | LocalAggregate
Node: TypeAlias = (
    Scan
    | LocalFrame
    | Restrict
    | SemiJoin
    | Project
    | Join
    | Aggregate
    | Group
    | Distinct
    | Union
    | Top
    | Empty
    | LocalNode
)


def inputs(node: Node) -> tuple[Node, ...]:
    """The direct operands of a node."""
    match node:
        case Scan() | LocalFrame() | Empty():
            return ()
        case Restrict() | Project() | Top() | Group() | Distinct() | LocalRestrict() | LocalCompute():
            return (node.source,)
        case SemiJoin() | Aggregate() | LocalAggregate():
            return node.source, node.other
        case Join() | Union():
            return node.left, node.right
        case _ as never:
            assert_never(never)


def with_inputs(node: Node, new: tuple[Node, ...]) -> Node:
    """The node over other operands."""
    match node:
        case Scan() | LocalFrame() | Empty():
            return node
        case Restrict():
            return Restrict(new[0], node.condition)
        case Project():
            return Project(new[0], node.columns)
        case Join():
            return Join(new[0], new[1], node.on, node.heading, node.kind)
        case SemiJoin():
            return SemiJoin(new[0], new[1], node.on, node.negated)
        case Top():
            return Top(new[0], node.order, node.limit, node.offset)
        case Group():
            return Group(new[0], node.keys, node.summaries)
        case Distinct():
            return Distinct(new[0])
        case Union():
            return Union(new[0], new[1])
        case Aggregate():
            return Aggregate(new[0], new[1], node.on, node.summaries, node.keep_all)
        case LocalRestrict() | LocalCompute():
            return replace(node, source=new[0])
        case LocalAggregate():
            return replace(node, source=new[0], other=new[1])
        case _ as never:
            assert_never(never)


def is_ordered(node: Node) -> bool:
    """Whether the rows of a plan come in an order that somebody asked for."""
    match node:
        case Top(source, order):
            return bool(order) or is_ordered(source)
        case Project(source) | LocalRestrict(source) | LocalCompute(source):
            return is_ordered(source)
        case _:
            return False


def asked(node: Node) -> tuple[Node, ...]:
    """The plans that a node's condition asks for matching rows."""
    if not isinstance(node, Restrict):
        return ()
    found: list[Node] = []
    waiting = [node.condition]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Matches):
            found.append(part.other)
        else:
            waiting.extend(children(part))
    return tuple(found)
