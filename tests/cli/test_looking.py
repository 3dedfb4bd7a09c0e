"""Commands that look: formats, pages, secrets, feeds."""

from __future__ import annotations

import json

import pytest

from cli import calls, watching
from cli.commands.connecting import pg_environment
from cli.feed import News
from cli.screen import Format, Screen
from cli.session import Session
from cli.target import Target
from tests.cli.canned import TOKEN, CannedBerth, Reply, instance, operation, problem
from tests.cli.conftest import Run

pytestmark = pytest.mark.unit


def test_list_shows_one_row_an_instance(canned: CannedBerth, berth: Run) -> None:
    pending = instance("new", current_operation={"id": "op_1", "kind": "stop", "status": "pending"})
    canned.on("GET", "/instances", Reply(200, {"items": [instance(), pending]}))
    lines = berth("list").out.splitlines()
    assert lines[0].split()[:3] == ["NAME", "STATUS", "HEALTH"]
    assert lines[1].startswith("demo  running")
    assert "running (stop pending)" in lines[2]


def test_list_reads_every_page(canned: CannedBerth, berth: Run) -> None:
    first = {"items": [instance("a")], "next_page_token": "t", "counts": {"running": 2}}
    canned.on("GET", "/instances", Reply(200, first), Reply(200, {"items": [instance("b")]}))
    document = berth("list", "--json").document
    assert [i["name"] for i in document["items"]] == ["a", "b"]
    assert "next_page_token" not in document
    assert document["counts"] == {"running": 2}
    assert "page_token=t" in canned.requests("GET")[1].query


@pytest.mark.parametrize("option", [("-o", "name"), ("-q",)])
def test_names_alone_for_pipes(canned: CannedBerth, berth: Run, option: tuple[str, ...]) -> None:
    canned.on("GET", "/instances", Reply(200, {"items": [instance("a"), instance("b")]}))
    assert berth("list", *option).out == "a\nb\n"


def test_an_unknown_status_is_shown_as_it_is(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/instances", Reply(200, {"items": [instance(status="defrosting")]}))
    assert "defrosting" in berth("list").out


def test_who_changed_it_last_is_said(canned: CannedBerth, berth: Run) -> None:
    changed = {"changed_at": "2026-05-04T03:02:01Z", "changed_by": "token:deploys"}
    canned.on("GET", "/instances/demo", Reply(200, instance(**changed)))
    assert "2026-05-04T03:02:01Z by token:deploys" in berth("get", "demo").out


def test_filters_go_to_the_server(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/instances", Reply(200, {"items": []}))
    berth("list", "--status", "error", "--provider", "process")
    assert "status=error" in canned.seen[0].query
    assert "provider=process" in canned.seen[0].query


def test_secrets_appear_only_when_asked_for(canned: CannedBerth, berth: Run) -> None:
    uri = "postgresql://app:s3cret@127.0.0.1:15001/app"
    canned.on("GET", "/instances/demo", Reply(200, instance()))
    revealed = {"items": [{"name": "password", "value": "s3cret"}], "connection_uri": uri}
    canned.on("POST", "/instances/demo/secrets:reveal", Reply(200, revealed))
    assert "s3cret" not in berth("get", "demo").out
    assert canned.requests("POST") == []
    assert berth("get", "demo", "--show-secret", "--json").document["connection_uri"] == uri
    assert uri in berth("get", "demo", "--show-secret").out


def test_events_of_one_instance_are_asked_for_by_its_id(canned: CannedBerth, berth: Run) -> None:
    event = {
        "cursor": "1",
        "event_type": "STOP_PLANNED",
        "instance_id": "ins_01",
        "from": "running",
        "to": "stopping",
    }
    canned.on("GET", "/instances/demo", Reply(200, instance()))
    canned.on("GET", "/instances", Reply(200, {"items": [instance()]}))
    canned.on("GET", "/events", Reply(200, {"items": [event], "next": "1", "snapshot_required": False}))
    out = berth("events", "demo").out
    assert "running → stopping" in out
    assert "demo" in out
    assert "instance_id=ins_01" in canned.requests("GET", "/events")[0].query


def test_a_watch_outlasts_an_api_that_has_no_database_for_a_while(
    canned: CannedBerth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PATIENCE_SECONDS", 0.0)
    away = problem(503, "No database", code="unavailable", retry_after=0)
    canned.on("GET", "/instances", away, away, Reply(200, {"items": [instance()]}))
    session = Session(screen=Screen(Format.JSON))
    session.__dict__["target"] = Target(canned.url, TOKEN, "the test", "")
    assert [row["name"] for row in watching.rows_after(session, {}, {}, News(fresh=True)).values()] == ["demo"]
    session.client.close()


def test_logs_are_printed_as_they_are(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/instances/demo/logs", Reply(200, {"lines": ["one", "two"]}))
    assert berth("logs", "demo", "--tail", "2").out == "one\ntwo\n"
    assert "tail=2" in canned.seen[0].query


def test_inventory_asks_every_provider_that_can_be_used(canned: CannedBerth, berth: Run) -> None:
    objects = [{"provider_id": f"p{n}", "owned": True, "state": "running"} for n in (1, 2)]
    providers = [
        {"name": "process", "available": True},
        {"name": "docker", "available": False, "reason": "no daemon"},
    ]
    canned.on("GET", "/providers", Reply(200, {"items": providers}))
    canned.on("GET", "/providers/process/inventory", Reply(200, {"items": objects}))
    assert berth("inventory", "-q").out == "p1\np2\n"


def test_a_provider_that_does_not_answer_is_named(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/providers", Reply(200, {"items": [{"name": "process", "available": True}]}))
    canned.on("GET", "/providers/process/inventory", problem(500, "It broke"))
    ran = berth("inventory")
    assert "process: It broke" in ran.err


def test_simulate_sets_and_clears_faults(canned: CannedBerth, berth: Run) -> None:
    canned.on("PUT", "/providers/simulated/faults", Reply(200, {}))
    canned.on("DELETE", "/providers/simulated/faults", Reply(204, ""))
    assert berth("simulate", "stop", "hang", "--seconds", "5s", "--instance", "demo", "--times", "-1").code == 0
    wanted = {"verb": "stop", "fault": "hang", "instance": "demo", "times": -1, "seconds": 5.0}
    assert canned.requests("PUT")[0].body == wanted
    assert berth("simulate", "--clear").code == 0


def test_operations_are_listed_with_their_errors(canned: CannedBerth, berth: Run) -> None:
    failed = operation("failed", phase="awaiting_operator", error={"message": "no room"})
    canned.on("GET", "/operations", Reply(200, {"items": [failed]}))
    out = berth("operations", "list").out
    assert "failed (listening for retry)" in out
    assert "no room" in out


def test_operation_get_prints_the_record(canned: CannedBerth, berth: Run) -> None:
    canned.on("GET", "/operations/op_01", Reply(200, operation("running")))
    assert json.loads(berth("operations", "get", "op_01", "--json").out)["id"] == "op_01"


def test_open_without_a_display_prints_a_link_that_signs_in_once(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/login-codes", Reply(201, {"code": "abc", "expires_in": 600}))
    canned.on("GET", "/instances/demo", Reply(200, instance()))
    canned.on("GET", "/operations/op_01", Reply(200, operation()))
    canned.on("GET", "/instances/old", problem(404, "Gone", code="terminated", run_url="/api/v1/runs/run_9"))
    assert berth("open").out == f"{canned.url}/ui/#code=abc\n"
    assert berth("open", "demo").out == f"{canned.url}/ui/instances/demo#code=abc\n"
    assert berth("open", "op_01", "--print").out == f"{canned.url}/ui/operations/op_01#code=abc\n"
    assert berth("open", "old").out == f"{canned.url}/ui/history/run_9#code=abc\n"
    assert berth("open", "demo", "--site").out == "http://127.0.0.1:15001\n"
    assert berth("open", "nobody").code == 4


def test_who_may_not_make_a_login_code_gets_the_bare_address(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/login-codes", problem(403, "Forbidden", code="forbidden"))
    ran = berth("open")
    assert (ran.code, ran.out) == (0, f"{canned.url}/ui/\n")
    assert "Forbidden" in ran.err


def test_a_connection_uri_becomes_the_environment_of_psql() -> None:
    assert pg_environment("postgresql://app:p%40ss@127.0.0.1:15001/app?sslmode=prefer") == {
        "PGHOST": "127.0.0.1",
        "PGPORT": "15001",
        "PGUSER": "app",
        "PGPASSWORD": "p@ss",
        "PGDATABASE": "app",
        "PGSSLMODE": "prefer",
        "PGCONNECT_TIMEOUT": "10",
        "PGAPPNAME": "berth psql",
    }


def test_psql_of_something_else_is_refused(canned: CannedBerth, berth: Run) -> None:
    canned.on("POST", "/instances/demo/secrets:reveal", Reply(200, {"items": []}))
    assert berth("psql", "demo").code == 2


def test_a_host_that_nobody_hears_of_is_not_called_ready(canned: CannedBerth, berth: Run) -> None:
    facts = {"lost": {"lost": True, "silent": True}, "quiet": {"silent": True, "cordoned": True}, "here": {}}
    canned.on("GET", "/hosts", Reply(200, {"items": [{"name": name, **more} for name, more in facts.items()]}))
    states = [line.split()[:3:2] for line in berth("hosts").out.splitlines()[1:]]
    assert states == [["lost", "lost"], ["quiet", "silent"], ["here", "ready"]]
