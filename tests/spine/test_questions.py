"""Questions to a provider: answered only when this installation sealed them, and unreadable on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import ActivityFailureError, Client
from temporalio.exceptions import ApplicationError
from ulid import ULID

from db.vault import NotSealed
from services.operations.planning import task_queue
from tests.support.spine import Spine
from workflows.connection import connect

pytestmark = pytest.mark.servers
QUEUE = task_queue("simulated", None)


async def ask(client: Client, activity: str, given: Any) -> str:
    limit = timedelta(seconds=60)
    answer: str = await client.execute_activity(
        activity,
        given,
        id=f"ask-{ULID()}",
        task_queue=QUEUE,
        result_type=str,
        schedule_to_close_timeout=limit,
        start_to_close_timeout=limit,
    )
    return answer


@pytest.mark.parametrize(
    "activity", ["read_inventory", "read_logs", "observe_instance", "simulated_faults", "sweep_orphans"]
)
async def test_a_question_that_nobody_sealed_gets_no_answer(spine: Spine, activity: str) -> None:
    made = spine.create_done()
    client = await connect(spine.temporal.address, spine.namespace)
    stolen = spine.vault.seal("another_question", {"instance_id": spine.instance(made.deployment_id).id})
    for given in ("plain", stolen):
        with pytest.raises(ActivityFailureError) as refused:
            await ask(client, activity, given)
        assert isinstance(refused.value.cause, ApplicationError)
        assert (refused.value.cause.type, refused.value.cause.non_retryable) == ("not-sealed", True)


async def test_question_and_answer_are_unreadable_on_the_way(spine: Spine) -> None:
    made = spine.create_done()
    instance_id = spine.instance(made.deployment_id).id
    client = await connect(spine.temporal.address, spine.namespace)
    question = spine.vault.seal("read_inventory", {"provider": "simulated"})
    answer = await ask(client, "read_inventory", question)
    assert instance_id not in answer
    items = spine.vault.unseal("read_inventory", answer, 60)["items"]
    assert instance_id in {item["instance_id"] for item in items}
    with pytest.raises(NotSealed, match="not asked by this Berth"):
        spine.vault.unseal("read_inventory", answer[:-4] + "AAA=", 60)
