"""The forms of older documents: an Odoo made at the root, machines launched by name, the retry where it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from db.models import Instance, OperationRow, ProviderPlace
from domain.errors import InvalidInput
from domain.lifecycle import ProvisioningStatus, Status
from domain.operations import ErrorOrigin, OperationStatus
from providers.registry import PROVIDERS
from services.forms import validation
from services.operations.acceptance import new_id
from services.places import catalog
from tests.support.api import Api, running_api
from tests.support.leaks import leaks, of_records
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.servers
PASSWORD = "c4n4ry-0f-the-form/ü"


@pytest.fixture(scope="module")
def simulating(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Api]:
    """An API that makes its Odoos on the simulated provider."""
    with running_api(tmp_path_factory.mktemp("odoo"), database_url, odoo_provider="simulated") as running:
        yield running


def post(api: Api, path: str, body: Any = None, **headers: str) -> httpx2.Response:
    """At the root, without the prefix."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return api.client.post(path, json=body if body is not None else {}, headers=named)


def the_form(api: Api, **changes: Any) -> dict[str, Any]:
    form = {
        "name": f"odoo-{api.name()}",
        "admin_email": "admin@example.com",
        "admin_password": PASSWORD,
        "database_name": "shop",
        "odoo_version": "17.0",
    }
    return {name: value for name, value in {**form, **changes}.items() if value is not None}


def configured(api: Api, provider: str, host_id: str = "") -> None:
    """As a worker reports it."""
    with api.database.begin() as tx:
        tx.session.merge(
            ProviderPlace(
                provider=provider,
                host_id=host_id,
                agent="agent",
                configured=True,
                available=True,
                reason=None,
                identity="here",
                checked_at=tx.session.scalar(select(tx.now)),
            )
        )


def test_the_root_form_makes_an_odoo_with_a_database_of_its_own(simulating: Api) -> None:
    form = the_form(simulating)
    answer = post(simulating, "/instances", form)
    assert answer.status_code == 202, answer.text
    made = answer.json()["instance"]
    assert answer.headers["location"] == f"/api/v1/instances/{made['id']}"
    assert (made["name"], made["blueprint"], made["provider"]) == (form["name"], "odoo", "simulated")
    assert made["spec"]["params"] == {
        "admin_email": "admin@example.com",
        "database_name": "shop",
        "odoo_version": "17.0",
    }
    assert made["spec"]["database"] == {"mode": "dedicated"}
    assert made["db_type"] == "dedicated"
    assert (made["status"], made["provisioning_status"]) == ("creating", "pending")
    assert leaks([("answer", answer.content), *of_records(simulating)], [PASSWORD]) == []


def test_what_was_made_at_the_root_is_seen_and_acted_upon_there(simulating: Api) -> None:
    made = post(simulating, "/instances", the_form(simulating)).json()["instance"]
    seen = simulating.client.get(f"/instances/{made['id']}")
    assert seen.json()["id"] == made["id"]
    assert seen.headers["etag"]
    refused = post(simulating, f"/instances/{made['id']}/actions", {"action": "stop"})
    assert refused.status_code == 409
    assert post(simulating, f"/instances/{made['name']}/actions", {"action": "cancel"}).status_code == 202
    assert simulating.client.get("/instances/nothing").status_code == 404
    assert simulating.client.delete(f"/instances/{made['id']}").status_code == 405


def test_the_root_form_needs_the_token(simulating: Api) -> None:
    answer = httpx2.post(f"{simulating.url}/instances", json=the_form(simulating), trust_env=False)
    assert answer.status_code == 401


def test_the_root_form_sent_twice_with_one_key_makes_one(simulating: Api) -> None:
    form = the_form(simulating)
    first, second = (post(simulating, "/instances", form, Idempotency_Key="form") for _ in range(2))
    assert first.json()["operation"]["id"] == second.json()["operation"]["id"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"admin_email": "nobody"}, "/admin_email"),
        ({"admin_email": None}, "/admin_email"),
        ({"admin_password": "c4n4ry"}, "/admin_password"),
        ({"admin_password": None}, "/admin_password"),
        ({"admin_password": 7}, "/admin_password"),
        ({"odoo_version": "12.0"}, "/odoo_version"),
        ({"database_name": "a;b"}, "/database_name"),
        ({"name": "Shop"}, "/name"),
        ({"provider": "simulated"}, "/provider"),
    ],
)
def test_a_mistake_in_the_root_form_points_at_its_own_field(
    simulating: Api, changes: dict[str, Any], pointer: str
) -> None:
    answer = post(simulating, "/instances", the_form(simulating, **changes))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert "c4n4ry" not in answer.text


def test_without_a_place_for_containers_the_root_form_says_what_to_configure(api: Api) -> None:
    answer = post(api, "/instances", the_form(api))
    assert answer.status_code == 409
    assert answer.json()["code"] == "provider-unavailable"
    assert PASSWORD not in answer.text


def test_a_wrong_place_in_the_configuration_is_said_to_be_that(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    with running_api(tmp_path, postgres_server.new_database(), odoo_provider="process") as served:
        answer = post(served, "/instances", the_form(served))
    assert answer.status_code == 409
    assert "BERTH_ODOO_PROVIDER names it; allowed: docker" in answer.json()["detail"]


def test_a_launch_of_a_new_name_is_refused_while_nobody_has_ec2_configured(api: Api) -> None:
    answer = api.ask("POST", f"/instances/{api.name()}/launch", {"instance_type": "t3.micro"})
    assert answer.status_code == 409
    assert "ec2" in answer.json()["detail"]


def test_a_launch_of_a_new_name_makes_a_machine(api: Api) -> None:
    configured(api, "ec2")
    name = api.name()
    body = {"instance_type": "t3.micro", "availability_zone": "us-east-1a"}
    answer = api.ask("POST", f"/instances/{name}/launch", body, Idempotency_Key="launch")
    assert answer.status_code == 202, answer.text
    form = answer.json()
    made = form["instance"]
    assert form["instance_id"] == made["id"]
    assert form["status"] == "LAUNCHING"
    assert form["launch_requested_at"]
    assert (made["blueprint"], made["provider"], made["name"]) == ("vm", "ec2", name)
    assert (made["instance_type"], made["availability_zone"]) == ("t3.micro", "us-east-1a")
    again = api.ask("POST", f"/instances/{name}/launch", body, Idempotency_Key="launch").json()
    assert again["operation"]["id"] == form["operation"]["id"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/instance_type"),
        ({"instance_type": "huge"}, "/instance_type"),
        ({"instance_type": "t3.micro", "availability_zone": "here"}, "/availability_zone"),
        ({"instance_type": "t3.micro", "image": "x"}, "/image"),
    ],
)
def test_a_mistake_in_a_launch_points_at_its_own_field(api: Api, body: dict[str, Any], pointer: str) -> None:
    configured(api, "ec2")
    answer = api.ask("POST", f"/instances/{api.name()}/launch", body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_an_id_that_nobody_has_is_not_launched(api: Api) -> None:
    answer = api.ask("POST", f"/instances/{new_id('ins')}/launch", {"instance_type": "t3.micro"})
    assert answer.status_code == 404


def test_a_launch_of_what_is_stopped_starts_it_as_it_is(api: Api) -> None:
    name = api.an_instance(Status.STOPPED, instance_type="t3.micro")
    other = api.ask("POST", f"/instances/{name}/launch", {"instance_type": "t3.large"})
    assert other.status_code == 422
    assert other.json()["errors"][0]["pointer"] == "/instance_type"
    form = api.ask("POST", f"/instances/{name}/launch", {"instance_type": "t3.micro"}).json()
    assert (form["operation"]["kind"], form["status"]) == ("start", "LAUNCHING")
    assert form["instance_id"] == form["instance"]["id"]
    assert form["launch_requested_at"]


def test_a_terminate_answers_in_the_older_form(api: Api) -> None:
    name = api.an_instance(Status.RUNNING)
    form = api.ask("POST", f"/instances/{name}/terminate", {"reason": "cleanup"}).json()
    assert (form["operation"]["kind"], form["status"]) == ("delete", "TERMINATING")
    assert form["termination_requested_at"]
    assert form["instance_id"] == form["instance"]["id"]
    assert form["operation"]["reason"] == "cleanup"


def test_a_history_carries_events_and_items(api: Api) -> None:
    made = api.create()["instance"]
    history = api.get(f"/instances/{made['id']}/history")
    assert history["events"] == history["items"]
    assert history["events"][0]["event_type"] == "LAUNCH_REQUESTED"


def a_failed_create(api: Api) -> str:
    made = api.create()
    with api.database.begin() as tx:
        row = tx.session.get_one(Instance, made["instance"]["id"])
        row.status, row.provisioning_status = Status.ERROR, ProvisioningStatus.FAILED
        row.error_code, row.error_message, row.error_origin = "transient", "it broke", ErrorOrigin.OPERATION
        tx.session.get_one(OperationRow, made["operation"]["id"]).started_at = tx.session.scalar(select(tx.now))
    api.end(made["operation"]["id"], OperationStatus.FAILED)
    return str(made["instance"]["id"])


@pytest.mark.parametrize("prefix", ["", "/api/v1", "/api/instance"])
def test_the_older_retry_shows_creating_and_pending_at_once(api: Api, prefix: str) -> None:
    key = a_failed_create(api)
    answer = post(api, f"{prefix}/admin/retry-instance/{key}", Idempotency_Key=f"retry{prefix}")
    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert set(job) == {"message", "instance_id", "job_id"}
    assert job["instance_id"] == key
    seen = api.get(f"/instances/{key}")
    assert (seen["status"], seen["provisioning_status"], seen["error_message"]) == ("creating", "pending", None)
    assert seen["current_operation"]["id"] == job["job_id"]
    last = api.get(f"/instances/{key}/history")["events"][0]
    assert (last["event_type"], last["from"], last["to"]) == ("LAUNCH_PENDING", "error", "creating")
    assert last["version"] == seen["version"]
    again = post(api, f"{prefix}/admin/retry-instance/{key}", Idempotency_Key=f"retry{prefix}")
    assert again.json() == job
    once_more = post(api, f"{prefix}/admin/retry-instance/{key}")
    assert once_more.status_code == 400
    assert once_more.json()["current_status"] == "creating"


def test_an_older_retry_that_is_cancelled_before_it_began_leaves_the_error(api: Api) -> None:
    key = a_failed_create(api)
    job = post(api, f"/admin/retry-instance/{key}").json()["job_id"]
    assert api.ask("POST", f"/operations/{job}/cancel").status_code == 202
    seen = api.get(f"/instances/{key}")
    assert (seen["status"], seen["provisioning_status"]) == ("error", "failed")
    assert "Never begun" in seen["error_message"]


def test_the_retry_itself_leaves_the_status_until_it_is_planned(api: Api) -> None:
    key = a_failed_create(api)
    assert api.act(key, "retry").status_code == 202
    assert api.get(f"/instances/{key}")["status"] == "error"


def test_a_retry_of_what_is_not_in_error_or_unknown_is_refused(api: Api) -> None:
    running = post(api, f"/admin/retry-instance/{api.an_instance(Status.RUNNING)}")
    assert running.status_code == 400
    assert running.json()["current_status"] == "running"
    assert post(api, "/admin/retry-instance/nothing").status_code == 404


def test_the_record_says_whose_it_is_and_members_inherit_it(api: Api) -> None:
    made = api.create(customer_id="customer 42", members=2)["instance"]
    members = api.get(f"/deployments/{made['deployment_id']}")["instances"]
    assert {member["customer_id"] for member in members} == {"customer 42"}
    refused = api.ask("POST", "/instances", {"name": api.name(), "blueprint": "web", "customer_id": "x" * 129})
    assert refused.json()["errors"][0]["pointer"] == "/customer_id"


def test_a_database_is_refused_where_none_is_needed_and_dedicated_without_a_word(api: Api) -> None:
    body = {"name": api.name(), "blueprint": "web", "provider": "simulated", "database": {"mode": "shared"}}
    assert api.ask("POST", "/instances", body).json()["errors"][0]["pointer"] == "/database"
    made = api.create(blueprint="odoo", params={"admin_email": "a@example.com"})["instance"]
    assert made["spec"]["database"] == {"mode": "dedicated"}


def test_a_parameter_for_containers_means_nothing_elsewhere(api: Api) -> None:
    body = {"name": api.name(), "blueprint": "postgres", "provider": "process", "params": {"image": "postgres:18"}}
    answer = api.ask("POST", "/instances", body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/params/image"


def test_a_port_of_the_host_means_nothing_where_there_is_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = replace(PROVIDERS["docker"], name="elsewhere", on_host=False)
    monkeypatch.setattr(validation, "PROVIDERS", {**PROVIDERS, "elsewhere": elsewhere})
    monkeypatch.setattr(catalog, "PROVIDERS", {**PROVIDERS, "elsewhere": elsewhere})
    body = {"name": "shop", "blueprint": "web", "provider": "elsewhere", "params": {"port": 5000}}
    with pytest.raises(InvalidInput) as refused:
        validation.new_deployment(body, validation.Rules(local_mode=True))
    assert [error.pointer for error in refused.value.errors] == ["/params/port"]
