"""What people see while an operation runs and after it failed: steps with attempts, and the failing event."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg2
import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from db.direct import direct
from db.session import CHANNEL_RECORDS
from domain.operations import StepStatus
from providers.simulated_faults import FOR_EVER
from tests.support.spine import Spine
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers


@pytest.mark.parametrize(
    ("fault", "more", "wanted"),
    [
        ("invalid", {}, "ACTIVITY_TASK_FAILED"),
        ("error", {}, "ACTIVITY_TASK_FAILED"),
        ("hang", {"timeouts": {"launch_seconds": 5}}, "ACTIVITY_TASK_TIMED_OUT"),
    ],
)
async def test_the_error_of_an_operation_names_the_event_that_says_so(
    spine: Spine, client: Client, fault: str, more: dict[str, Any], wanted: str
) -> None:
    made = spine.create(simulate={"create": {"fault": fault, "times": FOR_EVER}}, **more)
    failed = spine.failed(made, 60)
    assert failed.error is not None
    handle = client.get_workflow_handle(failed.workflow_id, run_id=failed.run_id)
    events = {event.event_id: event for event in (await handle.fetch_history()).events}
    event = events[failed.error["event_id"]]
    assert EventType.Name(event.event_type) == f"EVENT_TYPE_{wanted}"


@pytest.mark.parametrize("fault", [None, "invalid"])
def test_plan_and_finish_have_their_times_too(spine: Spine, fault: str | None) -> None:
    made = spine.create(simulate={"create": {"fault": fault}} if fault else {})
    operation = spine.failed(made) if fault else spine.succeeded(made)
    steps = spine.steps(operation.id)
    assert [step.name for step in steps] == ["plan", "create", "finish"]
    assert steps[-1].status is StepStatus.DONE, "it is Finish that has recorded the end"
    moments = []
    for step in steps:
        (attempt,) = step.attempts
        moments += [datetime.fromisoformat(attempt[key]) for key in ("started_at", "ended_at")]
    assert moments == sorted(moments)
    assert operation.finished_at is not None
    assert abs((moments[-1] - operation.finished_at).total_seconds()) < 1


def test_the_begin_of_a_step_is_told_to_who_listens(spine: Spine) -> None:
    connection = direct(spine.database.engine, "test-listener")()
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"listen {CHANNEL_RECORDS}")
            made = spine.create_done()
            told: list[str] = []

            def heard() -> bool:
                connection.poll()
                told.extend(note.payload for note in connection.notifies)
                return made.operation_id in told

            wait_for(heard, 20, lambda: f"{made.operation_id} is not in {told}")
    except psycopg2.Error as error:
        pytest.fail(f"not listening: {error}")
    finally:
        connection.close()
