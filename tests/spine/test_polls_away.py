"""A poll outlives records that are away for a moment when it has something to record."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import QueuePool
from temporalio.testing import ActivityEnvironment

from activities import confirming
from activities.confirming import ConfirmActivities
from activities.contracts import OwnerInput, StepInput
from db.session import open_database
from domain.lifecycle import Status
from services.operations.confirmations import poll_evidence
from settings import psycopg2_url
from tests.monitor.seams import Steps, parts_of
from tests.support.spines import MakeSpine

pytestmark = pytest.mark.servers


async def test_a_poll_that_gets_no_connection_when_it_sees_the_end_goes_on_and_records_it(
    make_spine: MakeSpine, monkeypatch: pytest.MonkeyPatch
) -> None:
    spine = make_spine()
    made = spine.create(simulate={"create": {"fault": "unconfirmed", "seconds": 0.1}})
    row = spine.instance(made.deployment_id)
    steps = Steps(spine, made.deployment_id, row.id, "create")
    steps.adopt(made)
    for move in (steps.plan, steps.begin, steps.call):
        move()
    scarce = open_database(psycopg2_url(spine.database_url), pool_size=1)
    assert isinstance(scarce.engine.pool, QueuePool)
    scarce.engine.pool._timeout = 0.2
    parts = replace(parts_of(spine), database=scarce)
    tries, others = list[bool](), ExitStack()

    def while_others_have_all(*given: Any, **named: Any) -> Any:
        """As calls that wait for a server that is frozen, and give up before the next look."""
        others.close()
        if not tries:
            for _ in range(2):
                others.enter_context(scarce.engine.connect())
        tries.append(True)
        return poll_evidence(*given, **named)

    monkeypatch.setattr(confirming, "poll_evidence", while_others_have_all)
    worker = ActivityEnvironment()
    minute = timedelta(minutes=1)
    worker.info = replace(worker.info, schedule_to_close_timeout=minute, start_to_close_timeout=minute)
    given = StepInput(OwnerInput(made.operation_id, "run-1"), row.id)
    try:
        async with asyncio.timeout(60):
            await worker.run(ConfirmActivities(parts).confirm_instance, given)
    finally:
        others.close()
        parts.wakes.close()
        scarce.engine.dispose()
    assert len(tries) > 1
    assert spine.instance(made.deployment_id).status is Status.RUNNING
