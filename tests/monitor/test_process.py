"""The monitor with real processes: the kernel tells of their end, whoever their parent is."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from sqlalchemy import select

from db.models import LifecycleEvent
from domain.lifecycle import Health, Operation, Status
from domain.operations import RestartPolicy
from providers.process import exits
from providers.process.members import all_signed
from tests.support.by_hand import CommandLine
from tests.support.calls import RecordingCall
from tests.support.holds import suspended
from tests.support.instances import Workshop
from tests.support.patience import busy
from tests.support.process_spine import ProcessSpine
from tests.support.workers import wait_for

pytestmark = pytest.mark.processes


class Rung:
    """A bell that remembers when."""

    def __init__(self) -> None:
        self.at: dict[str | None, float] = {}
        self.ended = threading.Event()

    def ring(self, instance_id: str | None = None) -> None:
        self.at[instance_id] = time.monotonic()

    def wait(self, seconds: float) -> bool:
        return self.ended.wait(seconds) if seconds > 0 else self.ended.is_set()


def test_the_kernel_tells_of_a_crash_without_waiting_for_the_next_scan(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exits, "_SCAN_SECONDS", 300.0)
    work = workshop.work()
    pid = workshop.create(work)
    workshop.ready(work)
    bell = Rung()
    thread = threading.Thread(target=workshop.provider.watch, args=(bell,))
    thread.start()
    try:
        wait_for(lambda: work.instance_id in bell.at or None in bell.at, 20, "the watch did not begin")
        bell.at.clear()
        monkeypatch.setattr(exits, "_SCAN_SECONDS", 0.5)  # for what follows this wait
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: work.instance_id in bell.at, 20, "nothing was told")
        bell.at.clear()
        workshop.provider.start(work, RecordingCall())
        wait_for(lambda: work.instance_id in bell.at, 20, "the new process was not taken up")
        (pid,) = workshop.pids(work)
        bell.at.clear()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: work.instance_id in bell.at, 20, "the end of the new process was not told")
    finally:
        bell.ended.set()
        thread.join(60)


def test_a_crashed_server_is_seen_at_once_and_started_again_by_its_policy(process_spine: ProcessSpine) -> None:
    spine = process_spine
    spine.start_worker(BERTH_MONITOR="1")
    made = spine.on_host(blueprint="web", restart_policy=RestartPolicy.ON_FAILURE)
    spine.succeeded(made, 60)
    wait_for(lambda: spine.instance(made.deployment_id).health is Health.HEALTHY, 20, "it did not become healthy")
    row = spine.instance(made.deployment_id)
    os.kill(main_process(spine, row.id), signal.SIGSEGV)  # SIGKILL and SIGTERM are how people stop things
    killed = time.monotonic()
    query = select(LifecycleEvent).where(
        LifecycleEvent.instance_id == row.id, LifecycleEvent.event_type == "OBSERVED"
    )
    wait_for(lambda: bool(spine.rows(query)), 15, lambda: spine.workers[-1].log.read_text()[-2000:])
    assert time.monotonic() - killed < 10 * busy()
    (seen,) = spine.rows(query)
    assert (seen.from_status, seen.to_status, seen.data["seen"]) == ("running", "error", "crashed")
    wait_for(
        lambda: (
            spine.instance(made.deployment_id).status is Status.RUNNING
            and spine.instance(made.deployment_id).health is Health.HEALTHY
        ),
        30,
        lambda: spine.workers[-1].log.read_text()[-2000:],
    )
    assert spine.instance(made.deployment_id).restarts == 1


def test_one_that_stops_answering_shows_as_unreachable_and_recovers_by_itself(process_spine: ProcessSpine) -> None:
    spine = process_spine
    spine.start_worker(BERTH_MONITOR="1")
    made = spine.on_host(blueprint="web")
    spine.succeeded(made, 60)

    def health() -> Health:
        return spine.instance(made.deployment_id).health

    wait_for(lambda: health() is Health.HEALTHY, 20, "it did not become healthy")
    pid = main_process(spine, spine.instance(made.deployment_id).id)
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: health() is Health.DEGRADED, 40, "a stopped process was not noticed")
        row = spine.instance(made.deployment_id)
        assert row.status is Status.RUNNING, "paused is no status"
        assert row.health_reason == f"the process is paused (pid {pid})"
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: health() is Health.HEALTHY, 40, "it did not recover")


def test_what_is_started_by_hand_runs_and_against_a_hold_it_is_stopped_again(process_spine: ProcessSpine) -> None:
    spine = process_spine
    spine.start_worker(BERTH_MONITOR="1")
    made = spine.on_host(blueprint="web")
    spine.succeeded(made, 60)
    row = spine.instance(made.deployment_id)
    line = CommandLine.of(main_process(spine, row.id))

    def told(event_type: str) -> list[LifecycleEvent]:
        query = select(LifecycleEvent).where(LifecycleEvent.event_type == event_type)
        return spine.rows(query.where(LifecycleEvent.instance_id == row.id))

    spine.succeeded(spine.act(Operation.STOP, made.deployment_id), 60)
    pid = line.start()
    wait_for(lambda: bool(told("OBSERVED")), 60, lambda: spine.workers[-1].log.read_text()[-2000:])
    (seen,) = told("OBSERVED")
    assert (seen.from_status, seen.to_status, seen.data["seen"]) == ("stopped", "running", "up")
    assert main_process(spine, row.id) == pid
    spine.succeeded(suspended(spine, made.deployment_id), 60)
    assert not runs(spine, row.id)
    line.start()
    wait_for(lambda: bool(told("SUSPENDED_RUNNING")), 60, lambda: spine.workers[-1].log.read_text()[-2000:])
    wait_for(lambda: not runs(spine, row.id), 60, lambda: spine.workers[-1].log.read_text()[-2000:])
    wait_for(lambda: spine.instance(made.deployment_id).status is Status.SUSPENDED, 60, "the hold does not stand")


def runs(spine: ProcessSpine, instance_id: str) -> bool:
    return any(m.identity and m.identity.instance_id == instance_id for m in all_signed(spine.server_id))


def main_process(spine: ProcessSpine, instance_id: str) -> int:
    found = [m for m in all_signed(spine.server_id) if m.identity and m.identity.instance_id == instance_id]
    pids = {member.facts.id.pid for member in found}
    (pid,) = [member.facts.id.pid for member in found if member.facts.parent not in pids]
    return pid
