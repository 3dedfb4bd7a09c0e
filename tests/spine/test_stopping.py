"""Whom a keeper has asked to stop: it remembers no more of them than it needs, however long it acts."""

from __future__ import annotations

import pytest
from temporalio.client import WorkflowExecutionStatus

from keeper import stop
from keeper.facts import KeeperLimits, Unfinished
from keeper.stop import Stopper
from tests.support.temporal import TemporalServer
from workflows.connection import connect

pytestmark = pytest.mark.servers
_LIMITS = KeeperLimits(0.1, 0.1, 0.1, cancel_grace_seconds=1.0)
_MOST = 3


def asked_to_stop(number: int, run_id: str, seconds_ago: float) -> Unfinished:
    name = f"op_{number}"
    return Unfinished(
        name, "stop", "running", f"dep_{number}", name, "simulated", "tester", name, run_id, run_id,
        cancel_requested=True, cancel_age_seconds=seconds_ago, running_seconds=60.0,
    )  # fmt: skip


async def test_it_forgets_whom_it_has_stopped_and_stops_all_of_them(
    own_temporal: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop, "_REMEMBERED", _MOST, raising=False)
    client = await connect(own_temporal.address, own_temporal.new_namespace())
    stopper = Stopper(client, _LIMITS)
    for number in range(2 * _MOST + 1):
        run = await client.start_workflow("Nobody", id=f"op_{number}", task_queue="nobody")
        for seconds in (0.0, 60.0):
            await stopper.stop(asked_to_stop(number, run.result_run_id or "", seconds))
        assert (await run.describe()).status is WorkflowExecutionStatus.TERMINATED
    assert len(stopper._asked) <= _MOST
    assert len(stopper._terminated) <= _MOST
