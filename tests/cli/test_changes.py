"""Commands that change something: what they send and what they print."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cli import calls
from tests.cli.canned import CannedBerth, Reply, accepted, deployment, instance, operation, problem
from tests.cli.conftest import Run

pytestmark = pytest.mark.unit

PLAN = {
    "id": "plan_1",
    "counts": {"created": 0, "changed_in_place": 0, "restarted": 1, "replaced": 0, "deleted": 0},
    "disruption": "restart",
    "changes": [{"path": "/params/greeting", "from": "hello", "to": "hi", "effect": "restart"}],
    "steps": [{"order": 1, "instance": "demo", "does": "restart"}],
    "checks": [{"level": "warning", "text": "clients are cut off"}],
}
NO_CHANGE = {"id": "plan_0", "counts": {"restarted": 0}, "disruption": "none", "changes": [], "checks": []}


def test_create_sends_what_was_said_and_nothing_else(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/instances", accepted(operation(kind="create")))
    options = ("--set", "greeting=hi", "--set", "a.b=1", "--cpu", "0.5", "--label", "team=core", "--members", "2")
    ran = berth("create", "demo", "--blueprint", "web", *options, "--restart-policy", "always")
    assert ran.code == 0
    assert canned.requests("POST")[0].body == {
        "name": "demo",
        "blueprint": "web",
        "provider": "process",
        "params": {"greeting": "hi", "a": {"b": 1}},
        "resources": {"cpu": 0.5},
        "members": 2,
        "labels": {"team": "core"},
        "restart_policy": "always",
    }


def test_without_a_terminal_a_change_does_not_wait(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/instances/demo/actions", accepted(operation()))
    ran = berth("stop", "demo")
    assert (ran.code, ran.out, ran.err) == (0, "op_01  stop demo  pending\n", "")
    assert canned.requests("GET") == []


def test_with_json_one_final_object_is_printed(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/instances/demo/actions", accepted(operation()))
    canned.on("GET", "/operations/op_01", Reply(200, operation("running")), Reply(200, operation("succeeded")))
    canned.on("GET", "/instances/ins_01", Reply(200, instance(status="stopped")))
    ran = berth("stop", "demo", "--wait", "--json")
    assert set(ran.document) == {"instance", "operation"}
    assert ran.document["instance"]["status"] == "stopped"
    assert ran.document["operation"]["status"] == "succeeded"
    assert ran.err == ""


def test_waiting_in_a_log_says_each_step_once(canned: CannedBerth, berth: Run) -> None:
    times = {"started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T00:00:01Z"}
    done = {"name": "stop", "title": "stop the server", "status": "done", "attempts": [times]}
    canned.on("POST", "/instances/demo/actions", accepted(operation()))
    canned.on(
        "GET",
        "/operations/op_01",
        Reply(200, operation("running", steps=[done])),
        Reply(200, operation("running", steps=[done])),
        Reply(200, operation("succeeded", steps=[done])),
    )
    canned.on("GET", "/instances/ins_01", Reply(200, instance(status="stopped")))
    ran = berth("stop", "demo", "--wait")
    assert ran.err == "✓ stop the server  1.0s\n"
    assert ran.out == "● demo stopped in 2.0s\n"


def test_waiting_survives_a_restart_of_the_api(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/instances/ins_01", Reply(200, instance(status="stopped")))
    canned.on(
        "GET",
        "/operations/op_01",
        Reply(200, operation("running")),
        Reply(hang_up=True),
        problem(503, "Not ready"),
        Reply(200, operation("succeeded")),
    )
    assert berth("wait", "op_01").code == 0


def test_a_refusal_that_took_longer_than_patience_is_asked_again_under_the_same_key(
    canned: CannedBerth, berth: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PATIENCE_SECONDS", 0.5)
    locked = replace(problem(503, "A part does not answer", code="unavailable"), after_seconds=1.0)
    canned.on("POST", "/instances/demo/actions", locked, accepted(operation(kind="stop")))
    assert berth("stop", "demo").code == 0
    first, second = canned.requests("POST")
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


def test_who_comes_to_wait_while_the_api_is_away_waits_too(
    canned: CannedBerth, berth: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PATIENCE_SECONDS", 0.0)
    canned.on("GET", "/operations/op_01", Reply(hang_up=True), Reply(200, operation("succeeded")))
    canned.on("GET", "/instances/ins_01", Reply(hang_up=True), Reply(200, instance(status="stopped")))
    assert berth("wait", "op_01").code == 0


def test_delete_with_yes_ends_when_the_instance_is_gone(canned: CannedBerth, berth: Run) -> None:
    canned.on("DELETE", "/instances/demo", accepted(operation(kind="delete")))
    canned.on("GET", "/operations/op_01", Reply(200, operation("succeeded", kind="delete")))
    canned.on("GET", "/instances/ins_01", problem(404, "Gone", code="terminated"))
    ran = berth("delete", "demo", "--yes", "--force", "--wait", "--json")
    assert ran.code == 0
    assert ran.document["instance"]["status"] == "terminated"
    assert canned.requests("DELETE")[0].query == "force=true"


def test_a_delete_by_force_says_where_nothing_is_stuck(canned: CannedBerth, berth: Run) -> None:
    calm = operation(kind="delete", forced=False, stuck_at="2026-01-01T00:15:07Z")
    canned.on("DELETE", "/instances/demo", accepted(calm), accepted({**calm, "forced": True}))
    assert "--force counts from 00:15:07 UTC" in berth("delete", "demo", "--yes", "--force").err
    assert "--force" not in berth("delete", "demo", "--yes", "--force").err


def test_delete_of_a_deployment_of_several_deletes_it_whole(canned: CannedBerth, berth: Run) -> None:
    members = [instance(), instance("demo-2", id="ins_02")]
    canned.on("GET", "/deployments/demo", Reply(200, deployment(instances=members)))
    canned.on("DELETE", "/deployments/demo", Reply(202, {"operation": operation(kind="delete")}))
    assert berth("delete", "demo", "--yes").code == 0


def test_modify_sends_back_the_etag_it_read(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/deployments/demo", Reply(200, deployment(), {"ETag": '"7"'}))
    canned.on("PATCH", "/deployments/demo", accepted(operation(kind="modify")))
    assert berth("modify", "demo", "--set", "greeting=null", "--members", "2").code == 0
    sent = canned.requests("PATCH")[0]
    assert sent.headers["If-Match"] == '"7"'
    assert sent.headers["Content-Type"] == "application/merge-patch+json"
    assert sent.body == {"params": {"greeting": None}, "members": 2}


def test_a_member_is_modified_as_an_instance(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/instances/demo-2", Reply(200, instance("demo-2"), {"ETag": '"3"'}))
    canned.on("PATCH", "/instances/demo-2", problem(409, "Modify the deployment demo"))
    assert berth("modify", "demo-2", "--cpu", "1").code == 5
    assert canned.requests("PATCH")[0].headers["If-Match"] == '"3"'


def test_a_change_by_somebody_else_is_shown(canned: CannedBerth, berth: Run) -> None:
    spec = {**deployment()["spec"], "members": 5}
    canned.on(
        "GET", "/deployments/demo", Reply(200, deployment(), {"ETag": '"7"'}), Reply(200, deployment(spec=spec))
    )
    canned.on("PATCH", "/deployments/demo", problem(412, "Changed", detail="version 8 now"))
    ran = berth("modify", "demo", "--members", "2")
    assert ran.code == 5
    assert "members: 1 → 5" in ran.err
    assert "the same command again" in ran.err


@pytest.mark.parametrize(("answer", "code"), [(PLAN, 10), (NO_CHANGE, 0)])
def test_plan_tells_by_its_exit_code_whether_anything_changes(
    canned: CannedBerth, berth: Run, answer: dict[str, object], code: int
) -> None:
    canned.on("GET", "/deployments/demo", Reply(200, deployment()))
    canned.on("POST", "/deployments/demo/plan", Reply(200, answer))
    assert berth("plan", "demo", "--set", "greeting=hi", "--detailed-exitcode").code == code
    assert berth("plan", "demo", "--set", "greeting=hi").code == 0


def test_plan_shows_diff_disruption_and_checks(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/deployments/demo", Reply(200, deployment()))
    canned.on("POST", "/deployments/demo/plan", Reply(200, PLAN))
    out = berth("plan", "demo", "--set", "greeting=hi").out
    assert "1 restarted; disruption: restart" in out
    assert '~ /params/greeting: "hello" → "hi"  (restart)' in out
    assert "! clients are cut off" in out


def test_apply_of_what_get_printed_changes_nothing(canned: CannedBerth, berth: Run, tmp_path: Path) -> None:
    canned.on("GET", "/instances/demo", Reply(200, instance()))
    canned.on("GET", "/deployments/dep_01", Reply(200, deployment()))
    canned.on("GET", "/deployments/demo", Reply(200, deployment(), {"ETag": '"7"'}))
    canned.on("POST", "/deployments/demo/plan", Reply(200, NO_CHANGE))
    canned.on("PATCH", "/deployments/demo", accepted(operation("succeeded", kind="modify", changed=False)))
    printed = berth("get", "demo", "-o", "yaml").out
    ran = berth("apply", "-f", "-", "--json", stdin=printed)
    assert ran.code == 0
    assert ran.document["operation"]["changed"] is False
    assert canned.requests("PATCH")[0].body == {"plan_id": "plan_0"}


def test_apply_quotes_the_plan_it_showed(canned: CannedBerth, berth: Run, tmp_path: Path) -> None:
    file = tmp_path / "demo.yaml"
    body = {"apiVersion": "berth/v1", "kind": "Deployment", "name": "demo", "blueprint": "web"}
    file.write_text(yaml.safe_dump({**body, "params": {"greeting": "hi"}}), encoding="utf-8")
    canned.on("GET", "/deployments/demo", Reply(200, deployment(), {"ETag": '"7"'}))
    canned.on("POST", "/deployments/demo/plan", Reply(200, PLAN))
    canned.on("PATCH", "/deployments/demo", accepted(operation(kind="modify")))
    ran = berth("apply", "-f", str(file))
    assert ran.code == 0
    assert "disruption: restart" in ran.err
    assert canned.requests("PATCH")[0].body == {"params": {"greeting": "hi"}, "plan_id": "plan_1"}


def test_apply_creates_what_does_not_exist(canned: CannedBerth, berth: Run) -> None:
    document = {
        "apiVersion": "berth/v1",
        "kind": "Deployment",
        "name": "new",
        "blueprint": "web",
        "provider": "process",
    }
    canned.on("POST", "/deployments:plan", Reply(200, PLAN))
    canned.on("POST", "/instances", accepted(operation(kind="create"), instance("new")))
    ran = berth("apply", "-f", "-", stdin=yaml.safe_dump(document))
    assert ran.code == 0
    wanted = {"name": "new", "blueprint": "web", "provider": "process"}
    assert canned.requests("POST", "/deployments:plan")[0].body == wanted
    assert canned.requests("POST", "/instances")[0].body == {**wanted, "plan_id": "plan_1"}


def test_apply_stops_at_a_blocker(canned: CannedBerth, berth: Run) -> None:
    document = {"apiVersion": "berth/v1", "kind": "Deployment", "name": "demo", "blueprint": "web", "members": 2}
    blocked = {**PLAN, "checks": [{"level": "blocker", "text": "one member only"}]}
    canned.on("GET", "/deployments/demo", Reply(200, deployment(), {"ETag": '"7"'}))
    canned.on("POST", "/deployments/demo/plan", Reply(200, blocked))
    ran = berth("apply", "-f", "-", stdin=yaml.safe_dump(document))
    assert (ran.code, canned.requests("PATCH")) == (5, [])
    assert "one member only" in ran.err


@pytest.mark.parametrize(
    ("target", "path"), [("demo", "/instances/demo/actions"), ("op_01", "/operations/op_01/cancel")]
)
def test_cancel_succeeds_when_the_operation_is_cancelled(
    canned: CannedBerth, berth: Run, target: str, path: str
) -> None:
    canned.on("POST", path, accepted(operation("running")))
    canned.on("GET", "/operations/op_01", Reply(200, operation("cancelled")))
    canned.on("GET", "/instances/ins_01", Reply(200, instance()))
    assert berth("cancel", target, "--wait").code == 0


def test_a_cancel_that_came_too_late_is_told_apart(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/operations/op_01/cancel", accepted(operation("running")))
    canned.on("GET", "/operations/op_01", Reply(200, operation("succeeded")))
    canned.on("GET", "/instances/ins_01", Reply(200, instance(status="stopped")))
    ran = berth("cancel", "op_01", "--wait")
    assert ran.code == 1
    assert "too late: stop op_01 had already succeeded" in ran.err


def test_wait_for_an_instance_at_rest_tells_how_it_is(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/instances/demo", Reply(200, instance()), Reply(200, instance(status="error")))
    assert berth("wait", "demo").code == 0
    assert berth("wait", "demo").code == 1


@pytest.mark.parametrize(("word", "action"), [("on", "maintenance_on"), ("off", "maintenance_off")])
def test_maintenance_is_an_action(canned: CannedBerth, berth: Run, word: str, action: str) -> None:
    canned.on("POST", "/instances/demo/actions", accepted(operation("succeeded", kind=action)))
    assert berth("maintenance", word, "demo").code == 0
    assert canned.requests("POST")[0].body == {"action": action}
