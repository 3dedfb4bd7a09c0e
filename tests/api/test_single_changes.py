"""Changes that are one transaction: maintenance and forget; secrets; confirmations from outside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from db.models import Confirmation, Instance, InstanceRun
from domain.lifecycle import Status
from domain.work import Secrets
from tests.support.api import Api, add_deployment, add_host, add_member

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("status", [Status.RUNNING, Status.STOPPED])
def test_maintenance_ends_in_what_was_before_when_nobody_can_look(api: Api, status: Status) -> None:
    name = api.an_instance(status)

    begun = api.act(name, "maintenance_on", reason="manual").json()
    ended = api.act(name, "maintenance_off").json()

    assert begun["instance"]["status"] == "maintenance"
    assert (begun["operation"]["status"], begun["operation"]["done"]) == ("succeeded", True)
    assert ended["instance"]["status"] == status
    types = [e["event_type"] for e in api.get(f"/instances/{name}/history")["items"]][::-1]
    assert types == [
        "MAINTENANCE_ON_REQUESTED",
        "MAINTENANCE_ON_CONFIRMED",
        "MAINTENANCE_OFF_REQUESTED",
        "MAINTENANCE_OFF_CONFIRMED",
    ]


def test_forgetting_removes_the_record_and_keeps_the_life(api: Api) -> None:
    name = api.an_instance(Status.ERROR, cloud_instance_id="i-1")
    record = api.get(f"/instances/{name}")

    answer = api.act(name, "forget")

    assert answer.status_code == 202
    assert answer.json()["instance"] is None
    assert answer.json()["operation"]["status"] == "succeeded"
    gone = api.ask("GET", f"/instances/{record['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "terminated")
    run = api.client.get(gone.json()["run_url"]).json()
    assert (run["instance_id"], run["termination_reason"]) == (record["id"], "lost")
    assert api.ask("GET", f"/instances/{name}").json()["code"] == "not-found"
    assert api.ask("GET", f"/deployments/{record['deployment_id']}").status_code == 404
    assert [r["run_id"] for r in api.get(f"/runs?name={name}")["items"]] == [run["run_id"]]


def test_forgetting_one_of_several_leaves_the_rest(api: Api) -> None:
    name = api.name()
    with api.database.begin() as tx:
        deployment_id = add_deployment(tx, name, members=2)
        add_member(tx, deployment_id, name, Status.RUNNING)
        add_member(tx, deployment_id, f"{name}-2", Status.ERROR, ordinal=2)

    assert api.act(f"{name}-2", "forget").status_code == 202

    form = api.get(f"/deployments/{name}")
    assert (form["members"], [m["name"] for m in form["instances"]]) == (1, [name])


def test_what_a_lost_host_holds_can_be_forgotten_from_any_status(api: Api) -> None:
    with api.database.begin() as tx:
        long_ago = datetime.now(UTC) - timedelta(minutes=10)
        lost, alive = add_host(tx, "lost", last_seen_at=long_ago), add_host(tx, "alive")
    on_lost = api.an_instance(Status.RUNNING, host_id=lost)
    on_alive = api.an_instance(Status.RUNNING, host_id=alive)
    by_force = api.an_instance(Status.RUNNING, host_id=lost)

    forget = next(a for a in api.get(f"/instances/{on_lost}")["allowed_actions"] if a["action"] == "forget")

    assert forget["button"]
    assert forget["enabled"]
    assert api.act(on_alive, "forget").status_code == 409
    assert api.act(on_lost, "forget").status_code == 202
    assert api.ask("DELETE", f"/instances/{by_force}?force=true").json()["operation"]["kind"] == "forget"


def test_secrets_are_revealed_once_asked_for_and_that_is_recorded(api: Api) -> None:
    name = api.an_instance(Status.RUNNING, port=20001)
    record = api.get(f"/instances/{name}")
    with api.database.begin() as tx:
        api.vault.put(tx, record["id"], Secrets(password="correct horse"))

    answer = api.ask("POST", f"/instances/{name}/secrets:reveal")

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["items"] == [{"name": "password", "value": "correct horse"}]
    assert "correct horse" not in api.ask("GET", f"/instances/{name}").text
    history = api.ask("GET", f"/instances/{name}/history")
    assert history.json()["items"][0]["event_type"] == "SECRETS_REVEALED"
    assert "correct horse" not in history.text


def test_a_confirmation_is_stored_once_and_its_source_is_the_principals(api: Api) -> None:
    name = api.an_instance(Status.STOPPING)
    operation_id = api.get(f"/instances/{name}")["current_operation"]["id"]
    claim = {"operation_id": operation_id, "kind": "launched", "generation": 1}

    first = api.ask("POST", f"/instances/{name}/confirmations", claim)
    again = api.ask("POST", f"/instances/{name}/confirmations", claim)
    forged = api.ask("POST", f"/instances/{name}/confirmations", {**claim, "source": "agent"})
    other = api.ask("POST", f"/instances/{name}/confirmations", {**claim, "operation_id": "op_other"})

    assert (first.status_code, first.json()["recorded"]) == (202, True)
    assert (again.status_code, again.json()["recorded"]) == (202, False)
    assert (forged.status_code, other.status_code) == (422, 404)
    with api.database.read() as session:
        rows = session.scalars(select(Confirmation).where(Confirmation.operation_id == operation_id)).all()
    assert [row.source for row in rows] == ["external"]


def test_admin_stats_count_every_status(api: Api) -> None:
    api.an_instance(Status.RUNNING)

    form = api.ask("GET", "/admin/stats").json()

    assert set(form["by_status"]) == set(Status)
    assert form["by_status"]["running"] >= 1
    assert form == api.client.get("/admin/stats").json()
    with api.database.read() as session:
        assert form["by_status"]["terminated"] == len(session.scalars(select(InstanceRun.run_id)).all())


def test_stats_tell_durations(api: Api) -> None:
    name = api.an_instance(Status.RUNNING)
    with api.database.begin() as tx:
        tx.session.execute(update(Instance).where(Instance.name == name).values(launch_duration_seconds=2.0))

    assert api.get("/admin/stats")["durations"]["launch_seconds"]["p50"] == 2.0
