"""The numbers of rows of many plans, in one statement."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

from djflow.backend.session import Session
from djflow.engine import execute
from djflow.engine.run import resolved
from djflow.planner.lower_sql import lower_count
from djflow.planner.nodes import Node
from djflow.planner.parameters import Parameter, renumber
from djflow.planner.questions import counted
from djflow.planner.rewriter import optimise

K = TypeVar("K", bound=Hashable)


def count_all(session: Session, plans: Mapping[K, Node]) -> dict[K, int]:
    """How many rows each plan has, all seen at one moment but for those with large local frames."""
    found: dict[K, int] = {}
    texts: list[str] = []
    parameters: dict[object, tuple[int, Parameter]] = {}
    asked: list[K] = []
    for name, plan in plans.items():
        if plan.has_local or plan.holds_rows:
            found[name] = execute.count(session, resolved(session, plan))
            continue
        statement = lower_count(optimise(counted(plan)).plan)
        numbers = {
            old: parameters.setdefault(_same(parameter), (len(parameters) + 1, parameter))[0]
            for old, parameter in enumerate(statement.parameters, 1)
        }
        texts.append(f"SELECT {len(asked)}, ({renumber(statement.sql, numbers)})")
        asked.append(name)
    if texts:
        rows = session.query_rows(
            " UNION ALL ".join(texts), tuple(parameter for _, parameter in parameters.values())
        )
        found |= {asked[number]: int(n) for number, n in rows}
    return {name: found[name] for name in plans}


def _same(parameter: Parameter) -> object:
    """What two parameters share that can travel as one."""
    value = parameter.value
    return (type(value), value, parameter.cast) if isinstance(value, Hashable) else id(parameter)
