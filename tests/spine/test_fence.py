"""The fence, step by step, without a worker: who may still act, and who may not any more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from activities.calls import ActivityCall
from domain.errors import AttemptOver, CallCancelled, FenceLost
from domain.lifecycle import Status
from domain.operations import OperationStatus
from domain.specs import Accepted
from domain.work import Outcome
from services.operations.fence import Owner
from services.operations.outcomes import finish
from services.operations.planning import PlanRules, claim_and_plan
from services.operations.settlement import Evidence, settle_step
from services.operations.steps import StepWork, begin_after, begin_step
from tests.support.spine import Spine
from tests.support.spines import MakeSpine

pytestmark = pytest.mark.servers
SERVES = Evidence(Outcome(True, "running", "sim-1", "simulated://x"))


@pytest.fixture
def spine(make_spine: MakeSpine) -> Spine:
    return make_spine()


def planned(spine: Spine) -> tuple[Accepted, Owner, str]:
    made = spine.create()
    owner = Owner(made.operation_id, "run-1")
    spine.write(lambda tx: claim_and_plan(tx, owner, "run-1", PlanRules(60.0)))
    return made, owner, spine.instance(made.deployment_id).id


def begin(spine: Spine, owner: Owner, instance_id: str) -> tuple[StepWork, ActivityCall]:
    """An attempt, and the guard that it asks before each mutation."""
    step: StepWork = spine.write(lambda tx: begin_step(tx, spine.vault, spine.server_id, owner, instance_id))
    call = ActivityCall(spine.database, owner, instance_id)
    call.attempt = step.attempt
    return step, call


def test_plan_may_be_repeated_by_the_same_run_and_by_no_other(spine: Spine) -> None:
    made, owner, _ = planned(spine)
    version = spine.instance(made.deployment_id).version
    spine.write(lambda tx: claim_and_plan(tx, owner, "run-1-after-reset", PlanRules(60.0)))
    assert spine.instance(made.deployment_id).version == version
    with pytest.raises(FenceLost, match="only one run may carry it out"):
        spine.write(lambda tx: claim_and_plan(tx, Owner(made.operation_id, "run-2"), "run-2", PlanRules(60.0)))


def test_another_run_of_the_same_operation_may_not_begin_a_step(spine: Spine) -> None:
    made, _, instance_id = planned(spine)
    with pytest.raises(FenceLost):
        begin(spine, Owner(made.operation_id, "run-2"), instance_id)


def test_a_later_attempt_ends_the_earlier_one_before_its_next_mutation(spine: Spine) -> None:
    _, owner, instance_id = planned(spine)
    _, first = begin(spine, owner, instance_id)
    first.guard()
    _, second = begin(spine, owner, instance_id)
    with pytest.raises(AttemptOver):
        first.guard()
    second.guard()


def test_a_clean_up_ends_the_attempt_before_it(spine: Spine) -> None:
    _, owner, instance_id = planned(spine)
    _, attempt = begin(spine, owner, instance_id)
    spine.write(lambda tx: begin_after(tx, spine.vault, spine.server_id, owner, instance_id))
    with pytest.raises(AttemptOver):
        attempt.guard()
    ActivityCall(spine.database, owner, instance_id, cleaning=True).guard()


def test_a_request_to_stop_ends_an_attempt_and_not_its_clean_up(spine: Spine) -> None:
    made, owner, instance_id = planned(spine)
    _, attempt = begin(spine, owner, instance_id)
    spine.cancel(made.operation_id)
    with pytest.raises(CallCancelled):
        attempt.guard()
    with pytest.raises(CallCancelled):
        begin(spine, owner, instance_id)
    ActivityCall(spine.database, owner, instance_id, cleaning=True).guard()


def test_a_create_is_told_that_an_earlier_operation_has_tried_it(spine: Spine) -> None:
    made, owner, instance_id = planned(spine)
    steps = [begin(spine, owner, instance_id)[0] for _ in range(2)]
    assert [(step.attempt, step.work.tried_before) for step in steps] == [(1, False), (2, False)]
    spine.write(lambda tx: finish(tx, owner, OperationStatus.FAILED, error={"code": "internal", "message": "x"}))
    again = Owner(spine.retry(made.operation_id).operation_id, "run-2")
    spine.write(lambda tx: claim_and_plan(tx, again, "run-2", PlanRules(60.0)))
    step, _ = begin(spine, again, instance_id)
    assert (step.attempt, step.work.tried_before) == (1, True)
    assert step.work.identity.generation == 1, "no clean-up has proven anything"


def test_the_end_of_an_operation_ends_everything_of_it(spine: Spine) -> None:
    made, owner, instance_id = planned(spine)
    _, attempt = begin(spine, owner, instance_id)
    spine.write(lambda tx: finish(tx, owner, OperationStatus.FAILED, error={"code": "internal", "message": "x"}))
    for guard in (attempt.guard, ActivityCall(spine.database, owner, instance_id, cleaning=True).guard):
        with pytest.raises(FenceLost):
            guard()
    with pytest.raises(FenceLost):
        begin(spine, owner, instance_id)
    recorded = spine.write(lambda tx: finish(tx, owner, OperationStatus.SUCCEEDED))
    assert recorded["status"] == "failed", "whoever comes second gets the recorded outcome"
    assert spine.operation(made.operation_id).status is OperationStatus.FAILED


def test_a_step_settles_once(spine: Spine) -> None:
    made, owner, instance_id = planned(spine)
    begin(spine, owner, instance_id)
    spine.write(lambda tx: settle_step(tx, owner, instance_id, 1, SERVES))
    version = spine.instance(made.deployment_id).version
    spine.write(lambda tx: settle_step(tx, owner, instance_id, 1, SERVES))
    assert spine.instance(made.deployment_id).version == version
    step, _ = begin(spine, owner, instance_id)
    assert step.settled is True


def test_what_is_being_cleaned_up_cannot_settle_any_more(spine: Spine) -> None:
    made, owner, instance_id = planned(spine)
    begin(spine, owner, instance_id)
    spine.write(lambda tx: begin_after(tx, spine.vault, spine.server_id, owner, instance_id))
    with pytest.raises(AttemptOver):
        spine.write(lambda tx: settle_step(tx, owner, instance_id, 1, SERVES))
    assert spine.instance(made.deployment_id).status is Status.CREATING


def test_a_clean_up_that_races_with_the_settlement_sees_who_was_first(spine: Spine) -> None:
    """Both lock the step; whoever comes second decides on what the first one wrote."""
    _, owner, instance_id = planned(spine)
    begin(spine, owner, instance_id)
    with ThreadPoolExecutor(1) as pool:
        with spine.database.begin() as tx:
            settle_step(tx, owner, instance_id, 1, SERVES)
            cleaning = pool.submit(
                spine.write, lambda other: begin_after(other, spine.vault, spine.server_id, owner, instance_id)
            )
            assert not wait([cleaning], timeout=0.3).done
        assert cleaning.result(60).settled is True


def test_success_is_not_recorded_for_what_was_not_confirmed(spine: Spine) -> None:
    _, owner, _ = planned(spine)
    recorded = spine.write(lambda tx: finish(tx, owner, OperationStatus.SUCCEEDED))
    assert recorded["status"] == "failed"
    assert recorded["error"]["message"] == "The run ended without confirming every instance."
