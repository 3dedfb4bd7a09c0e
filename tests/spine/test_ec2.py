"""Berth with machines of EC2: confirmed by its polls, or by whoever was faster; deleting until EC2 says so."""

from __future__ import annotations

import time

import pytest

from domain.lifecycle import Health, Status
from domain.operations import Source
from domain.specs import Accepted, Caller
from services.operations.confirmations import record_confirmation
from tests.support.ec2 import ACCESS, INTERNAL_ERROR, ZONES, Ec2
from tests.support.ec2_machines import QUICK
from tests.support.patience import busy
from tests.support.spine import Spine
from tests.support.spines import MakeSpine
from tests.support.workers import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.ec2]
LONG = 90.0


@pytest.fixture
def berth(ec2: Ec2, make_spine: MakeSpine) -> Spine:
    return _berth(ec2, make_spine)


def _berth(ec2: Ec2, make_spine: MakeSpine, **options: str) -> Spine:
    given = {**QUICK, "endpoint_url": ec2.endpoint, **options}
    settings = {f"BERTH_EC2_{name.upper()}": value for name, value in given.items()}
    spine = make_spine(**settings, **ACCESS)
    spine.start_worker()
    return spine


def _launch(spine: Spine, **params: str) -> Accepted:
    return spine.create(provider="ec2", blueprint="vm", params={"instance_type": "t3.micro", **params})


def _evidence(spine: Spine, accepted: Accepted, event: str) -> tuple[str, str | None]:
    (found,) = [one for one in spine.events(accepted.operation_id) if one.event_type == event]
    return found.source, found.confirmation_method


def test_a_machine_is_launched_confirmed_stopped_started_and_ended(berth: Spine, ec2: Ec2) -> None:
    ec2.configure(pending=1.0)
    made = _launch(berth, availability_zone=ZONES[1])
    berth.succeeded(made, LONG)
    row = berth.instance(made.deployment_id)
    (machine,) = ec2.instances()
    assert (row.status, row.cloud_instance_id, row.availability_zone) == (
        Status.RUNNING,
        machine["id"],
        ZONES[1],
    )
    assert _evidence(berth, made, "LAUNCH_CONFIRMED")[0] == "backend"
    ended = berth.delete(made.deployment_id)
    berth.succeeded(ended, LONG)
    assert [one["state"] for one in ec2.instances()] == ["terminated"]
    assert berth.instances(made.deployment_id) == []


def test_an_agents_word_settles_it_before_the_polls_turn(ec2: Ec2, make_spine: MakeSpine) -> None:
    berth = _berth(ec2, make_spine, poll_seconds="60")
    ec2.configure(pending=4.0)
    made = _launch(berth)
    berth.wait_operation(made, lambda row: "LAUNCH_ACCEPTED" in berth.event_types(row.id), LONG)
    wait_for(lambda: [one["state"] for one in ec2.instances()] == ["running"], LONG, "it never ran")
    assert berth.instance(made.deployment_id).status is Status.CREATING
    row, agent = berth.instance(made.deployment_id), Caller("agent-7", source=Source.AGENT)
    told = time.monotonic()
    berth.write(lambda tx: record_confirmation(tx, agent, made.operation_id, row.id, "launched", 1))
    berth.succeeded(made, 50.0)
    assert time.monotonic() - told < 50.0 * busy()
    assert _evidence(berth, made, "LAUNCH_CONFIRMED")[0] == "agent"


def test_a_launch_whose_success_was_answered_with_500_makes_one_machine(berth: Spine, ec2: Ec2) -> None:
    ec2.configure(hidden=0.5)
    rule = ec2.proxy.error_after_success(500, INTERNAL_ERROR, body="Action=RunInstances&")
    made = _launch(berth)
    berth.succeeded(made, LONG)
    assert ec2.proxy.applied(rule) == 1
    (machine,) = ec2.instances()
    assert berth.instance(made.deployment_id).cloud_instance_id == machine["id"]


def test_a_delete_stays_deleting_while_ec2_fails_and_ends_on_its_word(berth: Spine, ec2: Ec2) -> None:
    made = _launch(berth)
    berth.succeeded(made, LONG)
    rule = ec2.proxy.refuse(503, INTERNAL_ERROR, body="Action=TerminateInstances&", times=-1)
    ended = berth.delete(made.deployment_id)
    wait_for(lambda: ec2.proxy.applied(rule) >= 4, LONG, "it did not go on trying")
    assert berth.instance(made.deployment_id).status is Status.DELETING
    assert [one["state"] for one in ec2.instances()] == ["running"]
    ec2.configure(shutting_down=2.0)
    with ec2.still():
        ec2.proxy.drop(rule)
        wait_for(lambda: ec2.instances()[0]["state"] == "shutting-down", LONG, "it was never accepted")
        assert berth.instance(made.deployment_id).status is Status.DELETING
    berth.succeeded(ended, LONG)
    assert [one["state"] for one in ec2.instances()] == ["terminated"]


def test_a_full_zone_fails_with_ec2s_words(berth: Spine, ec2: Ec2) -> None:
    ec2.configure(capacity={ZONES[0]: 0})
    refused = berth.failed(_launch(berth, availability_zone=ZONES[0]), LONG)
    assert "InsufficientInstanceCapacity" in str(refused.error)
    assert ec2.instances() == []


def test_a_launch_that_ends_by_itself_fails_with_its_reason_and_a_retry_makes_a_new_one(
    berth: Spine, ec2: Ec2
) -> None:
    ec2.configure(launch_failures=1, launch_failure="Server.InternalError")
    failed = berth.failed(_launch(berth), LONG)
    assert "Server.InternalError" in str(failed.error)
    assert ec2.alive() == []
    again = berth.retry(failed.id)
    berth.succeeded(again, LONG)
    (machine,) = ec2.alive()
    row = berth.instance(again.deployment_id)
    assert (row.status, row.cloud_instance_id) == (Status.RUNNING, machine["id"])


@pytest.mark.crash
def test_a_worker_that_dies_after_its_launch_in_the_second_zone_leaves_one_machine(
    ec2: Ec2, make_spine: MakeSpine
) -> None:
    """The one that takes over has been there for long, finds room in the first zone, and sees no machine yet."""
    berth = _berth(ec2, make_spine, consistency_seconds="12", zones=",".join(ZONES[:2]))
    ec2.configure(capacity={ZONES[0]: 0}, hidden=11.0)
    rule = ec2.proxy.hang_after_success(body=f"AvailabilityZone={ZONES[1]}")
    made = _launch(berth)
    berth.wait_operation(made, lambda _: any(step.attempts for step in berth.steps(made.operation_id)), LONG)
    berth.start_worker()
    wait_for(lambda: len(ec2.instances()) == 1, LONG, "it was never launched in the second zone")
    berth.workers[0].kill()
    ec2.proxy.drop(rule)
    ec2.configure(capacity={})
    berth.succeeded(made, LONG)
    (machine,) = ec2.instances()
    assert machine["zone"] == ZONES[1]
    assert berth.instance(made.deployment_id).cloud_instance_id == machine["id"]
    assert len(berth.steps(made.operation_id)[1].attempts) == 2


def test_a_machine_whose_status_checks_fail_is_seen_degraded_and_recovers(ec2: Ec2, make_spine: MakeSpine) -> None:
    given = {**QUICK, "endpoint_url": ec2.endpoint}
    spine = make_spine(
        BERTH_MONITOR="1", **{f"BERTH_EC2_{name.upper()}": value for name, value in given.items()}, **ACCESS
    )
    spine.start_worker()
    made = _launch(spine)
    spine.succeeded(made, LONG)

    def reads(health: Health) -> None:
        def there() -> bool:
            return spine.instance(made.deployment_id).health is health

        wait_for(there, 60, lambda: f"not {health}: {spine.instance(made.deployment_id).health}")

    reads(Health.HEALTHY)
    ec2.configure(impaired=True)
    reads(Health.DEGRADED)
    assert spine.instance(made.deployment_id).status is Status.RUNNING
    ec2.configure(impaired=False)
    reads(Health.HEALTHY)
