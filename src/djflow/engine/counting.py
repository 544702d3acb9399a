"""The numbers of rows of many plans, in one statement."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from djflow.backend.session import Session
from djflow.engine import execute
from djflow.engine.run import resolved
from djflow.planner import scalar as s
from djflow.planner.lower_sql import Statement, lower_count
from djflow.planner.nodes import Node, Restrict, Scan
from djflow.planner.parameters import Parameter, renumber
from djflow.planner.questions import counted
from djflow.planner.rewriter import optimise
from djflow.sql.identifiers import qualified

K = TypeVar("K", bound=Hashable)


def count_all(session: Session, plans: Mapping[K, Node]) -> dict[K, int]:
    """How many rows each plan has, all seen at one moment but for those with large local frames."""
    found: dict[K, int] = {}
    asked: list[K] = []
    counts = _Counts()
    for name, plan in plans.items():
        if plan.has_local or plan.holds_rows:
            found[name] = execute.count(session, resolved(session, plan))
        else:
            asked.append(name)
            counts.add(plan)
    if asked:
        rows = session.query_rows(" UNION ALL ".join(counts.texts), tuple(counts.parameters))
        found |= {asked[number]: int(n) for number, n in rows}
    return {name: found[name] for name in plans}


@dataclass(slots=True)
class _Counts:
    """Statements that count, numbered, and what they share."""

    texts: list[str] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    numbers: dict[object, int] = field(default_factory=dict)
    known: dict[s.Scalar, Statement] = field(default_factory=dict)

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
            case _:
                return lower_count(optimise(counted(plan)).plan)

    def _number(self, parameter: Parameter) -> int:
        value = parameter.value
        same = (type(value), value, parameter.cast) if isinstance(value, Hashable) else id(parameter)
        if same not in self.numbers:
            self.parameters.append(parameter)
            self.numbers[same] = len(self.parameters)
        return self.numbers[same]
