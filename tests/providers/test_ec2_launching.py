"""No machine is made twice, whatever answers are lost; another zone only after the first is proven empty."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from domain.errors import CallCancelled, FenceLost, ProviderError, ProviderErrorKind
from domain.work import MachineRecipe, Outcome, Resources, Seen
from providers.base import Provider
from tests.support.calls import RecordingCall
from tests.support.ec2 import INTERNAL_ERROR, ZONES, Ec2
from tests.support.ec2_machines import (
    HIDDEN,
    OTHER_IMAGE,
    PATIENT,
    OneMachine,
    ShownWhileWaiting,
    a_machine,
    open_ec2,
    seen_as,
    until_done,
)

pytestmark = [pytest.mark.servers, pytest.mark.ec2]

RUN = "Action=RunInstances&"
_FAULTS: dict[str, Callable[[Ec2], int]] = {
    "500 after success": lambda ec2: ec2.proxy.error_after_success(500, INTERNAL_ERROR, body=RUN),
    "answer lost": lambda ec2: ec2.proxy.lose_answer(body=RUN),
    "hangs after success": lambda ec2: ec2.proxy.hang_after_success(body=RUN),
    "500 before": lambda ec2: ec2.proxy.refuse(500, INTERNAL_ERROR, body=RUN),
    "hangs before": lambda ec2: ec2.proxy.hang(body=RUN),
    "closed before": lambda ec2: ec2.proxy.close_connections(body=RUN),
}


@pytest.mark.parametrize("fault", _FAULTS)
@pytest.mark.parametrize("tokens", ["honoured", "ignored"])
def test_an_answer_that_leaves_it_open_makes_one_machine(ec2: Ec2, fault: str, tokens: str) -> None:
    """EC2 shows the machine late, so that a look alone right after the fault finds nothing."""
    ec2.configure(token_honoured=tokens == "honoured", hidden=HIDDEN)
    window = {"consistency_seconds": "2"} if "before" in fault else PATIENT
    cut = {"call_seconds": "1"} if "hangs" in fault else {}
    provider = open_ec2(ec2.endpoint, **window, **cut)
    rule = _FAULTS[fault](ec2)
    work = a_machine()
    outcome = until_done(provider.create, work, ShownWhileWaiting(ec2))
    assert ec2.proxy.applied(rule) == 1
    assert len(ec2.instances()) == 1
    assert outcome.provider_id == ec2.instances()[0]["id"]
    seen_as(provider, work, Seen.UP)


def test_the_next_attempt_knows_of_the_launch_that_was_left_open(ec2: Ec2) -> None:
    """Tokens ignored and the machine hidden: the attempt is cut off before it could look again."""
    ec2.configure(token_honoured=False, hidden=HIDDEN)
    provider = open_ec2(ec2.endpoint, **PATIENT)
    ec2.proxy.lose_answer(body=RUN)
    work = a_machine()
    with pytest.raises(CallCancelled):
        provider.create(work, RecordingCall(cancel_after_sleeps=0))
    provider.create(work, ShownWhileWaiting(ec2))
    assert len(ec2.instances()) == 1


def test_where_tokens_count_for_nothing_a_new_worker_waits_before_it_launches(ec2: Ec2) -> None:
    ec2.configure(token_honoured=False, hidden=HIDDEN)
    work = a_machine()
    open_ec2(ec2.endpoint).create(work, RecordingCall())
    made = open_ec2(ec2.endpoint, client_tokens="false", **PATIENT).create(work, ShownWhileWaiting(ec2))
    assert [one["id"] for one in ec2.instances()] == [made.provider_id]


def test_two_creates_side_by_side_make_one_machine(ec2: Ec2) -> None:
    ec2.configure(hidden=0.3)
    work = a_machine()
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(open_ec2(ec2.endpoint).create(work, RecordingCall())))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ec2.instances()) == 1
    assert {one.provider_id for one in outcomes} == {ec2.instances()[0]["id"]}


def test_a_full_zone_sends_it_to_the_next_one(ec2: Ec2, machines: Provider) -> None:
    ec2.configure(capacity={ZONES[0]: 0, ZONES[1]: 0})
    work, call = a_machine(zones=ZONES), RecordingCall()
    began = time.monotonic()
    outcome = machines.create(work, call)
    assert outcome.zone == ZONES[2]
    assert time.monotonic() - began >= machines.consistency_seconds, "absence was proven first"
    assert [call["error"] for call in ec2.calls("RunInstances")] == ["InsufficientInstanceCapacity"] * 2 + [None]
    assert len(ec2.instances()) == 1
    assert any(ZONES[0] in message for message in call.messages)


def test_a_machine_that_shows_up_late_in_the_first_zone_is_not_made_in_the_second(ec2: Ec2) -> None:
    """An earlier worker launched in zone a and died; now zone a is full and its machine does not show yet."""
    ec2.configure(token_honoured=False, hidden=HIDDEN)
    work = a_machine(zones=ZONES[:2])
    first = open_ec2(ec2.endpoint).create(work, RecordingCall())
    ec2.configure(capacity={ZONES[0]: 1})
    second = open_ec2(ec2.endpoint, **PATIENT).create(work, ShownWhileWaiting(ec2))
    assert (second.provider_id, second.zone) == (first.provider_id, ZONES[0])
    assert len(ec2.instances()) == 1


def test_a_machine_of_the_second_zone_is_found_by_the_worker_after_a_crash(ec2: Ec2) -> None:
    """Zone a was full, zone b took it, the worker died; zone a has room again, and b's does not show yet."""
    work = a_machine(zones=ZONES[:2])
    ec2.configure(capacity={ZONES[0]: 0}, hidden=HIDDEN)
    first = open_ec2(ec2.endpoint).create(work, RecordingCall())
    ec2.configure(capacity={})
    second = open_ec2(ec2.endpoint, **PATIENT).create(work, ShownWhileWaiting(ec2))
    assert (second.provider_id, second.zone) == (first.provider_id, ZONES[1])
    assert len(ec2.instances()) == 1


@pytest.mark.parametrize("attempt", [2, None])
def test_another_attempt_waits_before_it_launches_in_any_zone(ec2: Ec2, attempt: int | None) -> None:
    """As above, but the worker that takes over has been there for long."""
    work = a_machine(zones=ZONES[:2])
    provider = open_ec2(ec2.endpoint)
    ec2.configure(capacity={ZONES[0]: 0}, hidden=HIDDEN)
    first = open_ec2(ec2.endpoint).create(work, RecordingCall())  # takes a window and more; nobody hears of it
    ec2.configure(capacity={})
    second = provider.create(work, ShownWhileWaiting(ec2, attempt))
    assert (second.provider_id, second.zone) == (first.provider_id, ZONES[1])
    assert len(ec2.instances()) == 1


def test_another_operation_waits_whatever_its_zones_are(ec2: Ec2) -> None:
    """The clean-up of the one before failed: the generation is the same, and what it launched does not show."""
    work = a_machine(zones=ZONES[1:2])
    provider = open_ec2(ec2.endpoint, **PATIENT)
    ec2.configure(hidden=HIDDEN)
    first = open_ec2(ec2.endpoint).create(work, RecordingCall())
    elsewhere = OneMachine(MachineRecipe("t3.micro", ZONES[:1]))
    again = replace(work, recipes=elsewhere, tried_before=True)
    second = provider.create(again, ShownWhileWaiting(ec2))
    assert second.provider_id == first.provider_id
    assert len(ec2.instances()) == 1


def test_the_first_attempt_waits_for_nothing_once_its_worker_has_been_there_for_a_window(ec2: Ec2) -> None:
    provider = open_ec2(ec2.endpoint)
    time.sleep(provider.consistency_seconds)
    call = RecordingCall()
    assert provider.create(a_machine(zones=ZONES), call).zone == ZONES[0]
    assert call.sleeps == 0


def test_an_open_answer_in_one_zone_and_no_room_at_the_repeat(ec2: Ec2) -> None:
    provider = open_ec2(ec2.endpoint)
    ec2.proxy.refuse(500, INTERNAL_ERROR, body=RUN)
    ec2.configure(capacity={ZONES[0]: 0})
    outcome = provider.create(a_machine(zones=ZONES[:2]), RecordingCall())
    assert outcome.zone == ZONES[1]
    assert len(ec2.instances()) == 1


def test_no_room_anywhere_names_every_zone(ec2: Ec2, machines: Provider) -> None:
    ec2.configure(capacity=dict.fromkeys(ZONES, 0))
    with pytest.raises(ProviderError) as refused:
        machines.create(a_machine(zones=ZONES), RecordingCall())
    assert refused.value.kind is ProviderErrorKind.NO_CAPACITY
    assert all(zone in refused.value.message for zone in ZONES)
    assert ec2.instances() == []


def test_the_configured_zones_and_subnets_are_the_order(ec2: Ec2) -> None:
    ec2.configure(capacity={ZONES[1]: 0})
    provider = open_ec2(ec2.endpoint, zones=f"{ZONES[1]},{ZONES[0]}")
    assert provider.create(a_machine(), RecordingCall()).zone == ZONES[0]
    with pytest.raises(ProviderError, match=f"allowed.*{ZONES[1]}, {ZONES[0]}") as refused:
        provider.create(a_machine(zones=("mars-1",)), RecordingCall())
    assert refused.value.kind is ProviderErrorKind.INVALID


def test_a_changed_configuration_between_two_attempts_makes_no_second_machine(ec2: Ec2) -> None:
    ec2.configure(hidden=HIDDEN)
    work = a_machine()
    first = open_ec2(ec2.endpoint).create(work, RecordingCall())
    again = open_ec2(ec2.endpoint, image=OTHER_IMAGE, **PATIENT).create(work, ShownWhileWaiting(ec2))
    assert again.provider_id == first.provider_id
    assert len(ec2.instances()) == 1


def test_a_changed_configuration_after_an_attempt_that_made_nothing_launches(ec2: Ec2) -> None:
    ec2.configure(capacity={ZONES[0]: 0})
    work = a_machine(zones=ZONES[:1])
    with pytest.raises(ProviderError):
        open_ec2(ec2.endpoint).create(work, RecordingCall())
    ec2.configure(capacity={})
    outcome = open_ec2(ec2.endpoint, image=OTHER_IMAGE).create(work, RecordingCall())
    assert [one["id"] for one in ec2.instances()] == [outcome.provider_id]
    errors = [call["error"] for call in ec2.calls("RunInstances")]
    assert errors == ["InsufficientInstanceCapacity", "IdempotentParameterMismatch", None]


def test_nothing_is_sent_once_the_fence_is_lost(ec2: Ec2, machines: Provider) -> None:
    with pytest.raises(FenceLost):
        machines.create(a_machine(), RecordingCall(lose_fence_at_guard=1))
    work = a_machine()
    machines.create(work, RecordingCall())
    seen_as(machines, work, Seen.UP)
    for verb in (machines.stop, machines.restart, machines.delete):
        with pytest.raises(FenceLost):
            verb(work, RecordingCall(lose_fence_at_guard=1))
    assert {call["action"] for call in ec2.calls()} <= {
        "DescribeInstances",
        "DescribeImages",
        "DescribeInstanceStatus",
        "DescribeVolumes",
        "DescribeAddresses",
        "RunInstances",
    }
    assert len(ec2.calls("RunInstances")) == 1


def test_what_cannot_be_launched_is_refused_by_name(ec2: Ec2) -> None:
    provider = open_ec2(ec2.endpoint, instance_types="t3.micro,t3.small", image_owners="amazon")
    bad = {
        "t3.micro, t3.small": a_machine("x9.huge"),
        "ami-0000000000000dead": a_machine(image="ami-0000000000000dead"),
        "less than that": a_machine(resources=Resources(disk_gb=1)),
        "41": a_machine(labels={f"label{number}": "x" for number in range(60)}),
    }
    for words, work in bad.items():
        with pytest.raises(ProviderError, match=words) as refused:
            provider.create(work, RecordingCall())
        assert refused.value.kind is ProviderErrorKind.INVALID
    strict = open_ec2(ec2.endpoint, image_owners="111122223333")
    with pytest.raises(ProviderError, match="owner is not allowed"):
        strict.create(a_machine(), RecordingCall())
    unnamed = open_ec2(ec2.endpoint, image="")
    with pytest.raises(ProviderError, match=r"set BERTH_EC2_IMAGE .* parameter image_id"):
        unnamed.create(a_machine(), RecordingCall())
    free = open_ec2(ec2.endpoint)
    with pytest.raises(ProviderError, match="instance type"):
        free.create(a_machine("x9.huge"), RecordingCall())
    with pytest.raises(ProviderError, match="mars-1"):
        free.create(a_machine(zones=("mars-1",)), RecordingCall())
    with pytest.raises(ProviderError, match="no recipe"):
        free.create(replace(a_machine(), recipes=None), RecordingCall())
    assert ec2.instances() == []


def test_quotas_are_no_lack_of_room(ec2: Ec2, machines: Provider) -> None:
    for setting in ("instance_limit", "vcpu_limit"):
        ec2.configure(**{setting: 0})
        with pytest.raises(ProviderError) as refused:
            machines.create(a_machine(zones=ZONES), RecordingCall())
        assert refused.value.kind is ProviderErrorKind.QUOTA
        ec2.configure(**{setting: None})
    assert len(ec2.calls("RunInstances")) == 2
