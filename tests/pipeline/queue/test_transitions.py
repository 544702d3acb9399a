"""What can happen to a job."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djflow.errors import QueryError
from djflow.pipeline.queue.transitions import (
    TRANSITIONS,
    Event,
    Place,
    Status,
    after,
    is_allowed,
    result,
    sources,
)

PLACES = st.sampled_from([None, *Status])


@given(PLACES, st.sampled_from(Event))
def test_what_the_table_does_not_list_cannot_happen(status: Place, event: Event) -> None:
    if is_allowed(status, event):
        assert after(status, event) == TRANSITIONS[status, event]
    else:
        with pytest.raises(QueryError, match=event.value):
            after(status, event)


@pytest.mark.parametrize("event", Event)
def test_an_event_leads_to_one_status_wherever_it_happens(event: Event) -> None:
    assert {after(status, event) for status in sources(event)} <= {result(event)}


def test_only_pending_jobs_are_taken_and_only_taken_ones_are_finished() -> None:
    assert sources(Event.CLAIM) == (Status.PENDING,)
    for event in (Event.COMPLETE, Event.KEEP, Event.FAIL, Event.RETRY, Event.RELEASE, Event.EXPIRE):
        assert sources(event) == (Status.RESERVED,)


def test_every_job_can_end_and_none_that_is_there_is_forgotten() -> None:
    assert set(sources(Event.DELETE)) == set(Status)
    reached = {target for (status, _), target in TRANSITIONS.items() if status is None}
    for _ in Status:
        reached |= {target for (status, _), target in TRANSITIONS.items() if status in reached}
    assert reached == {None, *Status}
