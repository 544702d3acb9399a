"""What a relation demands of given attributes alone, so that others can be asked the same of theirs."""

from collections.abc import Mapping

from djflow.model.types import CoreType, EnumType, StoredType
from djflow.planner import scalar as s
from djflow.planner.nodes import Join, Node, Project, Restrict, SemiJoin, with_inputs


def conditions_on(node: Node, other: Node, on: tuple[str, ...]) -> tuple[tuple[s.Scalar, ...], Node]:
    """The parts of the restrictions of a relation that read only matched attributes, and the node without.

    They can be asked of `other`: what they read there is of the same type.

    >>> from djflow.model.table import Attribute, Heading
    >>> from djflow.planner.nodes import Empty
    >>> rows = Empty(Heading((Attribute("n", s.INT64, s.INT64),)))
    >>> above = s.Compare(">", s.Column("n", s.INT64), s.Constant(5, s.INT64))
    >>> conditions, rest = conditions_on(Restrict(rows, above), rows, ("n",))
    >>> [s.show(part) for part in conditions], rest is rows
    (['n > 5'], True)
    """
    types = {name: node.heading[name].stored for name in on}
    same = (name for name in on if other.heading[name].stored == types[name] and _is_one_value(types[name]))
    return _taken_out(node, {name: name for name in same})


def _taken_out(node: Node, names: Mapping[str, str]) -> tuple[tuple[s.Scalar, ...], Node]:
    """`names` are those of the node for the attributes asked about."""
    match node:
        case Restrict(source, condition):
            parts = s.conjuncts(condition)
            taken = tuple(part for part in parts if _reads_only(part, names))
            below, rest = _taken_out(source, names)
            if not taken:
                return below, node if rest is source else Restrict(rest, condition)
            left = tuple(part for part in parts if part not in taken)
            renamed = (s.transform(part, lambda c: s.Column(names[c.name], c.type)) for part in taken)
            return (*below, *renamed), Restrict(rest, s.conjunction(left)) if left else rest
        case Project(source, columns):
            plain = {e.name: names[a.name] for a, e in columns if a.name in names and isinstance(e, s.Column)}
            below, rest = _taken_out(source, plain)
            return below, node if rest is source else Project(rest, columns)
        case SemiJoin(source, other, on, negated):
            below, rest = _taken_out(source, names)
            return below, node if rest is source else SemiJoin(rest, other, on, negated)
        case Join():
            return _taken_out_of_join(node, names)
        case _:
            return (), node


def _taken_out_of_join(node: Join, names: Mapping[str, str]) -> tuple[tuple[s.Scalar, ...], Node]:
    sides = (node.left, node.right) if node.kind == "inner" else (node.left,)
    taken: tuple[s.Scalar, ...] = ()
    rests: list[Node] = []
    for side in sides:
        own = {name: asked for name, asked in names.items() if name in side.heading}
        # Of two types that compare, the other side's is the one that the parts are written for.
        own = {
            name: asked
            for name, asked in own.items()
            if side.heading[name].stored == node.heading[name].stored
        }
        below, rest = _taken_out(side, own)
        taken += below
        rests.append(rest)
    if not taken:
        return (), node
    return tuple(dict.fromkeys(taken)), with_inputs(node, (*rests, *(node.right,)[: 2 - len(rests)]))


def _reads_only(part: s.Scalar, names: Mapping[str, str]) -> bool:
    read = s.columns_of(part)
    return bool(read) and read.issubset(names) and not s.has_matches(part)


def _is_one_value(stored: StoredType) -> bool:
    """Whether equal values are the same: not so zeros of both signs, or 1.0 and 1.00."""
    match stored:
        case EnumType():
            return True
        case CoreType(name):
            return not name.startswith(("float", "decimal", "json"))
        case _:
            return s.is_integer(stored)
