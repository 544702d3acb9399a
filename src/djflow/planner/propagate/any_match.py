"""From matches to plans."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from djflow.model.names import TableName
from djflow.model.table import Attribute
from djflow.planner import scalar as s
from djflow.planner.nodes import Node, Restrict, Scan, SemiJoin
from djflow.planner.operand import Operand, keys_to_match, operand, present
from djflow.planner.propagate.match import Match


def any_match(rows: Node, matches: Sequence[Match], anchors: Mapping[TableName, Node]) -> Node:
    """The rows that meet one of the matches."""
    parts = [_condition(rows, match, anchors[match.anchor]) for match in matches]
    if len(parts) == 1 and isinstance(parts[0], s.Matches):
        return SemiJoin(rows, parts[0].other, parts[0].on)
    return Restrict(rows, parts[0] if len(parts) == 1 else s.Or(tuple(parts)))


def any_rows(whole: Node, parts: Sequence[Node]) -> Node:
    """The rows of a table that are in any of several selections of it."""
    key = whole.heading.primary_key
    return Restrict(whole, s.Or(tuple(s.Matches(part, key) for part in parts)))


def _condition(rows: Node, match: Match, anchor: Node) -> s.Scalar:
    there = tuple(_is_there(rows, name) for name in sorted(match.present))
    same = _asked_of_itself(rows, match, anchor)
    if same is None:
        nullable = (name for name in match.anchored if anchor.heading[name].nullable)
        keys, on = keys_to_match(operand(rows), present(operand(anchor), nullable), match.columns)
        same = s.Matches(keys, on)
    return same if not there else s.And((*there, same))


def _asked_of_itself(rows: Node, match: Match, anchor: Node) -> s.Scalar | None:
    """What the anchor's rows meet, asked of the own columns that equal theirs, where that says it all."""
    if not match.is_kept:
        return None
    own = {its: rows.heading[name] for name, its in match.columns}
    parts: list[s.Scalar] = []
    while not isinstance(anchor, Scan):
        if not isinstance(anchor, Restrict | SemiJoin) or not _is_about(anchor, own):
            return None
        parts.append(_moved(anchor, own, operand(rows)))
        anchor = anchor.source
    # A condition may hold for a null, which refers to nothing.
    required = tuple(_is_there(rows, attribute.name) for attribute in own.values() if attribute.nullable)
    return s.conjunction((*required, *reversed(parts)))


def _is_about(step: Restrict | SemiJoin, own: Mapping[str, Attribute]) -> bool:
    """Whether a step asks only for columns that rows have as well, with the same type."""
    match step:
        case Restrict(_, condition):
            names = None if s.has_matches(condition) else s.columns_of(condition)
        case SemiJoin(_, _, on, negated):
            names = None if negated else frozenset(on)
    heading = step.heading
    return names is not None and all(
        name in own and own[name].stored == heading[name].stored for name in names
    )


def _moved(step: Restrict | SemiJoin, own: Mapping[str, Attribute], rows: Operand) -> s.Scalar:
    match step:
        case Restrict(_, condition):
            return s.transform(condition, lambda c: s.Column(own[c.name].name, c.type))
        case SemiJoin(_, other, on):
            other_rows = replace(rows, node=other, names={name: name for name in on})
            return s.Matches(*keys_to_match(rows, other_rows, [(own[name].name, name) for name in on]))


def _is_there(rows: Node, name: str) -> s.Scalar:
    return s.Not(s.IsNull(s.Column(name, rows.heading[name].stored)))
