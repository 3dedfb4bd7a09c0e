"""The process provider on real processes: a life, repeats, observations, refusals."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from dataclasses import replace

import pytest

from blueprints.base import BlueprintBase
from domain.errors import CallCancelled, FenceLost, ProviderError, ProviderErrorKind
from domain.work import Command, Home, Outcome, ProcessRecipe, Resources, Seen, Work
from providers.base import PortBusy
from providers.process.locks import try_lock
from system import processes
from tests.support.calls import RecordingCall
from tests.support.instances import Workshop, another_provider, changed, free_port
from tests.support.patience import busy
from tests.support.works import AsProcess, a_work

pytestmark = pytest.mark.processes


def wait_for(workshop: Workshop, work: Work, seen: Seen) -> None:
    deadline = time.monotonic() + 60
    while (now := workshop.provider.observe(work)).seen is not seen:
        assert time.monotonic() < deadline, now
        time.sleep(0.02)


def test_a_life_from_create_to_delete(workshop: Workshop) -> None:
    work, call = workshop.work(), RecordingCall()
    assert workshop.provider.observe(work).seen is Seen.ABSENT
    made = workshop.provider.create(work, call)
    assert made == Outcome(True, "running", f"host_test/{work.instance_id}", f"127.0.0.1:{work.port}", work.port)
    workshop.ready(work)
    assert workshop.provider.observe(work).seen is Seen.UP
    assert workshop.provider.stop(work, call).provider_state == "stopped"
    assert workshop.pids(work) == []
    assert workshop.provider.observe(work).seen is Seen.DOWN
    workshop.provider.start(work, call)
    (first,) = workshop.pids(work)
    workshop.provider.restart(work, call)
    (second,) = workshop.pids(work)
    assert first != second
    assert workshop.provider.delete(work, call).provider_state == "absent"
    assert workshop.provider.observe(work).seen is Seen.ABSENT
    assert [path.name for path in workshop.root.iterdir()] == [".locks"]
    assert list((workshop.root / ".locks").iterdir()) == []


def test_every_verb_twice_is_the_same_as_once(workshop: Workshop) -> None:
    work, call = workshop.work(), RecordingCall()
    for verb in ("create", "start", "stop", "start", "delete"):
        first = getattr(workshop.provider, verb)(work, call)
        pids = workshop.pids(work)
        assert getattr(workshop.provider, verb)(work, call) == first
        assert workshop.pids(work) == pids


def test_a_new_worker_finds_what_the_old_one_started(workshop: Workshop) -> None:
    work = workshop.work()
    pid = workshop.create(work)
    later = another_provider(workshop)
    assert later.observe(work).detail == f"pid {pid}"
    later.create(work, RecordingCall())
    assert workshop.pids(work) == [pid]
    later.stop(work, RecordingCall())
    assert workshop.pids(work) == []


def test_a_process_without_its_record_is_found_by_its_environment(workshop: Workshop) -> None:
    work = workshop.work()
    pid = workshop.create(work)
    (workshop.root / work.instance_id / "process.json").unlink()
    later = another_provider(workshop)
    assert later.observe(work).seen is Seen.UP
    later.create(work, RecordingCall())
    assert workshop.pids(work) == [pid]
    later.delete(work, RecordingCall())
    assert workshop.pids(work) == []


def test_creates_side_by_side_make_one_process(workshop: Workshop) -> None:
    work = workshop.work()
    attempts = [
        threading.Thread(target=another_provider(workshop).create, args=(work, RecordingCall())) for _ in range(4)
    ]
    for attempt in attempts:
        attempt.start()
    for attempt in attempts:
        attempt.join(60)
    assert len(workshop.pids(work)) == 1


@pytest.mark.parametrize("guard", [1, 2, 3, 4])
def test_nothing_starts_after_the_fence_is_lost_and_the_next_owner_makes_one(
    workshop: Workshop, guard: int
) -> None:
    work = workshop.work()
    with pytest.raises(FenceLost):
        workshop.provider.create(work, RecordingCall(lose_fence_at_guard=guard))
    assert workshop.pids(work) == []
    workshop.create(work)


def test_a_port_that_another_process_holds_is_told_apart(workshop: Workshop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as strange:
        work = workshop.work(port=strange.getsockname()[1])
        with pytest.raises(PortBusy, match=f"pid {os.getpid()}, ") as refused:
            workshop.provider.create(work, RecordingCall())
        assert (refused.value.code, refused.value.retryable) == ("port-taken", False)
        other = replace(work, port=free_port())
        workshop.provider.create(other, RecordingCall())
        workshop.ready(other)


def test_a_killed_process_reads_as_down_with_its_exit_code(workshop: Workshop) -> None:
    work = workshop.work()
    os.kill(workshop.create(work), signal.SIGKILL)
    wait_for(workshop, work, Seen.DOWN)
    seen = workshop.provider.observe(work)
    assert "exit code 137" in str(seen.detail)
    assert another_provider(workshop).observe(work) == seen, "the exit code was written down"


def test_a_process_that_died_of_an_error_reads_as_crashed(workshop: Workshop) -> None:
    work = workshop.work()
    os.kill(workshop.create(work), signal.SIGABRT)
    wait_for(workshop, work, Seen.CRASHED)
    assert "exit code 134" in str(workshop.provider.observe(work).detail)
    workshop.provider.start(work, RecordingCall())
    assert workshop.provider.observe(work).seen is Seen.UP


def test_a_process_that_ends_during_a_look_is_read_with_its_exit_code(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = workshop.work()
    pid = workshop.create(work)
    find = processes.find

    def find_it_dead(process: processes.ProcessId) -> processes.ProcessFacts | None:
        os.kill(pid, signal.SIGKILL)
        while find(process) is not None:
            time.sleep(0.01)
        return None

    monkeypatch.setattr(processes, "find", find_it_dead)
    seen = workshop.provider.observe(work)
    monkeypatch.undo()
    assert (seen.seen, seen.detail) == (Seen.DOWN, "it ended by itself with exit code 137")


def _leaving_a_thread(work: Work, home: Home) -> ProcessRecipe:
    """Its first thread ends at once, its second some time later: it cannot be reaped before."""
    script = (
        "import ctypes, os, platform, threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(0.5), os.kill(os.getpid(), 9))).start()\n"
        "time.sleep(0.3); ctypes.CDLL(None).syscall({'x86_64': 60}.get(platform.machine(), 93), 0)"
    )
    return ProcessRecipe("python", Command("python3", ("-I", "-c", script)), {}, stop_seconds=1.0)


def test_a_process_of_which_a_thread_still_ends_is_read_with_its_exit_code(workshop: Workshop) -> None:
    work = replace(workshop.work(), recipes=AsProcess(_leaving_a_thread), port=None)
    workshop.provider.create(work, RecordingCall())
    while (seen := workshop.provider.observe(work)).seen is Seen.UP:
        time.sleep(0.01)
    assert (seen.seen, seen.detail) == (Seen.DOWN, "it ended by itself with exit code 137")


def test_a_process_of_an_earlier_boot_reads_as_down(workshop: Workshop) -> None:
    work = workshop.work()
    pid = workshop.create(work)
    record = workshop.root / work.instance_id / "process.json"
    record.write_text(record.read_text().replace(processes.boot_id(), "an-earlier-boot"))
    os.kill(pid, signal.SIGKILL)
    wait_for(workshop, work, Seen.DOWN)
    assert workshop.provider.observe(work).detail == "the host was rebooted"


def test_a_paused_process_is_transient_and_start_lets_it_go_on(workshop: Workshop) -> None:
    work = workshop.work()
    pid = workshop.create(work)
    os.kill(pid, signal.SIGSTOP)
    wait_for(workshop, work, Seen.TRANSIENT)
    assert workshop.provider.observe(work).provider_state == "paused"
    workshop.provider.start(work, RecordingCall())
    workshop.ready(work)
    os.kill(pid, signal.SIGSTOP)
    workshop.provider.stop(work, RecordingCall())
    assert workshop.pids(work) == []


def _stubborn(work: Work, home: Home) -> ProcessRecipe:
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    return ProcessRecipe("python", Command("python3", ("-I", "-c", script)), {}, stop_seconds=0.3)


class ShortStop(RecordingCall):
    """Cancelled between the first signal and the one that kills."""

    def guard(self) -> None:
        super().guard()
        if self.guards > 2:
            raise CallCancelled("the operation was cancelled")


def test_a_process_that_does_not_listen_to_signals_is_killed_after_its_time(workshop: Workshop) -> None:
    work = replace(workshop.work(), recipes=AsProcess(_stubborn), port=None)
    workshop.provider.create(work, RecordingCall())
    while workshop.provider.logs(work, 1) != ["deaf"]:
        time.sleep(0.02)
    call, started = RecordingCall(), time.monotonic()
    workshop.provider.stop(work, call)
    assert 0.3 < time.monotonic() - started < 10 * busy()
    assert workshop.pids(work) == []
    assert call.messages == ["it did not end within 0.3 s of SIGTERM"]


def test_an_interrupted_stop_is_finished_by_the_next_attempt(workshop: Workshop) -> None:
    work = replace(workshop.work(), recipes=AsProcess(_stubborn), port=None)
    workshop.provider.create(work, RecordingCall())
    while workshop.provider.logs(work, 1) != ["deaf"]:
        time.sleep(0.02)
    with pytest.raises(CallCancelled):
        workshop.provider.stop(work, ShortStop())
    assert workshop.provider.observe(work).provider_state == "stopping"
    workshop.provider.start(work, RecordingCall())
    assert workshop.provider.observe(work).seen is Seen.UP
    assert len(workshop.pids(work)) == 1


def _leaving_children(work: Work, home: Home) -> ProcessRecipe:
    """A program that starts a daemon, which has its environment and outlives it."""
    script = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0: time.sleep(600)\n"
        "    os._exit(0)\n"
        "os.wait(); print('ready', flush=True); time.sleep(600)"
    )
    return ProcessRecipe("python", Command("python3", ("-I", "-c", script)), {}, stop_seconds=1.0)


def test_children_that_outlive_their_instance_do_not_pass_for_it(workshop: Workshop) -> None:
    work = replace(workshop.work(), recipes=AsProcess(_leaving_children), port=None)
    workshop.provider.create(work, RecordingCall())
    while workshop.provider.logs(work, 1) != ["ready"]:
        time.sleep(0.02)
    first = sorted(workshop.pids(work))
    assert len(first) == 2
    main = int(str(workshop.provider.observe(work).detail).removeprefix("pid "))
    os.kill(main, signal.SIGABRT)
    wait_for(workshop, work, Seen.CRASHED)
    workshop.provider.start(work, RecordingCall())
    assert not set(first) & set(workshop.pids(work))
    workshop.provider.delete(work, RecordingCall())
    assert workshop.pids(work) == []


def _broken(work: Work, home: Home) -> ProcessRecipe:
    script = "import sys; sys.exit('the moon is missing')"
    return ProcessRecipe("python", Command("python3", ("-I", "-c", script)), {})


def test_a_program_that_ends_at_once_fails_with_its_last_words(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.process.launching._LISTENING_SECONDS", 60.0)
    work = replace(workshop.work(), recipes=AsProcess(_broken))
    with pytest.raises(ProviderError, match="exit code 1: the moon is missing") as refused:
        workshop.provider.create(work, RecordingCall())
    assert refused.value.retryable
    assert workshop.provider.observe(work).seen is Seen.CRASHED


def test_a_change_reaches_the_running_process_without_a_restart(workshop: Workshop) -> None:
    work = workshop.work(params={"greeting": "Hello"})
    pid = workshop.create(work)
    workshop.ready(work)
    workshop.provider.modify(changed(work, greeting="Moin"), RecordingCall())
    assert workshop.pids(work) == [pid]
    assert "Moin" in (workshop.root / work.instance_id / "conf" / "instance.json").read_text()


def test_a_change_of_a_stopped_instance_waits_for_its_start(workshop: Workshop) -> None:
    work = workshop.work()
    workshop.create(work)
    workshop.provider.stop(work, RecordingCall())
    changed_now = workshop.provider.modify(changed(work, greeting="Moin"), RecordingCall())
    assert changed_now.provider_state == "stopped"
    assert workshop.pids(work) == []


def test_limits_that_are_not_enforced_are_said(workshop: Workshop) -> None:
    work = workshop.work(resources=Resources(memory_mb=64))
    assert "not enforced" in str(workshop.provider.create(work, RecordingCall()).note)


def test_verbs_on_what_never_existed(workshop: Workshop) -> None:
    for verb in ("start", "stop", "restart", "modify"):
        with pytest.raises(ProviderError, match="no directory") as refused:
            getattr(workshop.provider, verb)(workshop.work(), RecordingCall())
        assert refused.value.kind is ProviderErrorKind.NOT_FOUND
    assert workshop.provider.delete(workshop.work(), RecordingCall()).confirmed


def test_a_blueprint_without_this_form_is_refused(workshop: Workshop) -> None:
    class Formless(BlueprintBase):
        name = "formless"

    work = a_work(server_id=workshop.server_id, recipes=Formless())
    with pytest.raises(ProviderError, match="formless does not run as a process"):
        workshop.provider.create(work, RecordingCall())


def test_the_longest_wait_for_another_attempt_is_cut_short_by_a_cancel(workshop: Workshop) -> None:
    work = workshop.work()
    workshop.create(work)
    handle = try_lock(workshop.root / ".locks" / f"{work.instance_id}.verb")
    assert handle is not None
    try:
        with pytest.raises(CallCancelled):
            workshop.provider.stop(work, RecordingCall(cancel_after_sleeps=2))
    finally:
        os.close(handle)
