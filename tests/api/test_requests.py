"""Accepting changes over HTTP: races, idempotency keys, versions, batches, older forms."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import pytest
from sqlalchemy import func, select

from db.models import Deployment, OperationRow
from domain.lifecycle import Status
from domain.operations import OperationStatus
from tests.support.api import Api

pytestmark = pytest.mark.servers


def at_once(count: int, call: Any) -> list[Any]:
    """`call` from many threads at the same moment."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def test_of_twenty_simultaneous_actions_one_is_accepted_and_all_others_name_it(api: Api) -> None:
    name = api.an_instance(Status.RUNNING)

    answers = at_once(20, lambda _: api.act(name, "restart"))

    assert Counter(a.status_code for a in answers) == {202: 1, 409: 19}
    winner = next(a.json()["operation"]["id"] for a in answers if a.status_code == 202)
    losers = {a.json()["operation"]["id"] for a in answers if a.status_code == 409}
    assert losers == {winner}


def test_of_twenty_simultaneous_creates_of_one_name_one_is_accepted(api: Api) -> None:
    body = {"name": api.name(), "blueprint": "web", "provider": "simulated"}

    answers = at_once(20, lambda _: api.ask("POST", "/instances", body))

    assert Counter(a.status_code for a in answers) == {202: 1, 409: 19}
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"name-taken"}


def test_twenty_simultaneous_repeats_of_one_key_are_one_operation(api: Api) -> None:
    body = {"name": api.name(), "blueprint": "web", "provider": "simulated"}

    answers = at_once(20, lambda _: api.ask("POST", "/instances", body, Idempotency_Key="the-same"))

    assert {a.status_code for a in answers} == {202}
    assert len({a.json()["operation"]["id"] for a in answers}) == 1


def test_twenty_simultaneous_deletes_are_one_operation(api: Api) -> None:
    name = api.an_instance(Status.RUNNING)

    answers = at_once(20, lambda _: api.ask("DELETE", f"/instances/{name}"))

    assert {a.status_code for a in answers} == {202}
    assert len({a.json()["operation"]["id"] for a in answers}) == 1


def test_a_repeat_with_the_same_key_gets_the_same_operation_even_after_its_end(api: Api) -> None:
    name = api.an_instance(Status.RUNNING)
    first = api.ask("POST", f"/instances/{name}/actions", {"action": "stop"}, Idempotency_Key='"quoted"')
    api.end(first.json()["operation"]["id"])

    again = api.ask("POST", f"/instances/{name}/actions", {"action": "stop"}, Idempotency_Key="quoted")

    assert again.status_code == 202
    assert again.json()["operation"]["id"] == first.json()["operation"]["id"]


def test_a_key_with_another_body_is_refused_and_with_another_path_it_is_another_key(api: Api) -> None:
    name, other = api.an_instance(Status.RUNNING), api.an_instance(Status.RUNNING)
    assert (
        api.ask("POST", f"/instances/{name}/actions", {"action": "stop"}, Idempotency_Key="k").status_code == 202
    )

    changed = api.ask("POST", f"/instances/{name}/actions", {"action": "restart"}, Idempotency_Key="k")
    elsewhere = api.ask("POST", f"/instances/{other}/actions", {"action": "stop"}, Idempotency_Key="k")

    assert (changed.status_code, changed.json()["code"]) == (422, "idempotency-key-reused")
    assert elsewhere.status_code == 202


@pytest.mark.parametrize("key", ["x" * 256, "", "tab\there"])
def test_a_key_that_cannot_be_kept_is_refused(api: Api, key: str) -> None:
    answer = api.ask("POST", f"/instances/{api.an_instance()}/actions", {"action": "stop"}, Idempotency_Key=key)

    assert answer.status_code == 422


def test_a_create_answers_with_links_and_the_new_records(api: Api) -> None:
    answer = api.ask("POST", "/instances", {"name": api.name(), "blueprint": "web", "provider": "simulated"})

    form = answer.json()
    assert answer.headers["Location"] == f"/api/v1/instances/{form['instance']['id']}"
    assert answer.headers["Operation-Location"] == f"/api/v1/operations/{form['operation']['id']}"
    assert answer.headers["Retry-After"] == "2"
    assert form["instance"]["status"] == "creating"
    assert form["instance"]["lifecycle_state"] == "LAUNCHING"
    assert form["operation"]["status"] == "pending"


def test_modify_needs_the_version_that_was_read(api: Api) -> None:
    name = api.an_instance(Status.RUNNING)
    tag = api.ask("GET", f"/instances/{name}").headers["ETag"]
    patch = {"params": {"greeting": "Hi"}}

    missing = api.ask("PATCH", f"/instances/{name}", patch)
    weak = api.ask("PATCH", f"/instances/{name}", patch, If_Match=f"W/{tag}")
    stale = api.ask("PATCH", f"/instances/{name}", patch, If_Match='"99"')
    right = api.ask("PATCH", f"/instances/{name}", patch, If_Match=f'"98", {tag}')

    assert (missing.status_code, missing.json()["code"]) == (428, "precondition-required")
    assert (weak.status_code, stale.status_code) == (412, 412)
    assert stale.json()["current_version"] == 1
    assert right.status_code == 202
    assert right.json()["operation"]["kind"] == "modify"
    record = api.get(f"/instances/{name}")
    assert record["spec"]["params"] == {"greeting": "Hi"}
    assert record["pending_changes"] == [{"path": "/params/greeting", "from": None, "to": "Hi"}]


def test_a_change_that_changes_nothing_succeeds_at_once(api: Api) -> None:
    name = api.an_instance(Status.RUNNING)

    answer = api.ask("PATCH", f"/instances/{name}", {"params": {}}, If_Match="*")

    operation = answer.json()["operation"]
    assert answer.status_code == 202
    assert (operation["status"], operation["changed"], operation["done"]) == ("succeeded", False, True)


def test_null_in_a_merge_patch_takes_a_value_away(api: Api) -> None:
    made = api.create(params={"greeting": "Hi"}, labels={"a": "1", "b": "2"})["instance"]
    api.ask("POST", f"/instances/{made['id']}/actions", {"action": "cancel"})

    answer = api.ask(
        "PATCH", f"/instances/{made['id']}", {"params": {"greeting": None}, "labels": {"a": None}}, If_Match="*"
    )

    assert answer.status_code == 202, answer.text
    spec = answer.json()["instance"]["spec"]
    assert (spec["params"], spec["labels"]) == ({}, {"b": "2"})


def test_what_is_fixed_for_life_cannot_be_patched(api: Api) -> None:
    name = api.an_instance(Status.RUNNING)

    for patch, pointer in (({"params": {"port": 20001}}, "/params/port"), ({"name": "x"}, "/name")):
        answer = api.ask("PATCH", f"/instances/{name}", patch, If_Match="*")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_batch_has_an_outcome_for_each_row(api: Api) -> None:
    running, stopped = api.an_instance(Status.RUNNING), api.an_instance(Status.STOPPED)

    rows = api.ask(
        "POST", "/instances:batch", {"action": "stop", "ids": [running, stopped, "nobody", running]}
    ).json()["items"]

    assert [(row["id"], row["status"]) for row in rows] == [(running, 202), (stopped, 409), ("nobody", 404)]
    assert rows[0]["operation"]["kind"] == "stop"
    assert rows[1]["problem"]["code"] == "invalid-transition"


def test_a_batch_finds_its_instances_by_a_filter_and_repeats_by_its_key(api: Api) -> None:
    label = {"batch": "one"}
    names = {api.an_instance(Status.RUNNING, labels=label) for _ in range(3)}
    body = {"action": "restart", "filter": {"label": "batch=one", "status": "running"}}

    first = api.ask("POST", "/instances:batch", body, Idempotency_Key="all").json()["items"]
    again = api.ask("POST", "/instances:batch", body, Idempotency_Key="all").json()["items"]

    assert {row["operation"]["deployment_name"] for row in first} == names
    assert [r["operation"]["id"] for r in again] == [r["operation"]["id"] for r in first]


def test_cancel_takes_back_what_has_not_begun(api: Api) -> None:
    made = api.create()

    cancelled = api.ask("POST", f"/operations/{made['operation']['id']}/cancel")
    again = api.ask("POST", f"/operations/{made['operation']['id']}/cancel")

    assert cancelled.status_code == 202
    assert cancelled.json()["operation"]["status"] == "cancelled"
    assert cancelled.json()["instance"]["status"] == "error"
    assert again.status_code == 409


def test_a_retry_is_a_new_operation_that_names_the_failed_one(api: Api) -> None:
    name = api.an_instance(Status.ERROR)
    failed = api.get(f"/instances/{name}")["last_failed_operation_id"]

    by_operation = api.ask("POST", f"/operations/{failed}/retry").json()["operation"]
    api.ask("POST", f"/operations/{by_operation['id']}/cancel")

    assert (by_operation["retry_of"], by_operation["attempt"], by_operation["kind"]) == (failed, 2, "restart")


def test_the_older_retry_has_its_own_answers(api: Api) -> None:
    name, running = api.an_instance(Status.ERROR), api.an_instance(Status.RUNNING)

    answer = api.client.post(f"/api/instance/admin/retry-instance/{name}")
    not_in_error = api.client.post(f"/admin/retry-instance/{running}")
    unknown = api.ask("POST", "/admin/retry-instance/nobody")

    assert answer.status_code == 200
    assert set(answer.json()) == {"message", "instance_id", "job_id"}
    assert (not_in_error.status_code, unknown.status_code) == (400, 404)


def test_abort_stops_the_listening_of_a_failed_operation(api: Api) -> None:
    name = api.an_instance(Status.ERROR)
    failed = api.get(f"/instances/{name}")["last_failed_operation_id"]
    assert api.ask("POST", f"/operations/{failed}/abort").status_code == 409
    with api.database.begin() as tx:
        row = tx.session.get_one(OperationRow, failed)
        row.parked_until, row.phase = tx.session.scalar(select(tx.now + func.make_interval(0, 0, 0, 1))), "x"

    assert api.get("/operations?needs_you=true")["items"][0]["id"] == failed
    answer = api.ask("POST", f"/operations/{failed}/abort")

    assert answer.json()["operation"]["parked_until"] is None
    assert api.get("/operations?needs_you=true")["items"] == []


def test_s2s_launch_and_terminate_answer_in_their_own_form(api: Api) -> None:
    stopped = api.an_instance(Status.STOPPED)

    launched = api.ask("POST", f"/instances/{stopped}/launch", {"instance_type": "t3.micro"}).json()
    terminated = api.ask("POST", f"/instances/{stopped}/terminate").json()

    assert launched["operation"]["kind"] == "start"
    assert {"instance_id", "status", "launch_requested_at", "instance"} <= set(launched)
    assert (launched["status"], "termination_requested_at" in launched) == ("LAUNCHING", False)
    assert terminated["operation"]["kind"] == "delete"
    assert (terminated["status"], "launch_requested_at" in terminated) == ("TERMINATING", False)
    assert terminated["termination_requested_at"] == terminated["operation"]["created_at"]


def test_a_reason_is_recorded_and_none_of_berths_own_can_be_borrowed(api: Api) -> None:
    name = api.an_instance(Status.RUNNING)

    borrowed = api.act(name, "stop", reason="restart_policy")
    answer = api.act(name, "stop", reason="cost_optimization")

    assert borrowed.status_code == 422
    assert answer.json()["operation"]["reason"] == "cost_optimization"
    assert api.get(f"/instances/{name}/history")["events"][0]["reason"] == "cost_optimization"


def test_a_delete_pre_empts_what_runs(api: Api) -> None:
    made = api.create()

    deleted = api.ask("DELETE", f"/instances/{made['instance']['id']}").json()["operation"]

    first = api.get(f"/operations/{made['operation']['id']}")
    assert first["pre_empted_by"] == deleted["id"]
    assert first["status"] == OperationStatus.CANCELLED


def test_many_creates_at_once_are_all_accepted(api: Api) -> None:
    names = [api.name() for _ in range(30)]

    answers = at_once(
        30,
        lambda n: api.ask("POST", "/instances", {"name": names[n], "blueprint": "web", "provider": "simulated"}),
    )

    assert {a.status_code for a in answers} == {202}
    with api.database.read() as session:
        found = session.scalar(select(func.count()).select_from(Deployment).where(Deployment.name.in_(names)))
    assert found == 30


def test_an_idle_connection_is_kept_for_longer_than_clients_keep_theirs(api: Api) -> None:
    """Else the API closes it while a request is on its way: a reset, of which nobody knows what has arrived."""
    connection = HTTPConnection(api.url.removeprefix("http://"), timeout=60)
    connection.connect()
    connection.auto_open = 0  # what is closed stays closed
    for pause in (0, 6):  # after five seconds usual clients let go of theirs
        time.sleep(pause)
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"ok")
    connection.close()
