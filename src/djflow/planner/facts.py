"""What keys and foreign keys tell about the rows of a plan, whatever its headings say of keys.

Rules make projections that lose key attributes, so nothing here trusts `Heading.primary_key` of a result.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from djflow.model.table import Table
from djflow.model.types import StoredType
from djflow.planner import scalar as s
from djflow.planner.memo import memoised
from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    Empty,
    Group,
    Join,
    LocalAggregate,
    LocalCompute,
    LocalFrame,
    LocalRestrict,
    Node,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    Top,
    Union,
)


@memoised
def unique_keys(table: Table) -> frozenset[frozenset[str]]:
    """The sets of columns of which a table has every combination of values at most once, nulls alike.

    The empty set means that there is at most one row. Unique columns that may be null do not count.

    >>> from djflow.definition import bind, parse
    >>> from djflow.model.names import TableName
    >>> lines = "id : int32", "---", "name : varchar(9)", "unique index (name)"
    >>> text = chr(10).join(lines)
    >>> table = bind(parse(text), TableName("lab", "rig"), resolve=None, codec_dtype=None)
    >>> sorted(map(sorted, unique_keys(table)))
    [['id'], ['name']]
    """
    if table.is_singleton:
        return frozenset({frozenset()})
    keys = [table.primary_key]
    keys += [key.own for key in table.foreign_keys if key.unique]
    keys += [index.items for index in table.indexes if index.unique]
    required = _required(table)
    return frozenset(frozenset(key) for key in keys if key and required.issuperset(key))


def _required(table: Table) -> frozenset[str]:
    return frozenset(column.name for column in table.columns if not column.nullable)


def is_unique_on(node: Node, names: Iterable[str]) -> bool:  # noqa: C901, PLR0912 - one `match` over the closed union
    """Whether no two rows can agree in all of the attributes, a null agreeing with a null.

    Without attributes: whether there is at most one row.

    >>> from djflow.model.table import Attribute, Heading
    >>> x = Attribute("x", s.INT64, s.INT64)
    >>> is_unique_on(Group(LocalFrame(None, Heading((x,))), ("x",), ()), ["x", "y"])
    True
    """
    names = frozenset(names)
    match node:
        case Empty():
            return True
        case Scan(table):
            return any(key <= names for key in unique_keys(table))
        case LocalFrame(frame):
            return int(frame.num_rows) <= 1
        case Project(source, columns):
            return is_unique_on(
                source, (e.name for a, e in columns if a.name in names and isinstance(e, s.Column))
            )
        case Restrict(source, condition):
            return is_unique_on(source, names | _fixed(condition))
        case Top(source, limit=limit):
            return limit in (0, 1) or is_unique_on(source, names)
        case Distinct(source):
            return names.issuperset(source.heading.names) or is_unique_on(source, names)
        case Group(source, keys):
            return names.issuperset(keys) or is_unique_on(source, names.intersection(keys))
        case SemiJoin(source) | LocalRestrict(source) | LocalCompute(source):
            return is_unique_on(source, names)
        case Aggregate(source) | LocalAggregate(source):
            return is_unique_on(source, names.intersection(source.heading.names))
        case Join():
            return _is_join_unique_on(node, names)
        case Union(left, right):
            key = node.heading.primary_key
            return names.issuperset(key) and is_unique_on(left, key) and is_unique_on(right, key)
        case _ as never:
            assert_never(never)


def _fixed(condition: s.Scalar) -> frozenset[str]:
    """The attributes that have one value in all rows for which the condition is true."""
    found = set()
    for part in s.conjuncts(condition):
        match part:
            case s.Compare("=", s.Column(name, type_), s.Constant(type=other)) if compares_exactly(
                type_, other
            ):
                found.add(name)
            case s.IsNull(s.Column(name)):
                found.add(name)
            case _:
                pass
    return frozenset(found)


def _is_join_unique_on(node: Join, names: frozenset[str]) -> bool:
    if not matches_exactly(node.left, node.right, node.on):
        return False
    left, right = (names.intersection(side.heading.names) for side in (node.left, node.right))
    # Rows that agree in a key of one side come from one row of it, which fixes what is matched on.
    if is_unique_on(node.left, left) and is_unique_on(node.right, right.union(node.on)):
        return True
    return (
        node.kind == "inner"
        and is_unique_on(node.right, right)
        and is_unique_on(node.left, left.union(node.on))
    )


def matches_exactly(left: Node, right: Node, on: tuple[str, ...]) -> bool:
    """Whether values that equal the same value of the other side equal each other."""
    return all(compares_exactly(left.heading[name].stored, right.heading[name].stored) for name in on)


def compares_exactly(left: StoredType, right: StoredType) -> bool:
    """Whether comparing values of two types loses nothing, as a large integer compared with a float does.

    >>> compares_exactly(s.INT64, s.INT64), compares_exactly(s.INT64, s.FLOAT64)
    (True, False)
    """
    return (
        left == right
        or (s.is_integer(left) and s.is_integer(right))
        or (s.is_text(left) and s.is_text(right))
    )


def always_matches(child: Node, parent: Node, on: tuple[str, ...]) -> bool:
    """Whether every row of `child` has a row of `parent` equal in the attributes `on`.

    So it is where the attributes refer, by a foreign key of columns that are never null, to rows of a table
    that `parent` has all of; or where `parent` has all rows that `child` is made of.

    >>> from djflow.definition import bind, parse
    >>> from djflow.model.names import TableName
    >>> table = bind(parse("id : int32"), TableName("lab", "rig"), resolve=None, codec_dtype=None)
    >>> rigs, some = Scan(table), Top(Scan(table), (), 5)
    >>> always_matches(some, rigs, ("id",)), always_matches(rigs, some, ("id",))
    (True, False)
    """
    if not on:
        return isinstance(parent, Group) and not parent.keys
    if not matches_exactly(child, parent, on):
        return False
    return any(_refers(child, on, whole) for whole in _wholes(parent, on))


def has_one_match(child: Node, parent: Node, on: tuple[str, ...]) -> bool:
    """Whether every row of `child` has exactly one row of `parent` equal in the attributes `on`."""
    return always_matches(child, parent, on) and is_unique_on(parent, on)


def row_bound(node: Node) -> int | None:
    """The most rows that a plan can give, where that is known.

    >>> from djflow.model.table import Heading
    >>> row_bound(Top(Group(LocalFrame(None, Heading(())), (), ()), (), 5))
    1
    """
    if is_unique_on(node, ()):
        return 0 if isinstance(node, Empty) else 1
    match node:
        case LocalFrame(frame):
            return int(frame.num_rows)
        case Top(source, limit=limit):
            return min((n for n in (limit, row_bound(source)) if n is not None), default=None)
        case Restrict(source) | Project(source) | SemiJoin(source) | Distinct(source) | Group(source):
            return row_bound(source)
        case LocalRestrict(source) | LocalCompute(source) | Aggregate(source) | LocalAggregate(source):
            return row_bound(source)
        case Join():
            return min((n for n in map(row_bound, _repeated_once(node)) if n is not None), default=None)
        case _:
            return None


def _repeated_once(node: Join) -> Iterator[Node]:
    """The sides of which the join gives no row more than once, and no other rows."""
    if not matches_exactly(node.left, node.right, node.on):
        return
    if is_unique_on(node.right, node.on):
        yield node.left
    if node.kind == "inner" and is_unique_on(node.left, node.on):
        yield node.right


@dataclass(frozen=True, slots=True)
class _Whole:
    """A node of which a result has all rows, and its names for the attributes asked about."""

    node: Node
    names: tuple[str, ...]


def _wholes(node: Node, names: tuple[str, ...]) -> Iterator[_Whole]:
    """The node and those below it of which no row is lost on the way up."""
    yield _Whole(node, names)
    match node:
        case Project(source, columns):
            meaning = {a.name: e for a, e in columns}
            plain = tuple(e.name for e in map(meaning.__getitem__, names) if isinstance(e, s.Column))
            if len(plain) == len(names):
                yield from _wholes(source, plain)
        case Group(source, keys) if keys and {*keys} >= {*names}:
            yield from _wholes(source, names)
        case Distinct(source) | LocalCompute(source) | Top(source, limit=None, offset=0):
            yield from _wholes_of(source, names)
        case (
            Aggregate(source, keep_all=True)
            | LocalAggregate(source, keep_all=True)
            | Join(source, kind="left")
        ):
            yield from _wholes_of(source, names)
        case _:
            pass


def _wholes_of(source: Node, names: tuple[str, ...]) -> Iterator[_Whole]:
    if all(name in source.heading for name in names):
        yield from _wholes(source, names)


def _refers(child: Node, own: tuple[str, ...], whole: _Whole) -> bool:
    """Whether every row of `child` equals some row of the other node, in its own attributes one by one."""
    if any(name not in child.heading for name in own):
        return False
    if own == whole.names and child == whole.node:
        return not any(child.heading[name].nullable for name in own)
    match child:
        case Empty():
            return True
        case Scan(table):
            return isinstance(whole.node, Scan) and _references(table, own, whole.node.table, whole.names)
        case Project(source, columns):
            meaning = {a.name: e for a, e in columns}
            plain = tuple(e.name for e in map(meaning.__getitem__, own) if isinstance(e, s.Column))
            return len(plain) == len(own) and _refers(source, plain, whole)
        case Restrict(source) | Distinct(source) | Top(source) | LocalRestrict(source) | LocalCompute(source):
            return _refers(source, own, whole)
        case Group(source, keys):
            return {*keys}.issuperset(own) and _refers(source, own, whole)
        case Aggregate(source) | LocalAggregate(source):
            return _refers(source, own, whole)
        case SemiJoin() | Join() | Union():
            return _either_refers(child, own, whole)
        case _:
            return False


def _either_refers(child: SemiJoin | Join | Union, own: tuple[str, ...], whole: _Whole) -> bool:
    match child:
        case SemiJoin(source, other, on, negated):
            equal = not negated and {*on}.issuperset(own) and matches_exactly(source, other, on)
            return _refers(source, own, whole) or (equal and _refers(other, own, whole))
        case Join(left, right, on, kind=kind):
            equal = kind == "inner" and matches_exactly(left, right, on)
            return _refers(left, own, whole) or (equal and _refers(right, own, whole))
        case Union(left, right):
            in_key = {*child.heading.primary_key}.issuperset(own)
            return in_key and _refers(left, own, whole) and _refers(right, own, whole)
        case _ as never:
            assert_never(never)


def _references(table: Table, own: tuple[str, ...], parent: Table, referenced: tuple[str, ...]) -> bool:
    """Whether the columns of every row of a table are those of some row of its parent, or of itself."""
    required = _required(table)
    if not required.issuperset(own):
        return False
    if table.name == parent.name and own == referenced:
        return True
    pairs = {*zip(own, referenced, strict=True)}
    enforced = [k for k in table.foreign_keys if k.is_enforced and required.issuperset(k.own)]
    if any(key.parent == parent.name and pairs.issubset(key.columns) for key in enforced):
        return True
    # A single attribute comes from where its lineage says, over any number of foreign keys.
    # The several attributes of a composite key may have come by different ways.
    if len(own) > 1 or not any(own[0] in key.own for key in enforced):
        return False
    origin = f"{parent.name}.{referenced[0]}"
    return _lineage(table, own[0]) == origin == _lineage(parent, referenced[0])


def _lineage(table: Table, name: str) -> str | None:
    return next(column.lineage for column in table.columns if column.name == name)
