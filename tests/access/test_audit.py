"""The trail has every mutation, refusal, reveal and change of a token, and nobody can change it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from db.models import AuditEntry, OperationRow
from db.session import Tx
from domain.lifecycle import Status
from domain.specs import Caller
from embedded import probe
from services.access.audit import note
from tests.support.access import bearing, in_role, new_token
from tests.support.api import TOKEN, Api

pytestmark = pytest.mark.servers


def entries(api: Api, **wanted: str) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={quote(value)}" for name, value in wanted.items())
    found: list[dict[str, Any]] = api.get(f"/audit?{query}")["items"]
    return found


def soon(api: Api, **wanted: str) -> dict[str, Any]:
    """The newest entry; those of refusals are written a moment after the answer."""
    deadline = time.monotonic() + 60
    while not (found := entries(api, **wanted)):
        assert time.monotonic() < deadline, wanted
        time.sleep(0.05)
    return found[0]


def test_a_change_is_in_the_trail_before_its_answer_is(api: Api) -> None:
    made = api.create()
    found = entries(api, action="create")[0]
    assert found["target"] == f"{made['instance']['name']} {made['operation']['deployment_id']}"
    assert (found["actor"], found["role"], found["outcome"], found["status"]) == (
        "admin",
        "admin",
        "accepted",
        202,
    )
    assert found["detail"] == made["operation"]["id"]
    assert found["remote"] == "127.0.0.1"
    assert found["trace_id"]


@pytest.mark.parametrize(
    ("method", "path", "body", "action", "status"),
    [
        ("POST", "/instances", {}, "instances_create", 422),
        ("POST", "/instances/nothing/actions", {"action": "stop"}, "instances_act", 404),
        ("DELETE", "/instances/nothing", None, "instances_delete", 404),
        ("POST", "/secrets:rotate", None, "secrets_rotate", 403),
        ("GET", "/audit", None, "audit_list", 403),
        ("GET", "/hosts", None, "hosts_list", 403),
        ("POST", "/no/such/thing", {}, "POST (no route)", 404),
    ],
)
def test_a_refusal_is_in_the_trail(api: Api, method: str, path: str, body: Any, action: str, status: int) -> None:
    with in_role(api, "operator") as operator:
        me = operator.get("/me")["principal"]
        assert operator.ask(method, path, body).status_code == status
    found = soon(api, actor=me)
    assert (found["action"], found["status"], found["outcome"]) == (action, status, "refused")
    assert found["role"] == "operator"


def test_a_conflict_is_in_the_trail_though_its_transaction_was_rolled_back(api: Api) -> None:
    with in_role(api, "operator") as operator:
        me = operator.get("/me")["principal"]
        name = operator.create()["instance"]["name"]
        assert operator.act(name, "restart").status_code == 409
        statuses = {
            soon(api, actor=me, outcome="refused")["status"],
            soon(api, actor=me, outcome="accepted")["status"],
        }
    assert statuses == {409, 202}


def test_every_refused_row_of_a_batch_is_in_the_trail(api: Api) -> None:
    names = [api.an_instance(), api.an_instance()]
    with in_role(api, "operator") as operator:
        me = operator.get("/me")["principal"]
        answer = operator.ask("POST", "/instances:batch", {"action": "suspend", "ids": [*names, "nobody"]})
        rows = {row["id"]: row["status"] for row in answer.json()["items"]}
        operator.ask("POST", "/operations:batch", {"action": "cancel", "ids": ["op_nothing"]})
    assert rows == {names[0]: 403, names[1]: 403, "nobody": 404}
    expected = {("instances_batch", f"/api/v1/instances/{key}", rows[key], "suspend") for key in rows}
    expected |= {("operations_batch", "/api/v1/operations/op_nothing", 404, "cancel")}
    soon(api, actor=me, action="operations_batch")
    found = entries(api, actor=me)
    assert {(e["action"], e["target"], e["status"], e["detail"]) for e in found} == expected
    assert {(e["outcome"], e["role"], e["remote"]) for e in found} == {("refused", "operator", "127.0.0.1")}
    of_rows = {e["trace_id"] for e in found if e["action"] == "instances_batch"}
    assert of_rows == {answer.headers["X-Request-ID"]}


def test_a_batch_that_is_accepted_in_part_has_an_entry_of_each_row(api: Api) -> None:
    name = api.an_instance()
    with in_role(api, "operator") as operator:
        me = operator.get("/me")["principal"]
        operator.ask("POST", "/instances:batch", {"action": "stop", "ids": [name, "nobody"]})
    refused = soon(api, actor=me, outcome="refused")
    assert (refused["target"], refused["status"]) == ("/api/v1/instances/nobody", 404)
    assert [(e["action"], e["status"]) for e in entries(api, actor=me, outcome="accepted")] == [("stop", 202)]
    assert entries(api, actor=me, outcome="done") == []


def a_listener(api: Api) -> str:
    """A failed operation that listens for a retry."""
    name = api.an_instance(Status.ERROR)
    operation_id: str = api.get(f"/operations?q={name}")["items"][0]["id"]
    with api.database.begin() as tx:
        listens = update(OperationRow).where(OperationRow.id == operation_id)
        tx.run(listens.values(phase="awaiting_operator", parked_until=tx.now + timedelta(hours=1)))
    return operation_id


@pytest.mark.parametrize("action", ["cancel", "abort"])
def test_a_batch_of_operations_has_an_entry_of_each_row_that_was_ended(api: Api, action: str) -> None:
    ended = api.create()["operation"]["id"] if action == "cancel" else a_listener(api)
    with in_role(api, "operator") as operator:
        me = operator.get("/me")["principal"]
        answer = operator.ask("POST", "/operations:batch", {"action": action, "ids": [ended, "op_nothing"]})
        assert [row["status"] for row in answer.json()["items"]] == [202, 404], answer.text
    refused = soon(api, actor=me, outcome="refused")
    assert (refused["target"], refused["status"]) == ("/api/v1/operations/op_nothing", 404)
    (entry,) = entries(api, actor=me, outcome="accepted")
    assert (entry["action"], entry["detail"], entry["status"]) == (action, ended, 202)
    assert entry["trace_id"] == answer.headers["X-Request-ID"]
    assert entries(api, actor=me, outcome="done") == []


@pytest.mark.parametrize("action", ["cancel", "abort"])
def test_who_ended_an_operation_is_in_the_trail_once(api: Api, action: str) -> None:
    ended = api.create()["operation"]["id"] if action == "cancel" else a_listener(api)
    with in_role(api, "operator") as operator:
        me = operator.get("/me")["principal"]
        assert operator.ask("POST", f"/operations/{ended}/{action}").status_code == 202
        operator.ask("DELETE", "/instances/nothing")
    soon(api, actor=me, outcome="refused")
    (entry,) = entries(api, actor=me, outcome="accepted")
    assert (entry["action"], entry["detail"], entry["role"]) == (action, ended, "operator")


def test_who_has_no_token_is_nobody_in_the_trail(api: Api) -> None:
    with bearing(api, "berth_forged") as nobody:
        answer = nobody.get("/api/v1/instances")
    found = soon(api, actor="nobody")
    assert (found["status"], found["trace_id"]) == (401, answer.headers["X-Request-ID"])


def test_what_only_looks_is_not_in_the_trail(api: Api) -> None:
    with in_role(api, "operator") as operator:
        me = operator.get("/me")["principal"]
        operator.get("/instances")
        operator.ask("GET", "/instances/nothing")
        operator.ask("POST", "/ws-tickets")
        time.sleep(0.6)
    assert entries(api, actor=me) == []


def test_a_look_at_secrets_is_in_the_trail_without_them(api: Api) -> None:
    name = api.an_instance(applied_spec={"params": {}, "resources": {}})
    assert api.ask("POST", f"/instances/{name}/secrets:reveal").status_code == 200
    found = soon(api, action="instances_reveal")
    assert found["target"] == f"/api/v1/instances/{name}/secrets:reveal"


def test_tokens_made_and_revoked_are_in_the_trail(api: Api) -> None:
    made = new_token(api, "viewer")
    api.ask("DELETE", f"/tokens/{made['id']}")
    kinds = [entry["action"] for entry in entries(api) if entry["target"] == made["id"]]
    assert kinds == ["tokens_revoke", "tokens_create"]


def test_pages_and_times_narrow_the_trail(api: Api) -> None:
    for _ in range(3):
        new_token(api, "viewer")
    first = api.get("/audit?page_size=2&action=tokens_create")
    second = api.get(f"/audit?page_size=2&action=tokens_create&page_token={first['next_page_token']}")
    assert not {e["id"] for e in first["items"]} & {e["id"] for e in second["items"]}
    later = quote((datetime.now(UTC) + timedelta(minutes=1)).isoformat())
    assert api.get(f"/audit?since={later}")["items"] == []
    assert api.ask("GET", "/audit?outcome=perhaps").status_code == 422
    assert api.ask("GET", "/audit?since=yesterday").status_code == 422


@pytest.mark.parametrize(
    "statement",
    ["update audit set actor = 'nobody'", "delete from audit", "truncate audit"],
)
def test_not_even_the_owner_of_the_records_changes_the_trail(api: Api, statement: str) -> None:
    new_token(api, "viewer")
    with pytest.raises(DBAPIError, match="append-only"), api.database.begin() as tx:
        tx.session.execute(text(statement))


def test_only_what_is_old_is_purged_and_only_through_its_function(api: Api) -> None:
    def old_and_new(tx: Tx) -> None:
        for days in (400, 1):
            tx.session.add(
                AuditEntry(
                    id=f"aud_{days}",
                    time=datetime.now(UTC) - timedelta(days=days),
                    actor="history",
                    action="x",
                    outcome="done",
                )
            )

    with api.database.begin() as tx:
        old_and_new(tx)
    with api.database.begin() as tx:
        purge = select(func.purge_audit(func.now() - timedelta(days=365), 100))
        assert tx.session.execute(purge).scalar_one() == 1
    assert [entry["id"] for entry in entries(api, actor="history")] == ["aud_1"]
    with pytest.raises(DBAPIError, match="30 days"), api.database.begin() as tx:
        tx.session.execute(select(func.purge_audit(func.now(), 100)))


def test_what_comes_from_inside_has_no_role(api: Api) -> None:
    with api.database.begin() as tx:
        note(tx, Caller("temporal (unauthenticated)"), "signal_confirm", "ins_x")
    found = entries(api, action="signal_confirm")[0]
    assert (found["actor"], found["role"], found["remote"]) == ("temporal (unauthenticated)", None, None)


def test_what_is_asked_when_berth_comes_up_leaves_no_refusal(api: Api, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN)
    began = datetime.now(UTC).isoformat()
    assert not probe.is_ready(api.url), "there is no Temporal here"
    assert probe.complaint(api.url)
    assert probe.pages(api.url, token_file)
    assert probe.providers(api.url, token_file)
    marked = "/no/such/thing/afterwards"
    api.ask("POST", marked, {})
    soon(api, since=began, action="POST (no route)")
    refused = [entry["target"] for entry in entries(api, since=began, outcome="refused")]
    assert refused == [f"/api/v1{marked}"]
