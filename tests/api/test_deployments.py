"""Deployments over HTTP: several members, plans that are applied exactly or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from domain.lifecycle import Status
from tests.support.api import Api, add_deployment, add_member

pytestmark = pytest.mark.servers


def three(api: Api, *statuses: Status) -> str:
    """A deployment of three members."""
    name = api.name()
    with api.database.begin() as tx:
        deployment_id = add_deployment(tx, name, members=3)
        for number, status in enumerate(statuses, 1):
            member = name if number == 1 else f"{name}-{number}"
            add_member(tx, deployment_id, member, status, ordinal=number)
    return name


def test_a_deployment_has_its_members_and_the_status_of_the_worst(api: Api) -> None:
    name = three(api, Status.RUNNING, Status.STOPPED, Status.ERROR)

    answer = api.ask("GET", f"/deployments/{name}")

    form = answer.json()
    assert answer.headers["ETag"].startswith('"1-')
    assert form["status"] == "error"
    assert [m["name"] for m in form["instances"]] == [name, f"{name}-2", f"{name}-3"]
    assert form == api.get(f"/deployments/{form['id']}")
    listed = next(d for d in api.get(f"/deployments?q={name}")["items"] if d["name"] == name)
    assert [m["status"] for m in listed["instances"]] == ["running", "stopped", "error"]


def test_a_create_of_several_members_makes_them_all(api: Api) -> None:
    name = api.name()

    answer = api.ask(
        "POST", "/deployments", {"name": name, "blueprint": "web", "provider": "simulated", "members": 3}
    )

    form = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/deployments/{form['deployment']['id']}"
    assert [m["name"] for m in form["deployment"]["instances"]] == [name, f"{name}-2", f"{name}-3"]
    assert form["operation"]["instance_names"] == [name, f"{name}-2", f"{name}-3"]


def test_a_deployment_action_takes_the_members_that_can(api: Api) -> None:
    name = three(api, Status.RUNNING, Status.STOPPED, Status.RUNNING)

    form = api.ask("POST", f"/deployments/{name}/actions", {"action": "stop"}).json()

    assert form["operation"]["instance_names"] == [name, f"{name}-3"]
    assert [(m["name"], m["reason"]) for m in form["skipped"]] == [(f"{name}-2", "no stop while it is stopped")]


def test_a_deployment_action_that_no_member_can_take_is_refused(api: Api) -> None:
    name = three(api, Status.STOPPED, Status.STOPPED, Status.STOPPED)

    assert api.ask("POST", f"/deployments/{name}/actions", {"action": "stop"}).status_code == 409
    refused = api.ask("POST", f"/deployments/{name}/actions", {"action": "maintenance_on"})
    assert refused.status_code == 409
    assert "stop" in refused.json()["allowed_actions"]


def test_the_spec_of_one_of_several_members_is_changed_at_the_deployment(api: Api) -> None:
    name = three(api, Status.RUNNING, Status.RUNNING, Status.RUNNING)

    answer = api.ask("PATCH", f"/instances/{name}-2", {"params": {"greeting": "x"}}, If_Match="*")

    assert (answer.status_code, answer.json()["code"]) == (409, "several-members")
    assert f"/api/v1/deployments/{name}" in answer.json()["detail"]


def test_deleting_one_member_leaves_the_rest(api: Api) -> None:
    name = three(api, Status.RUNNING, Status.RUNNING, Status.RUNNING)

    operation = api.ask("DELETE", f"/instances/{name}-3").json()["operation"]

    assert operation["instance_names"] == [f"{name}-3"]
    assert api.get(f"/deployments/{name}")["members"] == 2
    sibling = api.get(f"/instances/{name}")
    assert sibling["current_operation"] is None
    cancel = next(a for a in sibling["allowed_actions"] if a["action"] == "cancel")
    assert not cancel["enabled"]


def test_deleting_a_deployment_deletes_every_member(api: Api) -> None:
    name = three(api, Status.RUNNING, Status.STOPPED, Status.ERROR)

    form = api.ask("DELETE", f"/deployments/{name}").json()

    assert len(form["operation"]["instance_ids"]) == 3
    assert form["deployment"]["name"] == name


def plan(api: Api, name: str, **patch: Any) -> Any:
    answer = api.ask("POST", f"/deployments/{name}/plan", patch)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_plan_shows_what_would_be_touched_and_touches_nothing(api: Api) -> None:
    name = three(api, Status.RUNNING, Status.RUNNING, Status.RUNNING)
    before = api.get(f"/deployments/{name}")

    form = plan(api, name, params={"greeting": "Hi"}, members=2)

    assert form["base_version"] == before["version"]
    assert form["counts"] == {"created": 0, "changed_in_place": 2, "restarted": 0, "replaced": 0, "deleted": 1}
    assert form["disruption"] == "reload"
    assert {(c["path"], c["effect"]) for c in form["changes"]} == {
        ("/members", "none"),
        ("/params/greeting", "reload"),
    }
    assert [s["instance"] for s in form["steps"]] == [name, f"{name}-2", f"{name}-3"]
    assert [s["order"] for s in form["steps"]] == [1, 2, 3]
    assert any(f"{name}-3 is deleted" in check["text"] for check in form["checks"])
    assert api.get(f"/deployments/{name}") == before


def test_a_plan_of_nothing_says_so(api: Api) -> None:
    form = plan(api, three(api, Status.RUNNING, Status.RUNNING, Status.RUNNING))

    assert not any(form["counts"].values())
    assert (form["changes"], form["steps"]) == ([], [])
    assert form["checks"] == [{"level": "ok", "text": "No instance is touched."}]


def test_a_plan_names_what_speaks_against_it(api: Api) -> None:
    name = three(api, Status.RUNNING, Status.MAINTENANCE, Status.RUNNING)

    levels = [check["level"] for check in plan(api, name, params={"greeting": "Hi"})["checks"]]
    api.act(name, "stop")
    held = plan(api, name, params={"greeting": "Hi"})["checks"]

    assert "blocker" in levels
    assert any(c["level"] == "blocker" and "stop op_" in c["text"] for c in held)


def test_exactly_the_plan_is_applied(api: Api) -> None:
    name = three(api, Status.RUNNING, Status.RUNNING, Status.RUNNING)
    patch = {"params": {"greeting": "Hi"}}
    made = plan(api, name, **patch)

    other_body = api.ask("PATCH", f"/deployments/{name}", {"params": {"greeting": "No"}, "plan_id": made["id"]})
    forged = api.ask("PATCH", f"/deployments/{name}", {**patch, "plan_id": "x" + made["id"]})
    applied = api.ask("PATCH", f"/deployments/{name}", {**patch, "plan_id": made["id"]})
    api.ask("POST", f"/operations/{applied.json()['operation']['id']}/cancel")
    moved = api.ask("PATCH", f"/deployments/{name}", {**patch, "plan_id": made["id"]})

    assert (other_body.status_code, forged.status_code) == (412, 422)
    assert applied.status_code == 202, applied.text
    assert len(applied.json()["operation"]["instance_ids"]) == 3
    assert (moved.status_code, moved.json()["code"]) == (412, "precondition-failed")


def test_without_plan_or_version_a_deployment_is_not_changed(api: Api) -> None:
    name = three(api, Status.RUNNING, Status.RUNNING, Status.RUNNING)
    patch = {"labels": {"a": "1"}}

    assert api.ask("PATCH", f"/deployments/{name}", patch).status_code == 428
    assert api.ask("PATCH", f"/deployments/{name}", patch, If_Match='"7"').status_code == 412
    assert api.ask("PATCH", f"/deployments/{name}", patch, If_Match='"1"').status_code == 202


def test_a_plan_of_a_create_says_what_acceptance_would_say(api: Api) -> None:
    taken = api.an_instance()
    body = {"name": api.name(), "blueprint": "web", "provider": "simulated", "members": 2}

    good = api.ask("POST", "/deployments:plan", body).json()
    blocked = api.ask("POST", "/deployments:plan", {**body, "name": taken}).json()
    nowhere = api.ask("POST", "/deployments:plan", {**body, "provider": "process"}).json()

    assert good["counts"]["created"] == 2
    assert [c["level"] for c in good["checks"]] == ["ok"]
    assert "is taken" in blocked["checks"][0]["text"]
    assert "No host" in nowhere["checks"][0]["text"]
    assert api.ask("GET", f"/deployments/{body['name']}").status_code == 404
    changed = api.ask("POST", "/deployments", {**body, "members": 3, "plan_id": good["id"]})
    applied = api.ask("POST", "/deployments", {**body, "plan_id": good["id"]})
    assert (changed.status_code, applied.status_code) == (412, 202)


def test_a_plan_refuses_wrong_values_with_pointers(api: Api) -> None:
    name = three(api, Status.RUNNING, Status.RUNNING, Status.RUNNING)

    answer = api.ask("POST", f"/deployments/{name}/plan", {"members": 99, "nonsense": 1})

    assert {e["pointer"] for e in answer.json()["errors"]} == {"/members", "/nonsense"}


def test_scaling_onto_a_name_that_is_taken_says_so_and_so_does_its_plan(api: Api) -> None:
    name = api.an_instance()
    api.an_instance(name=f"{name}-2")

    plan = api.ask("POST", f"/deployments/{name}/plan", {"members": 2}).json()
    answer = api.ask("PATCH", f"/deployments/{name}", {"members": 2}, If_Match="*")

    assert (answer.status_code, answer.json()["code"]) == (409, "name-taken")
    assert f"{name}-2" in answer.json()["detail"]
    assert [c["level"] for c in plan["checks"]] == ["blocker"]
    assert f"{name}-2" in plan["checks"][0]["text"]
