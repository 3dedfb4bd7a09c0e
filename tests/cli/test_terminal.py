"""What happens on a real terminal: waiting with live progress, detaching, typing a name."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.cli.canned import TOKEN, CannedBerth, Reply, accepted, instance, operation, problem
from tests.cli.terminals import ROOT, Terminal, environment

pytestmark = pytest.mark.unit

STEPS = [{"name": "stop", "title": "stop the server", "status": "running", "attempts": [], "usual": {"p50": 1.2}}]


@pytest.fixture
def terminal(canned: CannedBerth) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def run(*arguments: str) -> Terminal:
        opened.append(Terminal(arguments, environment(canned.url, TOKEN)))
        return opened[-1]

    yield run
    for one in opened:
        one.close()


def test_on_a_terminal_a_change_waits_and_shows_its_steps(
    canned: CannedBerth, terminal: Callable[..., Terminal]
) -> None:
    canned.on("POST", "/instances/demo/actions", accepted(operation()))
    running = Reply(200, operation("running", steps=STEPS))
    canned.on("GET", "/operations/op_01", running, running, Reply(200, operation("succeeded", steps=STEPS)))
    canned.on("GET", "/instances/ins_01", Reply(200, instance(status="stopped")))
    screen = terminal("stop", "demo")
    assert screen.end() == 0
    assert "stop the server (usually 1.2s)" in screen.text
    assert "● demo stopped in 2.0s" in screen.text
    assert "next: berth start demo" in screen.text


@pytest.mark.parametrize(("code", "first"), [("transient", "retry"), ("data-lost", "delete")])
def test_a_retry_is_offered_only_where_it_can_help(
    canned: CannedBerth, terminal: Callable[..., Terminal], code: str, first: str
) -> None:
    failed = operation("failed", kind="start", error={"code": code, "message": "it went wrong"})
    canned.on("POST", "/instances/demo/actions", accepted(operation(kind="start")))
    canned.on("GET", "/operations/op_01", Reply(200, failed))
    canned.on("GET", "/instances/ins_01", Reply(200, instance(status="error")))
    screen = terminal("start", "demo")
    assert screen.end() != 0
    assert f"next berth {first} demo" in " ".join(screen.text.split())
    assert ("retry" in screen.text) is (first == "retry")


def test_ctrl_c_detaches_and_says_how_to_come_back(canned: CannedBerth, terminal: Callable[..., Terminal]) -> None:
    canned.on("POST", "/instances/demo/actions", accepted(operation()))
    canned.on("GET", "/operations/op_01", Reply(200, operation("running", steps=STEPS)))
    screen = terminal("stop", "demo")
    screen.until("stop the server")
    screen.process.send_signal(signal.SIGINT)
    assert screen.end() == 130
    assert "the operation continues: berth wait op_01" in screen.text


def test_delete_wants_the_name_typed(canned: CannedBerth, terminal: Callable[..., Terminal]) -> None:
    canned.on("DELETE", "/instances/demo", accepted(operation("succeeded", kind="delete")))
    canned.on("GET", "/instances/ins_01", problem(404, "Gone"))
    refused = terminal("delete", "demo")
    refused.until("Type demo to go on")
    refused.type("demi\n")
    assert refused.end() == 2
    assert canned.requests("DELETE") == []
    confirmed = terminal("delete", "demo")
    confirmed.until("Type demo to go on")
    confirmed.type("demo\n")
    assert confirmed.end() == 0
    assert len(canned.requests("DELETE")) == 1


def test_no_input_refuses_to_ask(canned: CannedBerth, terminal: Callable[..., Terminal]) -> None:
    assert terminal("delete", "demo", "--no-input").end() == 2


def test_no_wait_holds_on_a_terminal_too(canned: CannedBerth, terminal: Callable[..., Terminal]) -> None:
    canned.on("POST", "/instances/demo/actions", accepted(operation()))
    screen = terminal("stop", "demo", "--no-wait")
    assert screen.end() == 0
    assert "next: berth wait op_01" in screen.text


def test_the_version_is_answered_at_once() -> None:
    def once() -> float:
        """Seconds of the processor: how long others keep it busy is not ours."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "cli", "--version"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=True)
        assert done.stdout.startswith("berth")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)

    assert min(once() for _ in range(3)) < 0.3
