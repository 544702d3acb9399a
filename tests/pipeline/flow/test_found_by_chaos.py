"""What runs that were disturbed have shown."""

import threading
import time
from typing import Any

import pytest

import djflow as dj
from djflow.pipeline.queue.holding import Worker
from djflow.tables.schema import Schema


def test_a_flow_ends_only_after_what_waited_for_keys_of_others(
    schema: Schema, computed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("djflow.pipeline.flow.supply._LOOK", 2.0)
    first = computed("First", "-> Item")
    last = computed("Last", "-> Item", secondary="-> First.proj(best='item')", then=lambda *_: {"best": 0})
    first.jobs.refresh()
    queue = first.jobs.queue
    claim = queue.claim(1, Worker.here(), 60)

    def finish() -> None:
        time.sleep(0.7)
        with schema.connection.transaction:
            first.insert1({**claim.keys[0], "value": 1}, allow_direct_insert=True)
            queue.complete(claim, claim.keys)

    other = threading.Thread(target=finish)
    other.start()
    dj.Flow(schema).populate(display_progress=False)
    other.join()
    assert (len(first), len(last)) == (5, 5)


def test_jobs_that_a_run_is_not_to_make_do_not_keep_it(schema: Schema, computed: Any) -> None:
    first = computed("First", "-> Item")
    first.jobs.refresh()
    told = dj.Flow(schema).populate({"item": 1}, display_progress=False)
    assert told["made"].to_list() == [1]
    assert dj.Flow(schema).populate(priority=1, display_progress=False)["made"].to_list() == [0]
