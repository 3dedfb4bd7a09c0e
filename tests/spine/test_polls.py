"""The poll for a confirmation: it outlives its worker, is deceived by nobody, and holds up no command."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities import confirming
from activities.confirming import ConfirmActivities
from activities.contracts import OwnerInput, StepInput
from db.session import Tx
from domain.lifecycle import Status
from domain.limits import PARALLEL_INSTANCES
from services.operations.confirmations import claims
from tests.monitor.seams import Steps, parts_of
from tests.spine.test_confirmations import AGENT, accepted_create, claim, evidence
from tests.support.patience import busy
from tests.support.spine import NEVER, Spine
from tests.support.spines import MakeSpine
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers


def test_a_poll_goes_on_in_another_worker_when_its_own_is_killed(make_spine: MakeSpine) -> None:
    spine = make_spine()
    first = spine.start_worker()
    made = accepted_create(spine)
    spine.wait_call(made.deployment_id, "observe")
    first.kill()
    spine.settles(made.deployment_id)
    spine.start_worker()
    spine.succeeded(made, seconds=40)
    spine.invariants()


def test_an_absence_that_may_be_wrong_ends_no_delete(make_spine: MakeSpine) -> None:
    spine = make_spine(BERTH_SIMULATED_CONSISTENCY_SECONDS="60")
    spine.start_worker()
    made = spine.create_done()
    row = spine.instance(made.deployment_id)
    spine.fault("delete", "unconfirmed", seconds=3, instance=row.id)
    spine.fault("observe", "unseen", times=2, instance=row.id)
    gone = spine.delete(made.deployment_id)
    spine.succeeded(gone)
    (life,) = spine.runs(made.deployment_id)
    assert life.termination_duration_seconds is not None
    assert life.termination_duration_seconds >= 3, "it was taken for gone while it was still there"


def test_a_clean_up_waits_for_the_proof_and_the_next_object_is_another_one(spine: Spine) -> None:
    made = spine.create(simulate={"create": {"fault": "unconfirmed", "seconds": 60}})
    row = spine.instance(made.deployment_id)
    spine.wait_call(made.deployment_id, "create")
    spine.fault("delete", "unconfirmed", seconds=1.5, instance=row.id)
    spine.cancel(made.operation_id)
    spine.cancelled(made)
    assert spine.inventory(made.deployment_id) == []
    assert spine.instance(made.deployment_id).object_generation == 2
    spine.fault("create", "slow", seconds=0, instance=row.id)
    spine.succeeded(spine.retry(made.operation_id))
    (item,) = spine.inventory(made.deployment_id)
    assert item.generation == 2


def test_an_object_that_is_gone_for_good_is_followed_by_one_of_the_next_generation(spine: Spine) -> None:
    made = spine.create(simulate={"create": {"fault": "used_up", "times": 2}})
    spine.succeeded(made)
    (item,) = spine.inventory(made.deployment_id)
    assert (item.generation, spine.instance(made.deployment_id).object_generation) == (3, 3)
    told = [
        event.data["generation"] for event in spine.events(made.operation_id) if "REPLACED" in event.event_type
    ]
    assert told == [2, 3]
    (step,) = [step for step in spine.steps(made.operation_id) if step.name == "create"]
    assert len(step.attempts) == 1


def test_members_that_wait_for_their_confirmation_hold_up_no_sibling(spine: Spine) -> None:
    """More members than are acted on at once: all are asked for before the first is there."""
    members = PARALLEL_INSTANCES + 5
    made = spine.create(members=members, simulate={"create": {"fault": "unconfirmed", "seconds": NEVER}})
    spine.wait_operation(
        made, lambda row: spine.event_types(row.id).count("LAUNCH_ACCEPTED") == members, seconds=60
    )
    spine.settles(made.deployment_id)
    spine.succeeded(made, seconds=60)
    order = [t for t in spine.event_types(made.operation_id) if t in {"LAUNCH_ACCEPTED", "LAUNCH_CONFIRMED"}]
    assert order == ["LAUNCH_ACCEPTED"] * members + ["LAUNCH_CONFIRMED"] * members


def test_a_hundred_polls_hold_up_no_command(make_spine: MakeSpine) -> None:
    spine = make_spine(BERTH_SIMULATED_POLL_SECONDS="5")
    spine.start_worker()
    waits = {"create": {"fault": "unconfirmed", "seconds": NEVER}}
    waiting = [spine.create(simulate=waits) for _ in range(100)]
    for made in waiting:
        spine.wait_operation(made, lambda row: "LAUNCH_ACCEPTED" in spine.event_types(row.id), seconds=60)
    begun = time.monotonic()
    spine.create_done()
    assert time.monotonic() - begun < 3 * busy()
    spine.settles(*[made.deployment_id for made in waiting])
    for made in waiting:
        spine.succeeded(made, seconds=90)
    assert all(spine.calls(spine.instance(made.deployment_id).id)["create"] == 1 for made in waiting)
    spine.invariants()


async def test_a_claim_that_comes_right_after_the_poll_has_read_them_is_looked_at_at_once(
    make_spine: MakeSpine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading the claims and the first wait there is no moment in which a wake-up is lost."""
    spine = make_spine()
    spine.provider.poll_seconds = NEVER
    faults = {"create": {"fault": "unconfirmed", "seconds": NEVER}, "observe": {"fault": "unconfirmed"}}
    made = spine.create(simulate=faults)
    row = spine.instance(made.deployment_id)
    steps = Steps(spine, made.deployment_id, row.id, "create")
    steps.adopt(made)
    for move in (steps.plan, steps.begin, steps.call):
        move()
    parts, rung = parts_of(spine), list[str | None]()
    ring = parts.wakes._ring

    def heard(operation_id: str | None) -> None:
        ring(operation_id)
        rung.append(operation_id)

    def and_then_comes_one(tx: Tx, *given: Any) -> Any:
        found = claims(tx, *given)
        if made.operation_id not in rung:
            spine.settles(made.deployment_id)
            claim(spine, made, AGENT)
            wait_for(lambda: made.operation_id in rung, 20, "the worker was not told")
        return found

    monkeypatch.setattr(parts.wakes, "_ring", heard)
    monkeypatch.setattr(confirming, "claims", and_then_comes_one)
    parts.wakes.start()
    try:
        await listening(rung)
        given = StepInput(OwnerInput(made.operation_id, "run-1"), row.id)
        async with asyncio.timeout(60):
            await patient().run(ConfirmActivities(parts).confirm_instance, given)
    finally:
        parts.wakes.close()
    assert spine.instance(made.deployment_id).status is Status.RUNNING
    assert evidence(spine, made) == ("agent", "external")


async def listening(rung: list[str | None]) -> None:
    """Once the connection listens, all are rung for."""
    async with asyncio.timeout(60):
        while None not in rung:
            await asyncio.sleep(0.01)


def patient() -> ActivityEnvironment:
    """An activity that has an hour."""
    made = ActivityEnvironment()
    hour = timedelta(seconds=NEVER)
    made.info = replace(made.info, schedule_to_close_timeout=hour, start_to_close_timeout=hour)
    return made
