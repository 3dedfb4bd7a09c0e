"""Processes by identity: found, signalled and reaped, and never mistaken for one another."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from system import ports, processes
from system.processes import ForeignProcessError, ProcessId, Spawn

pytestmark = pytest.mark.processes


def spawn(script: str) -> ProcessId:
    with Path("/dev/null").open("wb") as output:
        return processes.spawn(
            Spawn(
                arguments=(sys.executable, "-I", "-c", script),
                environment={"MARK": "a=b"},
                directory=Path("/"),
                output=output.fileno(),
                user={},
            )
        )


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def end(process: ProcessId) -> None:
    processes.send_signal(process, os.geteuid(), signal.SIGKILL)
    until(lambda: processes.reap(process) is not None or processes.look(process.pid) is None)


def test_a_spawned_process_has_a_session_an_environment_and_a_directory_of_its_own() -> None:
    process = spawn("import time; time.sleep(60)")
    try:
        facts = processes.find(process)
        assert facts is not None
        assert (facts.parent, facts.uid) == (os.getpid(), os.geteuid())
        assert os.getsid(process.pid) == process.pid
        assert processes.environment(process) == {"MARK": "a=b"}
        assert processes.working_directory(process) == Path("/")
        assert facts in [replace(one, state=facts.state) for one in processes.every(os.geteuid())]
    finally:
        end(process)


def test_the_same_pid_with_another_start_or_boot_is_another_process() -> None:
    process = spawn("import time; time.sleep(60)")
    try:
        for other in (
            replace(process, start_time=process.start_time - 1),
            replace(process, boot_id="another"),
        ):
            assert processes.find(other) is None
            assert not processes.send_signal(other, os.geteuid(), signal.SIGKILL)
        assert processes.find(process) is not None
    finally:
        end(process)


def test_another_users_process_is_never_signalled() -> None:
    process = spawn("import time; time.sleep(60)")
    try:
        with pytest.raises(ForeignProcessError):
            processes.send_signal(process, os.geteuid() + 1, signal.SIGKILL)
        assert processes.find(process) is not None
    finally:
        end(process)


def test_a_zombie_has_ended_and_is_reaped_once_with_its_code() -> None:
    process = spawn("raise SystemExit(3)")
    until(lambda: processes.find(process) is None)
    facts = processes.look(process.pid)
    assert facts is not None
    assert facts.ended
    assert processes.reap(process) == 3
    assert processes.reap(process) is None
    assert processes.look(process.pid) is None


def test_an_end_by_a_signal_is_told_as_shells_do() -> None:
    process = spawn("import os; os.kill(os.getpid(), 6)")
    until(lambda: processes.find(process) is None)
    assert processes.reap(process) == 134


def test_a_paused_process_is_seen_as_paused() -> None:
    process = spawn("import time; time.sleep(60)")
    try:
        processes.send_signal(process, os.geteuid(), signal.SIGSTOP)

        def paused() -> bool:
            facts = processes.look(process.pid)
            return facts is not None and facts.paused

        until(paused)
    finally:
        end(process)


def test_a_process_with_brackets_and_spaces_in_its_name_is_read_correctly(tmp_path: Path) -> None:
    program = tmp_path / ") R 1 (x"
    program.symlink_to("/usr/bin/sleep")
    child = subprocess.Popen([program, "60"])
    try:
        facts = processes.look(child.pid)
        assert facts is not None
        assert facts.parent == os.getpid()
    finally:
        child.kill()
        child.wait(60)


def test_a_process_that_is_gone_has_no_facts() -> None:
    process = spawn("pass")
    until(lambda: processes.reap(process) is not None)
    assert processes.look(process.pid) is None
    assert processes.environment(process) == {}
    assert not processes.send_signal(process, os.geteuid(), signal.SIGTERM)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_taken_port_is_known_with_its_holder(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family, dualstack_ipv6=":" in address) as server:
        port = server.getsockname()[1]
        assert not ports.can_bind(port)
        assert [listener.uid for listener in ports.listeners(port)] == [os.geteuid()]
        assert ports.holder(port).startswith(f"pid {os.getpid()}, ")
    assert ports.can_bind(port)
    assert ports.listeners(port) == []
