"""The numbers of rows of many plans, in few statements."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from djflow.backend.session import Session
from djflow.engine import execute
from djflow.engine.run import resolved
from djflow.planner import scalar as s
from djflow.planner.lower_sql import Statement, lower_count
from djflow.planner.nodes import Node, Project, Restrict, Scan, SemiJoin, asked
from djflow.planner.parameters import Parameter, renumber
from djflow.planner.questions import counted
from djflow.planner.rewriter import optimise
from djflow.sql.identifiers import qualified

K = TypeVar("K", bound=Hashable)

# The server plans more of them at once more slowly than one after another.
_TOGETHER: Final = 25


def count_all(session: Session, plans: Mapping[K, Node]) -> dict[K, int]:
    """How many rows each plan has: outside of a transaction, and in one of one view, all at one moment."""
    with session.transaction(isolation="repeatable read"):
        found = {
            name: execute.count(session, resolved(session, plan))
            for name, plan in plans.items()
            if plan.has_local or plan.holds_rows
        }
        asked = [name for name in plans if name not in found]
        known: dict[s.Scalar, Statement] = {}
        batches = list(batched(asked, _TOGETHER))
        statements = (_statement([plans[name] for name in names], known) for names in batches)
        for names, rows in zip(batches, session.query_each(statements), strict=True):
            found |= {names[number]: int(n) for number, n in rows}
    return {name: found[name] for name in plans}


def batched(items: Sequence[K], size: int) -> Iterator[Sequence[K]]:
    """The items, so many at a time.

    >>> list(batched("abcde", 2))
    ['ab', 'cd', 'e']
    """
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _statement(plans: Sequence[Node], known: dict[s.Scalar, Statement]) -> tuple[str, tuple[Parameter, ...]]:
    counts = _Counts(known)
    for plan in plans:
        counts.add(plan)
    return " UNION ALL ".join(counts.texts), tuple(counts.parameters)


@dataclass(slots=True)
class _Counts:
    """Numbered statements that count. `known` has those that differ in a table's name alone."""

    known: dict[s.Scalar, Statement]
    texts: list[str] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    numbers: dict[object, int] = field(default_factory=dict)

    def add(self, plan: Node) -> None:
        statement = self._statement(plan)
        numbers = {old: self._number(parameter) for old, parameter in enumerate(statement.parameters, 1)}
        self.texts.append(f"SELECT {len(self.texts)}, ({renumber(statement.sql, numbers)})")

    def _statement(self, plan: Node) -> Statement:
        """Of tables that meet the same condition of their own, only the names differ."""
        match plan:
            case Restrict(Scan(table), condition) if not s.has_matches(condition):
                known = self.known.get(condition)
                if known is None:
                    known = self.known[condition] = lower_count(plan)
                source = f"{qualified(table.name)} AS t1"
                return replace(known, select=replace(known.select, source=source))
            case _ if _is_selection(plan):
                return lower_count(plan)
            case _:
                return lower_count(optimise(counted(plan)).plan)

    def _number(self, parameter: Parameter) -> int:
        value = parameter.value
        same = (type(value), value, parameter.cast) if isinstance(value, Hashable) else id(parameter)
        if same not in self.numbers:
            self.parameters.append(parameter)
            self.numbers[same] = len(self.parameters)
        return self.numbers[same]


def _is_selection(plan: Node) -> bool:
    """Whether a plan only asks tables for rows of others: the optimiser would leave it as it is."""
    match plan:
        case Scan():
            return True
        case Restrict(source):
            return _is_selection(source) and all(map(_is_selection, asked(plan)))
        case SemiJoin(source, other):
            return _is_selection(source) and _is_selection(other)
        case Project(source, columns):
            return _is_selection(source) and all(isinstance(e, s.Column) for _, e in columns)
        case _:
            return False
