"""Any plan gives the rows that its definition says, optimised or not.

The expected rows come from `djflow.testing.naive`, which shares no code with planner or engine.
`DJFLOW_TEST_EXAMPLES` sets how many plans are tried, 1,200 by default, and `DJFLOW_TEST_STATISTICS=1`
shows what they were made of. `DJFLOW_TEST_SEED` fixes the generated schemas, which a hunt draws anew.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from djflow.model.table import Table
from djflow.planner.explain import show_plan
from djflow.planner.nodes import Node
from djflow.testing.databases import Rowsets, databases
from djflow.testing.plans import plans
from djflow.testing.variation import with_other_constants

EXAMPLES: Final = int(os.environ.get("DJFLOW_TEST_EXAMPLES", "1200"))
IS_HUNT: Final = "DJFLOW_TEST_EXAMPLES" in os.environ
SEED: Final = int(os.environ.get("DJFLOW_TEST_SEED", str(time.time_ns() % 10**9) if IS_HUNT else "0"))
PARTS: Final = 4
SCHEMAS: Final = 4
PLANS: Final = 6  # of each database

# Explaining a failure takes minutes for plans.
PHASES: Final = [phase for phase in Phase if phase is not Phase.explain]


@dataclass(frozen=True)
class Case:
    """Rows, and plans over them."""

    stored: Rowsets
    plans: tuple[Node, ...]

    def _repr_pretty_(self, printer: Any, _cycle: object) -> None:
        """What Hypothesis shows: plans as they are read, not as they are made."""
        rows = "\n".join(f"{name.table}: {rows}" for name, rows in self.stored.items())
        printer.text("\n".join(("", rows, *map(show_plan, self.plans))))


@st.composite
def cases(draw: st.DrawFn, tables: Sequence[Table]) -> Case:
    """Rows and plans; every plan is followed by one of the same shape with other constants."""
    stored = draw(databases(tables))
    found: list[Node] = []
    for _ in range(PLANS // 2):
        plan = draw(plans(tables, 6))
        found += [plan, draw(with_other_constants(plan))]
    return Case(stored, tuple(found))


def check_cases(world: Any, examples: int) -> None:
    tables = tuple(world.tables)

    @settings(
        max_examples=max(1, examples // PLANS),
        deadline=None,
        phases=PHASES,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        case = data.draw(cases(tables), label="case")
        world.fill(case.stored)
        for plan in case.plans:
            note(show_plan(plan))
            world.check(plan, case.stored)

    check()


@pytest.mark.parametrize("part", range(PARTS))
def test_plans_give_the_rows_that_their_definition_says(world: Any, part: int) -> None:
    assert part < PARTS
    check_cases(world, EXAMPLES * 2 // 3 // PARTS)


@pytest.mark.parametrize("number", range(SCHEMAS))
def test_plans_over_any_schema_give_the_rows_that_their_definition_says(
    new_world: Callable[[int], Any], number: int
) -> None:
    world = new_world(SEED + number)
    check_cases(world, EXAMPLES // 3 // SCHEMAS)
