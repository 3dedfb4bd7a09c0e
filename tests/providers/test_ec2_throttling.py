"""EC2 says "too many requests": Berth slows down, asks for many at once, and takes it for nothing else."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Seen, Work
from providers.base import Provider
from providers.ec2.batches import Batch
from providers.ec2.pace import Pace
from tests.support.calls import RecordingCall
from tests.support.ec2 import ZONES, Ec2, refusal
from tests.support.ec2_machines import a_machine, open_ec2, until_done
from tests.support.patience import busy

pytestmark = [pytest.mark.servers, pytest.mark.ec2]

MANY = 200


@pytest.mark.timeout(300)
def test_two_hundred_creates_at_once_make_two_hundred_machines(ec2: Ec2) -> None:
    """From 32 threads, with far fewer requests per second than asked for; none twice, and none given up."""
    ec2.configure(buckets={"run": [5, 8], "describe": [10, 6]}, hidden=0.2, pending=2.0)
    provider = open_ec2(ec2.endpoint, poll_seconds="0.5")
    works = [a_machine(zones=ZONES) for _ in range(MANY)]
    observed: list[str] = []

    def bring_up(work: Work) -> str:
        until_done(provider.create, work, seconds=120)
        until = time.monotonic() + 120
        while (look := provider.observe(work)).seen is not Seen.UP:
            observed.append(work.instance_id)
            assert time.monotonic() < until
            assert look.seen in {Seen.TRANSIENT, Seen.ABSENT, Seen.NO_EVIDENCE}
            time.sleep(provider.poll_seconds)
        return str(look.provider_id)

    began = time.monotonic()
    with ThreadPoolExecutor(32) as pool:
        ids = list(pool.map(bring_up, works))
    seconds = time.monotonic() - began
    assert len(set(ids)) == MANY
    assert Counter(one["state"] for one in ec2.instances()) == {"running": MANY}
    assert {one["zone"] for one in ec2.instances()} == {ZONES[0]}, "throttling is no lack of room"
    throttled = [call for call in ec2.calls() if call["error"] == "RequestLimitExceeded"]
    assert throttled, "the double did throttle"
    looks = len(ec2.calls("DescribeInstances"))
    assert seconds < 150
    asked = 2 * MANY + len(observed)  # before each launch, in between, and what showed it up
    assert looks < 0.75 * asked, "looks are gathered"
    assert provider.inventory()


def test_a_throttled_launch_is_repeated_in_the_same_zone(ec2: Ec2, machines: Provider) -> None:
    throttle = ec2.proxy.refuse(503, refusal("RequestLimitExceeded"), body="Action=RunInstances&", times=2)
    outcome = machines.create(a_machine(zones=ZONES), RecordingCall())
    assert outcome.zone == ZONES[0]
    assert ec2.proxy.applied(throttle) == 2
    assert [call["error"] for call in ec2.calls("RunInstances")] == [None]


def test_a_look_that_is_throttled_is_no_evidence(ec2: Ec2, machines: Provider) -> None:
    ec2.configure(buckets={"describe": [0, 0]})
    began = time.monotonic()
    look = machines.observe(a_machine())
    assert look.seen is Seen.NO_EVIDENCE
    assert "no more DescribeInstances requests" in str(look.detail) or "throttles" in str(look.detail)
    assert time.monotonic() - began < 8 * busy()


def test_a_throttled_change_says_when_to_come_again(ec2: Ec2, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.ec2.api._CHANGE_PATIENCE", 0.5)
    ec2.configure(buckets={"run": [0, 0]})
    with pytest.raises(ProviderError) as refused:
        open_ec2(ec2.endpoint).create(a_machine(), RecordingCall())
    assert refused.value.kind is ProviderErrorKind.THROTTLED
    assert refused.value.retry_after is not None
    assert refused.value.retry_after > 0


def test_a_pace_slows_down_once_per_wave_and_recovers() -> None:
    now = [0.0]
    pace = Pace(10, 5, clock=lambda: now[0])
    waited: list[float] = []
    for _ in range(6):
        pace.wait(1, waited.append)
    assert waited == [pytest.approx(0.1)]
    for _ in range(20):
        pace.throttled()
    assert pace.per_second == pytest.approx(7)
    now[0] = 2.0
    pace.throttled()
    assert pace.per_second == pytest.approx(4.9)
    for _ in range(100):
        pace.answered()
    assert pace.per_second == 10


def test_a_pace_refuses_who_would_wait_too_long_and_nobody_whose_turn_has_come() -> None:
    pace = Pace(1, 1, clock=lambda: 0.0)
    pace.wait(-0.1, lambda _: None)
    with pytest.raises(ProviderError) as refused:
        pace.wait(0.5, lambda _: None)
    assert (refused.value.kind, refused.value.retry_after) == (ProviderErrorKind.THROTTLED, 1.0)


_LONG = 60.0
"""For so long a batch gathers that is to be full before."""


def test_questions_of_a_moment_go_out_together_and_never_before_they_were_asked() -> None:
    asked: list[list[int]] = []

    def fetch(keys: object) -> dict[int, int]:
        assert isinstance(keys, list)
        asked.append(keys)
        return {key: key * 2 for key in keys if key != 7}

    batch = Batch(fetch, size=10, gather=_LONG)
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(batch.ask, range(20)))
    assert found == [None if key == 7 else key * 2 for key in range(20)]
    assert [len(keys) for keys in asked] == [10, 10]


def test_who_asks_alone_is_answered_when_nobody_came_in_the_meantime() -> None:
    batch: Batch[int, str] = Batch(lambda keys: dict.fromkeys(keys, "found"), size=10, gather=0.01)
    assert batch.ask(1) == "found"


def test_everybody_who_asked_hears_of_the_failure() -> None:
    def fetch(keys: object) -> dict[int, int]:
        raise ProviderError(ProviderErrorKind.AUTH, "no")

    batch = Batch(fetch, size=4, gather=_LONG)
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(batch.ask, key) for key in range(4)]
        failures = [one.exception(_LONG) for one in asking]
    assert [type(failure) for failure in failures] == [ProviderError] * 4
