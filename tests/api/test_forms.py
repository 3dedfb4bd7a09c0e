"""Answers have the forms that OpenAPI promises, the document is the committed one, and health tells the truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import BaseModel, TypeAdapter

from api import schemas
from api.docs import document
from db.session import interval
from domain.lifecycle import MOVES, Operation, Status
from domain.operations import OperationStatus
from scripts.openapi import TARGET, text
from services.operations.usual import UsualSlow
from services.views.usual import UsualTimes
from tests.support.api import NOWHERE, TOKEN, Api, add_operation, running_api
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.servers
INTERFACE = {
    "id",
    "instance_id",
    "name",
    "deployment_id",
    "project",
    "role",
    "blueprint",
    "provider",
    "host",
    "spec",
    "applied_spec",
    "pending_changes",
    "resources",
    "labels",
    "status",
    "lifecycle_state",
    "provisioning_status",
    "billing_status",
    "health",
    "health_checked_at",
    "provider_state",
    "error_message",
    "error_origin",
    "endpoint",
    "cloud_instance_id",
    "instance_type",
    "availability_zone",
    "customer_id",
    "db_type",
    "db_server_id",
    "version",
    "current_operation",
    "allowed_actions",
    "launch_requested_at",
    "launch_confirmed_at",
    "launch_duration_seconds",
    "termination_requested_at",
    "termination_confirmed_at",
    "termination_duration_seconds",
    "created_at",
    "updated_at",
    "temporal_url",
}


def fits(model: type[BaseModel], form: Any, where: str = "") -> None:
    """Every field of `form` is in the model, and every field of the model is in `form` or optional."""
    TypeAdapter(model).validate_python(form)
    known = {field.alias or name for name, field in model.model_fields.items()}
    assert set(form) <= known, f"{where} has {set(form) - known} beside the model"


def test_an_instance_has_every_field_of_its_form(api: Api) -> None:
    for status in (Status.RUNNING, Status.ERROR, Status.STOPPING):
        form = api.get(f"/instances/{api.an_instance(status)}")
        fits(schemas.Instance, form)
        assert set(form) >= INTERFACE
        for action in form["allowed_actions"]:
            fits(schemas.Action, action)
        if form["current_operation"]:
            fits(schemas.BriefOperation, form["current_operation"])


def test_every_answer_fits_its_model(api: Api) -> None:
    made = api.create(params={"greeting": "Hi"}, resources={"cpu": 1})
    failed = api.get(f"/instances/{api.an_instance(Status.ERROR)}")["last_failed_operation_id"]
    instance_id = made["instance"]["id"]

    fits(schemas.AcceptedInstance, made)
    fits(schemas.OperationForm, made["operation"])
    fits(schemas.OperationForm, api.get(f"/operations/{failed}"))
    fits(schemas.InstanceList, api.get("/instances"))
    fits(schemas.OperationList, api.get("/operations"))
    fits(schemas.DeploymentList, api.get("/deployments"))
    fits(schemas.DeploymentForm, api.get(f"/deployments/{made['instance']['deployment_id']}"))
    fits(schemas.EventList, api.get("/events"))
    fits(schemas.Event, api.get("/events")["items"][0])
    fits(schemas.History, api.get(f"/instances/{instance_id}/history"))
    fits(schemas.RunList, api.get("/runs"))
    fits(schemas.Plan, api.ask("POST", f"/deployments/{made['instance']['deployment_id']}/plan", {}).json())


def test_a_failed_operation_says_what_helps(api: Api) -> None:
    failed = api.get(f"/instances/{api.an_instance(Status.ERROR)}")["last_failed_operation_id"]

    error = api.get(f"/operations/{failed}")["error"]

    assert error["code"] == "transient"
    assert error["help"]["text"]
    assert api.client.get(error["help"]["url"].partition("#")[0]).status_code == 200


def test_usual_times_come_from_five_finished_operations(api: Api) -> None:
    operation_id = ""
    for count in range(5):
        operation_id = api.create(blueprint="postgres")["operation"]["id"]
        assert count < 4 or api.get(f"/operations/{operation_id}")["usual"] is None
        api.end(operation_id, OperationStatus.SUCCEEDED)
    api.client.get("/api/v1/operations")  # the cache of the absence ends within seconds; a fresh API has none

    with api.database.read() as session:
        found = UsualTimes().of_kind(session, Operation.CREATE, "postgres", "simulated")
    assert found is not None
    assert 0 < found.total["p50"] <= found.total["p95"]


def test_slow_is_what_takes_twice_as_long_as_is_shown_to_be_usual(api: Api) -> None:
    kind = (Operation.RESTART, "web", "elsewhere")
    slow, shown = UsualSlow(), UsualTimes()
    with api.database.read() as session:
        assert (slow.seconds(session, *kind), shown.of_kind(session, *kind)) == (None, None)
    with api.database.begin() as tx:
        for seconds in (10, 20, 30, 40, 50):
            took = {"provider": "elsewhere", "finished_at": tx.now + interval(seconds)}
            add_operation(tx, "dep_gone", "gone", "ins_gone", OperationStatus.SUCCEEDED, **took)
    with api.database.read() as session:
        assert slow.seconds(session, *kind) is None, "kept for a moment"
        usual = UsualTimes().of_kind(session, *kind)
        assert usual is not None
        assert usual.total == {"p50": 30.0, "p95": 48.0}
        assert UsualSlow().seconds(session, *kind) == 96.0


def test_the_committed_document_is_the_one_that_the_routes_give(api: Api) -> None:
    served = api.get("/openapi.json")

    assert TARGET.read_text() == text(), "run `make docs` and review the difference"
    assert served == json.loads(TARGET.read_text())
    assert served["info"]["version"] == document.__globals__["VERSION"]


def test_every_operation_of_the_document_has_a_stable_id_and_its_problems() -> None:
    form = json.loads(TARGET.read_text())
    ids = []
    for path, methods in form["paths"].items():
        for method, operation in methods.items():
            ids.append(operation["operationId"])
            if "health" not in operation["tags"]:
                assert "401" in operation["responses"], path
                assert method == "get" or "409" in operation["responses"], path
    assert len(ids) == len(set(ids))
    assert {"instances_create", "instances_list", "instances_get", "operations_get"} <= set(ids)


def test_every_reference_of_the_document_leads_somewhere() -> None:
    raw = TARGET.read_text()
    schemas_there = set(json.loads(raw)["components"]["schemas"])

    wanted = {part.partition('"')[0] for part in raw.split("#/components/schemas/")[1:]}

    assert wanted <= schemas_there


def test_the_lifecycle_is_served_as_it_is(api: Api) -> None:
    form = api.get("/lifecycle")

    assert len(form["moves"]) == len(MOVES)
    assert {o["name"] for o in form["operations"]} == set(Operation)
    assert {s["name"] for s in form["statuses"]} == set(Status)


def test_blueprints_come_with_their_schema_and_providers_with_their_reason(api: Api) -> None:
    blueprints = {b["name"]: b for b in api.get("/blueprints")["items"]}
    providers = {p["name"]: p for p in api.get("/providers")["items"]}

    assert "max_connections" in blueprints["postgres"]["params_schema"]["properties"]
    assert providers["simulated"]["available"]
    assert not providers["process"]["available"]
    assert providers["process"]["reason"]


def test_health_is_open_and_readiness_names_what_is_missing(api: Api) -> None:
    for prefix in ("", "/api/v1"):
        assert httpx2.get(f"{api.url}{prefix}/livez", trust_env=False).status_code == 200
        assert httpx2.get(f"{api.url}{prefix}/health", trust_env=False).json()["status"] == "ok"
        ready = httpx2.get(f"{api.url}{prefix}/readyz?verbose", trust_env=False)
        assert ready.status_code == 503
        checks = {c["name"]: c["ok"] for c in ready.json()["checks"]}
        assert checks == {"database": True, "migrations": True, "keeper": False, "keys": True, "temporal": False}


def test_outside_local_mode_nothing_can_be_simulated(tmp_path: Path, postgres_server: PostgresServer) -> None:
    with running_api(tmp_path, postgres_server.new_database(), local_mode=False) as served:
        assert served.ask("GET", "/providers/simulated/faults").status_code == 404
        body = {"name": "x", "blueprint": "web", "provider": "simulated"}
        assert served.ask("POST", "/instances", body).json()["errors"][0]["pointer"] == "/provider"
        simulated = next(p for p in served.get("/providers")["items"] if p["name"] == "simulated")
        assert not simulated["available"]


def test_another_key_file_and_another_database_turn_readiness_red(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    url = postgres_server.new_database()
    with running_api(tmp_path / "one", url) as served:
        served.client.get("/readyz")  # plants the proof
    with running_api(tmp_path / "two", url) as served:
        checks = {c["name"]: c["ok"] for c in served.client.get("/readyz?verbose").json()["checks"]}
    assert checks["keys"] is False


def test_a_database_that_does_not_answer_is_503_with_retry_after(tmp_path: Path) -> None:
    with running_api(tmp_path, f"postgresql://berth@{NOWHERE}/berth") as served:
        answer = served.ask("GET", "/instances")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"]
        assert served.client.get("/livez").status_code == 200
        assert served.client.get("/readyz").status_code == 503


def test_no_answer_and_no_log_line_holds_the_token(api: Api, capfd: pytest.CaptureFixture[str]) -> None:
    api.ask("GET", f"/instances/{TOKEN}x")
    api.ask("POST", "/instances", {"name": 1})

    said = capfd.readouterr()
    assert f"Bearer {TOKEN}" not in said.out + said.err
