"""The simulated provider: idempotent verbs, scripted faults, and a file that several processes share."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import CallCancelled, FenceLost, ProviderError, ProviderErrorKind
from domain.work import Outcome, Seen, Work
from providers.simulated import SimulatedProvider
from providers.simulated_faults import Fault, FaultKind, Verb
from tests.support.calls import RecordingCall
from tests.support.patience import busy
from tests.support.works import SERVER_ID, a_work, signed, verify

pytestmark = pytest.mark.unit


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(tmp_path: Path, clock: Clock) -> Iterator[SimulatedProvider]:
    made = SimulatedProvider(tmp_path / "sim.db", SERVER_ID, verify=verify, clock=clock)
    yield made
    made.close()


def simulate(verb: str, fault: str, **more: object) -> dict[str, object]:
    return {"simulate": {verb: {"fault": fault, **more}}}


def test_a_life_from_create_to_delete(provider: SimulatedProvider) -> None:
    work, call = a_work(), RecordingCall()
    assert provider.observe(work).seen is Seen.ABSENT
    assert provider.create(work, call).confirmed
    assert provider.observe(work).seen is Seen.UP
    assert provider.stop(work, call) == Outcome(True, "stopped", f"sim-{work.instance_id}")
    assert provider.observe(work).seen is Seen.DOWN
    assert provider.modify(work, call).provider_state == "stopped"
    assert provider.start(work, call).provider_state == "running"
    assert provider.restart(work, call).provider_state == "running"
    assert provider.delete(work, call) == Outcome(True, "absent", f"sim-{work.instance_id}")
    assert provider.observe(work).seen is Seen.ABSENT
    assert call.guards == 6


def test_every_verb_twice_is_the_same_as_once(provider: SimulatedProvider) -> None:
    work, call = a_work(), RecordingCall()
    for verb in ("create", "start", "stop", "stop", "delete"):
        first = getattr(provider, verb)(work, call)
        assert getattr(provider, verb)(work, call) == first
    assert provider.inventory() == []


def test_what_is_missing_cannot_be_started(provider: SimulatedProvider) -> None:
    with pytest.raises(ProviderError, match="gone") as refused:
        provider.start(a_work(), RecordingCall())
    assert refused.value.kind is ProviderErrorKind.NOT_FOUND


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("error", ProviderErrorKind.TRANSIENT),
        ("invalid", ProviderErrorKind.INVALID),
        ("no_capacity", ProviderErrorKind.NO_CAPACITY),
        ("throttled", ProviderErrorKind.THROTTLED),
    ],
)
def test_a_refusal_comes_before_the_effect_and_is_used_up(
    provider: SimulatedProvider, fault: str, kind: ProviderErrorKind
) -> None:
    work = a_work(params=simulate("create", fault))
    with pytest.raises(ProviderError) as refused:
        provider.create(work, RecordingCall())
    assert refused.value.kind is kind
    assert provider.observe(work).seen is Seen.ABSENT
    assert provider.create(work, RecordingCall()).confirmed


def test_a_throttled_call_says_when_to_come_back(provider: SimulatedProvider) -> None:
    work = a_work(params=simulate("create", "throttled", seconds=7))
    with pytest.raises(ProviderError) as refused:
        provider.create(work, RecordingCall())
    assert refused.value.retry_after == 7.0


def test_an_answer_lost_after_success_is_adopted_by_the_next_attempt(provider: SimulatedProvider) -> None:
    work = a_work(params=simulate("create", "error_after_success"))
    with pytest.raises(ProviderError, match="answer was lost"):
        provider.create(work, RecordingCall())
    assert provider.observe(work).seen is Seen.UP
    assert provider.create(work, RecordingCall()).confirmed
    assert len(provider.inventory()) == 1


def test_times_are_counted_per_instance_and_for_ever_never_ends(provider: SimulatedProvider) -> None:
    provider.set_fault(Fault(Verb.CREATE, FaultKind.ERROR, times=2))
    for work in (a_work(), a_work()):
        for _ in range(2):
            with pytest.raises(ProviderError):
                provider.create(work, RecordingCall())
        assert provider.create(work, RecordingCall()).confirmed
    provider.set_fault(Fault(Verb.STOP, FaultKind.ERROR, times=-1))
    for _ in range(5):
        with pytest.raises(ProviderError):
            provider.stop(work, RecordingCall())
    provider.clear_faults()
    assert provider.stop(work, RecordingCall()).confirmed


def test_a_fault_reaches_only_the_instance_it_names(provider: SimulatedProvider) -> None:
    provider.set_fault(Fault(Verb.CREATE, FaultKind.ERROR, instance="cart"))
    assert provider.create(a_work(), RecordingCall()).confirmed
    with pytest.raises(ProviderError):
        provider.create(a_work(name="cart"), RecordingCall())


def test_counts_and_objects_survive_a_restart(tmp_path: Path) -> None:
    work = a_work(params=simulate("create", "error"))
    first = SimulatedProvider(tmp_path / "sim.db", SERVER_ID)
    first.set_fault(Fault(Verb.STOP, FaultKind.INVALID, times=3))
    with pytest.raises(ProviderError):
        first.create(work, RecordingCall())
    first.close()
    second = SimulatedProvider(tmp_path / "sim.db", SERVER_ID)
    assert second.create(work, RecordingCall()).confirmed
    assert second.faults() == [Fault(Verb.STOP, FaultKind.INVALID, times=3)]
    second.close()


def test_a_hang_ends_when_the_operation_is_cancelled(provider: SimulatedProvider) -> None:
    work = a_work(params=simulate("create", "hang"))
    with pytest.raises(CallCancelled):
        provider.create(work, RecordingCall(cancel_after_sleeps=2))
    assert provider.observe(work).seen is Seen.ABSENT


def test_a_hang_with_seconds_ends_by_itself(provider: SimulatedProvider) -> None:
    work, started = a_work(params=simulate("create", "hang", seconds=0.2)), time.monotonic()
    assert provider.create(work, RecordingCall()).confirmed
    assert 0.2 <= time.monotonic() - started < 10 * busy()


def test_nothing_is_touched_after_the_fence_is_lost_during_a_slow_call(provider: SimulatedProvider) -> None:
    work = a_work(params=simulate("create", "slow", seconds=0.06))
    with pytest.raises(FenceLost):
        provider.create(work, RecordingCall(lose_fence_at_guard=1))
    assert provider.observe(work).seen is Seen.ABSENT


def test_an_unconfirmed_create_settles_by_the_providers_clock(provider: SimulatedProvider, clock: Clock) -> None:
    work = a_work(params=simulate("create", "unconfirmed", seconds=5))
    first = provider.create(work, RecordingCall())
    assert (first.confirmed, first.provider_state) == (False, "creating")
    clock.now += 4
    assert provider.observe(work).seen is Seen.TRANSIENT
    assert not provider.create(work, RecordingCall()).confirmed
    clock.now += 1
    assert provider.observe(work).seen is Seen.UP
    assert provider.create(work, RecordingCall()).confirmed


def test_an_unconfirmed_delete_vanishes_later(provider: SimulatedProvider, clock: Clock) -> None:
    work = a_work(params=simulate("delete", "unconfirmed", seconds=5))
    provider.create(work, RecordingCall())
    assert not provider.delete(work, RecordingCall()).confirmed
    assert provider.observe(work).provider_state == "deleting"
    clock.now += 5
    assert provider.observe(work).seen is Seen.ABSENT
    assert provider.delete(work, RecordingCall()).confirmed


def test_an_unconfirmed_modify_is_not_prolonged_by_a_repeat(provider: SimulatedProvider, clock: Clock) -> None:
    work = a_work(params=simulate("modify", "unconfirmed", seconds=5))
    provider.create(work, RecordingCall())
    assert not provider.modify(work, RecordingCall()).confirmed
    clock.now += 3
    assert not provider.modify(work, RecordingCall()).confirmed
    clock.now += 2
    assert provider.observe(work).seen is Seen.UP


def test_gone_makes_the_object_vanish(provider: SimulatedProvider) -> None:
    work = a_work()
    provider.create(work, RecordingCall())
    provider.set_fault(Fault(Verb.OBSERVE, FaultKind.GONE, instance=work.name))
    assert provider.observe(work).seen is Seen.ABSENT
    assert provider.inventory() == []


@pytest.mark.parametrize("fault", ["error", "throttled", "unconfirmed", "invalid"])
def test_a_failed_look_is_no_evidence(provider: SimulatedProvider, fault: str) -> None:
    work = a_work(params=simulate("observe", fault))
    provider.create(work, RecordingCall())
    assert provider.observe(work).seen is Seen.NO_EVIDENCE
    assert provider.observe(work).seen is Seen.UP


def test_another_generation_is_foreign_and_only_delete_may_touch_it(provider: SimulatedProvider) -> None:
    old = a_work()
    provider.create(old, RecordingCall())
    new = replace(old, identity=signed(replace(old.identity, generation=2)))
    assert provider.observe(new).seen is Seen.FOREIGN
    with pytest.raises(ProviderError, match="generation 1"):
        provider.create(new, RecordingCall())
    assert provider.delete(new, RecordingCall()).confirmed
    assert provider.inventory() == []


def test_a_forged_signature_is_shown_as_not_owned_and_never_removed(provider: SimulatedProvider) -> None:
    work = a_work()
    forged = replace(work, identity=replace(work.identity, signature="00"))
    provider.create(forged, RecordingCall())
    (item,) = provider.inventory()
    assert not item.owned
    with pytest.raises(ProviderError, match="not signed"):
        provider.remove(item.provider_id, RecordingCall())


def test_the_inventory_counts_calls_and_the_counts_outlive_the_object(provider: SimulatedProvider) -> None:
    work = a_work()
    provider.create(work, RecordingCall())
    provider.create(work, RecordingCall())
    provider.observe(work)
    (item,) = provider.inventory()
    assert item.calls == {"create": 2, "observe": 1}
    assert (item.owned, item.instance_id, item.generation) == (True, work.instance_id, 1)
    provider.remove(item.provider_id, RecordingCall())
    assert provider.calls(work.instance_id) == {"create": 2, "observe": 1}


def test_logs_tell_what_happened(provider: SimulatedProvider) -> None:
    work = a_work()
    provider.create(work, RecordingCall())
    provider.stop(work, RecordingCall())
    assert [line.split(" ", 1)[1] for line in provider.logs(work, 10)] == ["create: running", "stop: stopped"]
    assert len(provider.logs(work, 1)) == 1


def _create_many(path: Path, work: Work, times: int) -> None:
    own = SimulatedProvider(path, SERVER_ID)
    for _ in range(times):
        own.create(work, RecordingCall())
    own.close()


def test_several_processes_share_one_file(tmp_path: Path) -> None:
    path, work = tmp_path / "sim.db", a_work()
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_create_many, args=(path, work, 100)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    provider = SimulatedProvider(path, SERVER_ID)
    assert provider.calls(work.instance_id) == {"create": 300}
    assert len(provider.inventory()) == 1
    provider.close()


def test_an_instant_verb_costs_less_than_a_millisecond(tmp_path: Path) -> None:
    provider, call = SimulatedProvider(tmp_path / "sim.db", SERVER_ID), RecordingCall()
    work = a_work()
    provider.create(work, call)
    costs = []
    for _ in range(100):
        started = time.perf_counter()
        provider.restart(work, call)
        costs.append(time.perf_counter() - started)
    provider.close()
    assert sorted(costs)[10] < 0.001, "what others take of the machine is no cost of ours"
