"""How refusals and failures end a command, and what they say."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.cli.canned import FAILED, TOKEN, CannedBerth, Reply, accepted, instance, operation, problem
from tests.cli.conftest import Run
from tests.cli.terminals import ROOT

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("status", "code"), [(400, 2), (401, 3), (403, 3), (404, 4), (409, 5), (412, 5), (422, 2), (428, 5), (500, 1)]
)
def test_each_refusal_has_its_exit_code(canned: CannedBerth, berth: Run, status: int, code: int) -> None:
    canned.on("POST", "/instances/demo/actions", problem(status, "No", detail="because"))
    ran = berth("stop", "demo")
    assert (ran.code, ran.out) == (code, "")
    assert "error: No" in ran.err
    assert "because" in ran.err


def test_bad_fields_are_listed_by_pointer(canned: CannedBerth, berth: Run) -> None:
    errors = [{"pointer": "/params/version", "detail": "16 or 18"}, {"pointer": "/name", "detail": "too long"}]
    canned.on("POST", "/instances", problem(422, "Invalid input", code="invalid-input", errors=errors))
    ran = berth("create", "demo", "--blueprint", "postgres")
    assert ran.code == 2
    assert "/params/version: 16 or 18" in ran.err
    assert "/name: too long" in ran.err


def test_a_conflict_names_the_holder_and_what_is_allowed(canned: CannedBerth, berth: Run) -> None:
    more = {
        "code": "operation-in-progress",
        "current_status": "stopping",
        "allowed_actions": ["cancel", "delete"],
        "operation": {"id": "op_9", "kind": "stop", "status": "running"},
    }
    canned.on("POST", "/instances/demo/actions", problem(409, "Busy", **more))
    ran = berth("start", "demo")
    assert ran.code == 5
    assert "current status: stopping" in ran.err
    assert "allowed now: cancel, delete" in ran.err
    assert "held by: stop op_9 running" in ran.err


def test_with_json_a_refusal_is_an_object_on_standard_error(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/instances/demo/actions", problem(409, "Busy", code="invalid-transition"))
    ran = berth("start", "demo", "--json")
    assert (ran.code, ran.out) == (5, "")
    assert json.loads(ran.err)["code"] == "invalid-transition"
    assert json.loads(ran.err)["exit_code"] == 5


def test_an_answer_that_is_no_problem_document_is_still_explained(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/instances/demo", Reply(404, "<html>nope</html>"))
    ran = berth("get", "demo")
    assert ran.code == 4
    assert "GET /api/v1/instances/demo: 404" in ran.err


def test_a_rate_limit_beyond_our_patience_is_unavailable(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/instances/demo", problem(429, "Slow down", retry_after=60))
    assert berth("get", "demo").code == 6
    assert len(canned.requests("GET")) == 1


def test_a_short_rate_limit_is_waited_out(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/instances/demo", problem(429, "Slow down", retry_after=0.1), Reply(200, instance()))
    assert berth("get", "demo").code == 0


def test_a_lost_connection_is_retried_with_the_same_key(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/instances/demo/actions", Reply(hang_up=True), Reply(hang_up=True), accepted(operation()))
    assert berth("stop", "demo").code == 0
    keys = {s.headers["Idempotency-Key"] for s in canned.requests("POST")}
    assert (len(canned.requests("POST")), len(keys)) == (3, 1)


def test_every_command_has_a_key_of_its_own(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/instances/demo/actions", accepted(operation()))
    berth("stop", "demo")
    berth("stop", "demo")
    assert len({s.headers["Idempotency-Key"] for s in canned.requests("POST")}) == 2


def test_a_failed_operation_exits_1_with_the_whole_story(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/instances/demo/actions", accepted(operation()))
    canned.on("GET", "/operations/op_01", Reply(200, FAILED))
    canned.on("GET", "/instances/ins_01", Reply(200, instance(status="error")))
    ran = berth("stop", "demo", "--wait")
    assert ran.code == 1
    for words in (
        "provision",
        "no host has room",
        "database app",
        "the container",
        "Add a host.",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "berth retry demo",
    ):
        assert words in ran.err


def test_a_wait_that_times_out_exits_124_and_says_how_to_resume(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/instances/demo/actions", accepted(operation()))
    canned.on("GET", "/operations/op_01", Reply(200, operation("running")))
    canned.on("GET", "/instances/ins_01", Reply(200, instance(status="stopping")))
    ran = berth("stop", "demo", "--wait", "--timeout", "0.3", "--json")
    assert ran.code == 124
    assert ran.document["operation"]["id"] == "op_01"


def test_a_berth_that_is_not_there_is_named_with_its_variable(berth: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.calls.PATIENCE_SECONDS", 0.1)
    monkeypatch.setenv("BERTH_URL", "http://127.0.0.1:9")
    ran = berth("list")
    assert ran.code == 6
    assert "BERTH_URL=http://127.0.0.1:9" in ran.err


@pytest.mark.parametrize("name", ["demo/history", "..", "", "a?b=1", "a%2Fb", "a b"])
def test_a_name_cannot_lead_to_another_address(canned: CannedBerth, berth: Run, name: str) -> None:
    assert berth("get", name).code == 4
    assert berth("delete", "--yes", name).code == 4
    assert canned.seen == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "demo"),
        ("create", "demo", "--blueprint", "web", "--set", "novalue"),
        ("modify", "demo"),
        ("stop", "demo", "--timeout", "soon"),
        ("delete", "demo"),
        ("forget", "demo"),
        ("list", "-o", "xml"),
        ("simulate", "stop"),
        ("apply",),
        ("nonsense",),
    ],
)
def test_words_that_make_no_sense_exit_2_and_send_no_change(
    canned: CannedBerth, berth: Run, arguments: tuple[str, ...]
) -> None:
    assert berth(*arguments).code == 2
    assert [s for s in canned.seen if s.method != "GET"] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("list", "--project", "ä"), 4),
        (("list", "--project", "a\nb"), 4),
        (("events", "--since", "99999999999999d"), 2),
        (("maintenance", "on", "demo", "--until", "99999999999999d"), 2),
        (("maintenance", "on", "demo", "--until", "3000000d"), 2),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is(
    canned: CannedBerth, berth: Run, words: tuple[str, ...], code: int
) -> None:
    ran = berth(*words)
    assert (ran.code, ran.out, canned.seen) == (code, "", [])
    assert ran.err.startswith("error: ")


def _as_program(canned: CannedBerth, script: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A line of shell in which `berth` is the program itself."""
    line = f'berth() {{ "{sys.executable}" -m cli "$@"; }}; {script}'
    known = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    env = {**known, "BERTH_URL": canned.url, "BERTH_TOKEN": TOKEN, **settings}
    return subprocess.run(
        ["bash", "-c", line], env=env, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("BERTH_TOKEN", "tök", 3),
        ("BERTH_TOKEN", "a\nb", 3),
        ("BERTH_URL", "http://[::1", 2),
        ("BERTH_URL", "http://127.0.0.1:99999", 2),
    ],
)
def test_a_wrong_environment_is_named_and_a_token_never_shown(
    canned: CannedBerth, name: str, value: str, code: int
) -> None:
    ran = _as_program(canned, "berth list", **{name: value})
    assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (code, "", 1)
    assert ran.stderr.startswith(f"error: {name} is ")
    assert (value in ran.stderr) == (name == "BERTH_URL")


def test_a_reader_that_leaves_a_closed_stream_and_a_poor_terminal_break_nothing_off(canned: CannedBerth) -> None:
    canned.on("GET", "/instances", Reply(200, {"items": [instance(f"n{i}") for i in range(3000)]}))
    left = _as_program(canned, "berth list | true; echo ${PIPESTATUS[0]}")
    assert (left.stdout, left.stderr) == ("141\n", "")
    closed = _as_program(canned, "berth list >&-")
    assert (closed.returncode, closed.stderr) == (0, "")
    canned.on("GET", "/instances", Reply(200, {"items": [instance("wide", provider="磁盘"), instance("last")]}))
    poor = _as_program(canned, "berth list", PYTHONIOENCODING="ascii")
    assert (poor.returncode, poor.stderr) == (0, "")
    assert "last" in poor.stdout
    told = _as_program(canned, "berth list --json", PYTHONIOENCODING="ascii").stdout
    assert json.loads(told)["items"][0]["provider"] == "磁盘"


def test_a_change_that_was_sent_and_not_answered_is_said_to_be_in_doubt(
    canned: CannedBerth, berth: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.calls.PATIENCE_SECONDS", 0.1)
    canned.on("POST", "/instances/demo/actions", Reply(hang_up=True))
    canned.on("GET", "/instances/demo", Reply(hang_up=True))
    changed, looked = berth("stop", "demo"), berth("get", "demo")
    assert (changed.code, looked.code) == (6, 6)
    assert "may have been accepted" in changed.err
    assert "may have been accepted" not in looked.err
    monkeypatch.setenv("BERTH_URL", "http://127.0.0.1:9")
    assert "may have been accepted" not in berth("stop", "demo").err


def test_ctrl_c_before_the_answer_says_that_the_change_may_go_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = {"PATH": os.environ["PATH"], "BERTH_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        asking = subprocess.Popen(
            [sys.executable, "-m", "cli", "stop", "demo"],
            env=env | {"HOME": "/nonexistent", "BERTH_TOKEN": TOKEN},
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = silent.accept()
        with connection:
            connection.recv(1024)
            asking.send_signal(signal.SIGINT)
            _, said = asking.communicate(timeout=90)
    assert asking.returncode == 130
    assert "interrupted; what was asked may have been accepted" in said
    assert "berth operations list" in said
