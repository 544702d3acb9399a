"""Which parts of a plan are computed once though they are used several times."""

from typing import Final

from djflow.planner.nodes import Aggregate, Distinct, Group, Node, Top, Union, asked, inputs

# Their rows take work that does not shrink with what is asked of them. Scans and restrictions are better
# repeated: the server reads what each use needs. Frames are arrays already.
_COSTLY: Final = frozenset({Aggregate, Group, Distinct, Union, Top})


def common_subplans(plan: Node) -> tuple[Node, ...]:
    """The costly parts that occur more than once, outermost first; their own parts count once.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty, Join
    >>> rows = Distinct(Empty(Heading(())))
    >>> len(common_subplans(Join(rows, rows, (), Heading(()))))
    1
    """
    seen: list[Node] = []
    common: list[Node] = []
    _collect(plan, seen, common)
    return tuple(common)


def is_costly(node: Node) -> bool:
    """Whether a part may be worth computing once."""
    return type(node) in _COSTLY and (not isinstance(node, Top) or node.limit is not None)


def _collect(node: Node, seen: list[Node], common: list[Node]) -> None:
    if is_costly(node):
        if node in seen:
            if node not in common:
                common.append(node)
            return
        seen.append(node)
    for operand in (*inputs(node), *asked(node)):
        _collect(operand, seen, common)
