"""Machines of EC2 through the whole of Berth: confirmed by looking, ended on EC2's word, never launched twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from db.models import LifecycleEvent
from tests.support.ec2 import ACCESS, INTERNAL_ERROR, REGION, Ec2
from tests.support.ec2_machines import IMAGE
from tests.support.whole import MakeWhole, Whole
from tests.support.workers import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.ec2]
SLOW_POLL = "60"


def settings(ec2: Ec2, **more: str) -> dict[str, str]:
    return {
        **ACCESS,
        "BERTH_EC2_REGION": REGION,
        "BERTH_EC2_ENDPOINT_URL": ec2.endpoint,
        "BERTH_EC2_IMAGE": IMAGE,
        "BERTH_EC2_CONSISTENCY_SECONDS": "2",
        "BERTH_EC2_POLL_SECONDS": "0.5",
        **more,
    }


@pytest.fixture(scope="module")
def whole(ec2_servers: Ec2, make_whole: MakeWhole) -> Whole:
    ec2_servers.reset()
    return make_whole(**settings(ec2_servers))


@pytest.fixture(autouse=True)
def quiet(ec2_servers: Ec2) -> Iterator[None]:
    ec2_servers.proxy.clear()
    yield
    ec2_servers.proxy.clear()


def launch(whole: Whole, name: str) -> Any:
    """S2's form: a launch of what does not exist."""
    answer = whole.api.ask("POST", f"/instances/{name}/launch", {"instance_type": "t3.micro"})
    assert answer.status_code == 202, answer.text
    return answer.json()


def confirmed(whole: Whole, operation_id: str, event_type: str) -> Any:
    with whole.spine.database.read() as session:
        return session.scalars(
            select(LifecycleEvent).where(
                LifecycleEvent.operation_id == operation_id, LifecycleEvent.event_type == event_type
            )
        ).one()


def looked_after_launch(ec2: Ec2) -> bool:
    """Whether a look has had its answer since the launch."""
    actions = [call["action"] for call in ec2.calls()]
    return "RunInstances" in actions and "DescribeInstances" in actions[actions.index("RunInstances") :]


def test_a_launch_is_pending_until_a_poll_shows_it_running_and_ends_on_ec2s_word(
    whole: Whole, ec2_servers: Ec2
) -> None:
    form = launch(whole, "vm-one")
    assert form["status"] == "LAUNCHING"
    operation = whole.done(form)
    machine = whole.instance("vm-one")
    assert (machine["status"], machine["lifecycle_state"]) == ("running", "RUNNING")
    assert machine["cloud_instance_id"].startswith("i-")
    assert machine["availability_zone"].startswith(REGION)
    assert machine["instance_type"] == "t3.micro"
    event = confirmed(whole, operation["id"], "LAUNCH_CONFIRMED")
    assert (event.source, event.confirmation_method) == ("backend", "backend_aws_check")
    whole.act("vm-one", "stop", seconds=90)
    whole.act("vm-one", "start", seconds=90)
    ended = whole.delete("vm-one", seconds=90)
    run = whole.api.get("/runs?name=vm-one")["items"][0]
    assert (run["confirmation_method"], run["cloud_instance_id"]) == (
        "backend_aws_check",
        machine["cloud_instance_id"],
    )
    (truth,) = [m for m in ec2_servers.instances() if m["id"] == machine["cloud_instance_id"]]
    assert truth["state"] == "terminated"
    assert ended["status"] == "succeeded"


def test_an_external_confirmation_before_the_polls_turn_makes_berth_look_at_once(
    ec2_servers: Ec2, make_whole: MakeWhole
) -> None:
    whole = make_whole(**settings(ec2_servers, BERTH_EC2_POLL_SECONDS=SLOW_POLL))
    ec2_servers.forget_calls()
    with ec2_servers.still():
        form = launch(whole, "vm-told")
        wait_for(lambda: looked_after_launch(ec2_servers), 60, "the first poll did not come")
    wait_for(lambda: any(m["state"] == "running" for m in ec2_servers.alive()), 30, "EC2 does not show it running")
    began = time.monotonic()
    claim = {"operation_id": form["operation"]["id"], "kind": "launched", "generation": 1}
    answer = whole.api.ask("POST", "/instances/vm-told/confirmations", claim)
    assert answer.status_code in (200, 202), answer.text
    whole.done(form)
    assert time.monotonic() - began < float(SLOW_POLL) / 2
    event = confirmed(whole, form["operation"]["id"], "LAUNCH_CONFIRMED")
    assert (event.source, event.confirmation_method) == ("external", "external")
    ec2_servers.configure(shutting_down=0.0)  # its first poll sees the end
    whole.delete("vm-told", seconds=120)
    ec2_servers.configure(shutting_down=0.3)


def test_a_launch_that_is_answered_500_after_its_success_makes_one_machine(whole: Whole, ec2_servers: Ec2) -> None:
    before = len(ec2_servers.instances())
    ec2_servers.proxy.error_after_success(body="Action=RunInstances&", times=1)
    whole.done(launch(whole, "vm-lost"), seconds=90)
    assert len(ec2_servers.instances()) == before + 1
    whole.delete("vm-lost", seconds=90)


@pytest.mark.crash
def test_a_terminate_stays_deleting_while_ec2_answers_5xx_for_two_minutes(whole: Whole, ec2_servers: Ec2) -> None:
    whole.done(launch(whole, "vm-stuck"))
    rule = ec2_servers.proxy.refuse(503, INTERNAL_ERROR, body="Action=TerminateInstances&", times=-1)
    answer = whole.api.ask("DELETE", "/instances/vm-stuck").json()
    whole.wait_status("vm-stuck", "deleting")
    until = time.monotonic() + 120
    while time.monotonic() < until:
        shown = whole.instance("vm-stuck")
        assert (shown["status"], shown["lifecycle_state"]) == ("deleting", "TERMINATING")
        time.sleep(5)
    ec2_servers.proxy.drop(rule)
    whole.done(answer, seconds=90)
    assert whole.inventory("ec2") == []


@pytest.mark.crash
@pytest.mark.timeout(900)
def test_two_hundred_creates_at_once_under_throttling_make_two_hundred_machines(
    whole: Whole, ec2_servers: Ec2
) -> None:
    before = {m["id"] for m in ec2_servers.instances()}
    ec2_servers.configure(buckets={"run": [20, 15], "describe": [20, 15], "change": [20, 15]})
    try:
        names = [f"many-{number}" for number in range(200)]
        asked = [launch(whole, name) for name in names]
        for form in asked:
            whole.done(form, seconds=400)
        made = [m for m in ec2_servers.alive() if m["id"] not in before]
        assert len(made) == 200
        assert len({whole.instance(name)["cloud_instance_id"] for name in names}) == 200
        gone = [whole.api.ask("DELETE", f"/instances/{name}").json() for name in names]
        for form in gone:
            whole.done(form, seconds=400)
    finally:
        ec2_servers.configure(buckets={})
    assert whole.inventory("ec2") == []
    assert ec2_servers.alive() == []
