"""Any plan gives the rows that its definition says, optimised or not.

The expected rows come from `djflow.testing.naive`, which shares no code with planner or engine.
`DJFLOW_TEST_EXAMPLES` sets how many databases are tried, each with up to three plans.
"""

import os
from typing import Any

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from djflow.planner.explain import show_plan
from djflow.testing.databases import databases
from djflow.testing.plans import plans

EXAMPLES = int(os.environ.get("DJFLOW_TEST_EXAMPLES", "300"))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[phase for phase in Phase if phase is not Phase.explain],  # which takes minutes for plans
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_plans_give_the_rows_that_their_definition_says(world: Any, data: st.DataObject) -> None:
    stored = data.draw(databases(world.tables), label="rows")
    several = data.draw(st.lists(plans(world.tables), min_size=1, max_size=3), label="plans")
    world.fill(stored)
    for plan in several:
        note(show_plan(plan))
        world.check(plan, stored)
