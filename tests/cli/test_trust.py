"""Commands of truth and trust: what they send, and what they keep to themselves."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from cli import figures, text
from tests.cli.canned import CannedBerth, Reply, accepted, deployment, instance, operation, problem
from tests.cli.conftest import Run

pytestmark = pytest.mark.unit
ACTIONS = "/instances/demo/actions"


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (("suspend", "demo", "--reason", "emergency"), {"action": "suspend", "reason": "emergency"}),
        (
            ("suspend", "demo", "--reason", "not paid", "--delete-after", "14d"),
            {"action": "suspend", "params": {"note": "not paid", "delete_after_days": 14}},
        ),
        (("unsuspend", "demo"), {"action": "unsuspend"}),
        (
            ("maintenance", "on", "demo", "--until", "2026-12-03T14:00:00+00:00", "--reason", "disk swap"),
            {"action": "maintenance_on", "params": {"until": "2026-12-03T14:00:00+00:00", "note": "disk swap"}},
        ),
        (("maintenance", "off", "demo"), {"action": "maintenance_off"}),
        (("stop", "demo", "--force"), {"action": "force_stop"}),
    ],
)
def test_what_sets_apart_says_why_and_until_when(
    canned: CannedBerth, berth: Run, words: tuple[str, ...], body: dict[str, object]
) -> None:
    canned.on("POST", ACTIONS, accepted(operation()))
    assert berth(*words).code == 0
    assert canned.requests("POST", ACTIONS)[0].body == body


def test_protection_is_an_edit_of_what_was_read(canned: CannedBerth, berth: Run) -> None:
    canned.on(
        "GET", "/deployments/demo", Reply(200, {**deployment(), "deletion_protection": True}, {"ETag": '"7"'})
    )
    canned.on("PATCH", "/deployments/demo", accepted(operation("succeeded", changed=False)))
    ran = berth("protect", "demo")
    assert (ran.code, ran.out) == (0, "demo is protected from deletion\n")
    sent = canned.requests("PATCH")[0]
    assert (sent.body, sent.headers["If-Match"]) == ({"deletion_protection": True}, '"7"')


def test_protection_that_alone_keeps_what_is_cancelled_is_lifted_by_name_only(
    canned: CannedBerth, berth: Run
) -> None:
    kept = {**deployment(members=2), "deletion_protection": True, "subscription": "cancelled"}
    canned.on("GET", "/deployments/demo", Reply(200, kept, {"ETag": '"7"'}))
    canned.on("PATCH", "/deployments/demo", accepted(operation("succeeded", changed=False)))

    ran = berth("unprotect", "demo")

    assert ran.code == 2
    assert "billing cancelled the subscription of demo" in ran.err.lower()
    assert "deletes it at once, with its data and secrets, for good" in ran.err
    assert canned.requests("PATCH") == []
    canned.on("GET", "/deployments/demo", Reply(200, kept, {"ETag": '"7"'}), Reply(404))
    ran = berth("unprotect", "demo", "--yes")
    assert (ran.code, ran.out) == (0, "demo is no longer protected: its cancellation deletes it now\n")
    assert "berth delete" not in ran.err
    assert canned.requests("PATCH")[0].body == {"deletion_protection": False}


def test_a_member_of_what_is_cancelled_says_that_all_of_it_goes(canned: CannedBerth, berth: Run) -> None:
    member = instance("demo-2", deployment_name="demo", subscription="cancelled", deletion_protection=True)
    canned.on("GET", "/instances/demo-2", Reply(200, member, {"ETag": '"3"'}))
    ran = berth("unprotect", "demo-2")
    assert ran.code == 2
    assert "Billing cancelled the subscription of demo;" in ran.err
    assert "type" not in ran.out


def test_protection_of_what_is_paid_for_is_lifted_without_a_question(canned: CannedBerth, berth: Run) -> None:
    canned.on(
        "GET",
        "/deployments/demo",
        Reply(200, {**deployment(), "deletion_protection": False, "subscription": "active"}, {"ETag": '"7"'}),
    )
    canned.on("PATCH", "/deployments/demo", accepted(operation("succeeded", changed=False)))
    ran = berth("unprotect", "demo")
    assert (ran.code, ran.out) == (0, "demo may be deleted\n")


def test_a_notice_of_billings_is_shown_as_what_needs_somebody(canned: CannedBerth, berth: Run) -> None:
    notice = "billing cancelled its subscription; only deletion protection keeps it"
    kept = instance(subscription="cancelled", notice=notice, deletion_protection=True)
    canned.on("GET", "/instances", Reply(200, {"items": [kept]}))
    canned.on("GET", "/instances/demo", Reply(200, kept))
    listed, told = berth("list").out, berth("get", "demo").out
    assert "NEEDS YOU" in listed
    assert "billing cancelled its subscription" in listed
    assert re.search(rf"needs you +{notice}\n", told)
    assert re.search(r"subscription +cancelled\n", told)


def test_create_says_timeouts_and_protection(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/instances", accepted(operation(kind="create")))
    words = ("--launch-timeout", "90s", "--termination-timeout", "5m", "--protect")
    assert berth("create", "demo", "--blueprint", "web", *words).code == 0
    body = canned.requests("POST")[0].body
    assert body["timeouts"] == {"launch_seconds": 90.0, "termination_seconds": 300.0}
    assert body["deletion_protection"] is True


def test_a_new_token_stands_alone_on_standard_output(canned: CannedBerth, berth: Run) -> None:
    made = {
        "token": "berth_secret",
        "id": "tok_1",
        "name": "ci",
        "role": "viewer",
        "expires_at": "2027-01-01T00:00:00Z",
    }
    canned.on("POST", "/tokens", Reply(201, made))
    ran = berth("tokens", "create", "ci", "--role", "viewer", "--expires", "30d", "--project", "team")
    assert (ran.code, ran.out) == (0, "berth_secret\n")
    sent = canned.requests("POST")[0]
    assert sent.body == {"name": "ci", "role": "viewer", "expires_in_seconds": 30 * 86_400}
    assert {key.lower(): value for key, value in sent.headers.items()}["berth-project"] == "team"


def test_a_token_is_revoked_by_name_once_that_is_meant(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/tokens", Reply(200, {"items": [{"id": "tok_1", "name": "ci", "role": "viewer"}]}))
    canned.on("DELETE", "/tokens/tok_1", Reply(204, ""))
    assert berth("tokens", "revoke", "ci").code == 2
    assert berth("tokens", "revoke", "nobody", "--yes").code == 4
    assert canned.requests("DELETE") == []
    assert berth("tokens", "revoke", "ci", "--yes").code == 0


def test_hosts_are_listed_alone_and_changed_by_name(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/hosts", Reply(200, {"items": [{"id": "host_1", "name": "rack-4", "silent": True}]}))
    canned.on("POST", "/hosts/host_1/cordon", Reply(200, {"id": "host_1", "cordoned": True}))
    canned.on("DELETE", "/hosts/host_1", Reply(204, ""))
    assert "silent" in berth("hosts").out
    assert berth("hosts", "cordon", "rack-4").out.startswith("rack-4 cordoned")
    assert berth("hosts", "remove", "rack-4").code == 2
    assert berth("hosts", "remove", "rack-4", "--yes", "--force").code == 0
    assert canned.requests("DELETE")[0].query == "force=true"


def test_a_delivery_is_replayed_with_its_verdict(canned: CannedBerth, berth: Run) -> None:
    delivery = {"id": "whd_1", "type": "payment.failed", "subject": "demo", "verdict": "superseded"}
    canned.on("GET", "/webhooks", Reply(200, {"items": [delivery]}))
    canned.on("POST", "/webhooks/whd_1/replay", Reply(200, {**delivery, "verdict": "applied"}))
    assert "superseded" in berth("webhooks", "list").out
    assert berth("webhooks", "replay", "whd_1").out == "applied  demo\n"


def test_audit_asks_for_what_was_named(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/audit", Reply(200, {"items": []}))
    assert berth("audit", "--actor", "ana", "--since", "2026-11-21T14:00:00Z").code == 0
    assert "actor=ana" in canned.seen[0].query
    assert "since=2026-11-21T14" in canned.seen[0].query


@pytest.mark.parametrize(
    ("more", "command"),
    [
        ({"code": "deletion-protected"}, "berth unprotect demo"),
        ({"code": "on-hold"}, "berth unsuspend demo"),
        ({"code": "invalid-transition", "allowed_actions": ["maintenance_off"]}, "berth maintenance off demo"),
        ({"code": "operation-in-progress", "operation": {"id": "op_9"}}, "berth wait op_9"),
    ],
)
def test_a_refusal_names_the_command_that_mends_it(
    canned: CannedBerth, berth: Run, more: dict[str, object], command: str
) -> None:
    canned.on("POST", ACTIONS, problem(409, "No", instance=f"/api/v1{ACTIONS}", **more))
    ran = berth("start", "demo")
    assert ran.code == 5
    assert f"try: {command}" in ran.err


def test_the_list_says_what_holds_how_old_health_is_and_who_needs_you(canned: CannedBerth, berth: Run) -> None:
    now = datetime.now(UTC).isoformat()
    held = instance("held", status="suspended", hold={"cause": "billing", "deletes_at": "2099-01-01T00:00:00Z"})
    stuck = {"id": "op_1", "kind": "create", "status": "running", "needs_you": True}
    rows = [held, instance("slow", status="creating", current_operation=stuck), instance(health_checked_at=now)]
    canned.on("GET", "/instances", Reply(200, {"items": rows}))
    out = berth("list").out
    assert "suspended (billing, deleted in " in out
    assert "create is stuck" in out
    assert re.search(r"healthy \(\d+s ago\)", out)


def test_figures_are_tables_and_zeros_are_left_out() -> None:
    told = {
        "total": 2,
        "by_status": {"running": 2, "stopped": 0},
        "durations": {"launch_seconds": {"p50": 0.5, "p99": None}},
        "failures": [{"kind": "create", "count": 1}, {"kind": "stop", "count": 0}],
        "nothing": {"a": 0},
    }
    lines = [text.clean(line) for line in figures.tables(told, colour=False)]
    assert lines == [
        *(
            "total  2",
            "",
            "By status",
            "  running  2",
            "",
            "Durations",
            "          P50   P99",
            "  launch  0.5s  -",
        ),
        *("", "Failures", "  KIND    COUNT", "  create  1", "", "Nothing", "  none"),
    ]


def test_limits_that_are_not_named_are_not_sent(canned: CannedBerth, berth: Run) -> None:
    canned.on("PATCH", "/projects/default/limits", Reply(200, {"project": "default", "cpu": 1.5, "sockets": -1}))
    ran = berth("projects", "limit", "default", "cpu=1.5", "sockets=none", "instances=default")
    assert canned.requests("PATCH")[0].body == {"cpu": 1.5, "sockets": -1, "instances": None}
    assert "cpu                    1.5\n" in ran.out
    for word in ("cpu=nan", "cpu=-1", "instances=", "rain=3", "cpu=1e400"):
        assert berth("projects", "limit", "default", word).code == 2
    assert len(canned.requests("PATCH")) == 1
