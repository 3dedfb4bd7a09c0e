"""The document is whole: every route typed, every problem declared, every link leads to something that works."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from api import schemas
from domain.lifecycle import Status
from domain.needs import NEEDS
from services.requests import action_params
from tests.api.test_forms import fits
from tests.support.api import Api, add_host

pytestmark = pytest.mark.servers
NO_JSON = {"events_stream", "metrics", "health_live"}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


@pytest.fixture(scope="module")
def document(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/openapi.json")
    return found


def test_every_route_has_a_name_of_its_own_and_a_typed_answer(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for path, method, operation in operations(document):
        answers = {c: r for c, r in operation["responses"].items() if c.startswith("2") and c != "204"}
        if operation["operationId"] in NO_JSON:
            continue
        for answer in answers.values():
            schema = answer["content"]["application/json"]["schema"]
            assert "$ref" in schema, (method, path)
            assert not schema["$ref"].endswith("/Items"), (method, path)


def test_every_route_but_health_declares_its_problems(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        if "health" in operation.get("tags", []):
            continue
        codes = {code for code in operation["responses"] if code[0] in "45"}
        assert codes >= {"401", "403", "429", "503"}, (method, path)
        assert "Retry-After" in operation["responses"]["429"]["headers"]
        for code in codes:
            assert "application/problem+json" in operation["responses"][code]["content"], (method, path, code)


def test_links_lead_from_what_was_made_to_routes_that_take_it(api: Api, document: dict[str, Any]) -> None:
    by_id = {
        operation["operationId"]: (path, method, operation) for path, method, operation in operations(document)
    }
    made = api.create()
    links = by_id["instances_create"][2]["responses"]["202"]["links"]
    assert set(links) >= {"instance", "act", "delete", "operation"}
    for _, _, operation in operations(document):
        for answer in operation["responses"].values():
            for link in answer.get("links", {}).values():
                path, _, target = by_id[link["operationId"]]
                known = {p["name"] for p in target["parameters"] if p["in"] == "path"}
                assert set(link["parameters"]) == known, path
    for name in ("instance", "operation", "history"):
        path, method, _ = by_id[links[name]["operationId"]]
        for parameter, where in links[name]["parameters"].items():
            value: Any = made
            for part in where.removeprefix("$response.body#/").split("/"):
                value = value[part]
            path = path.replace(f"{{{parameter}}}", value)
        assert api.client.request(method, path).status_code == 200, name


def test_the_fleet_has_the_forms_that_the_document_promises(api: Api) -> None:
    with api.database.begin() as tx:
        add_host(tx)
    api.an_instance(Status.ERROR)
    found: list[tuple[type[BaseModel], str]] = [
        (schemas.Lifecycle, "/lifecycle"),
        (schemas.BlueprintList, "/blueprints"),
        (schemas.BlueprintForm, "/blueprints/web"),
        (schemas.ProviderList, "/providers"),
        (schemas.HostList, "/hosts"),
        (schemas.Statistics, "/admin/stats"),
        (schemas.HealthReport, "/health"),
    ]
    for model, path in found:
        fits(model, api.get(path), path)
    fits(schemas.HostForm, api.get("/hosts")["items"][0])
    fits(schemas.ProviderForm, api.get("/providers")["items"][0])
    lifecycle = api.get("/lifecycle")
    fits(schemas.MoveForm, lifecycle["moves"][0])
    fits(schemas.OperationKind, lifecycle["operations"][0])


def test_what_an_action_needs_is_what_its_door_checks(api: Api) -> None:
    lifecycle = api.get("/lifecycle")
    models: dict[str, type[BaseModel]] = {
        "suspend": action_params.SuspendParams,
        "maintenance_on": action_params.MaintenanceParams,
    }
    for action, model in models.items():
        known = {field.alias or name for name, field in model.model_fields.items()}
        assert set(lifecycle["params"][action]["properties"]) == known
    for action in api.get(f"/instances/{api.an_instance()}")["allowed_actions"]:
        where = action["needs"]["params"]
        assert (where is None) == (action["action"] not in lifecycle["params"])
        assert where is None or where == f"/api/v1/lifecycle#/params/{action['action']}"
        assert action["needs"]["confirm"] == (
            NEEDS[action["action"]].confirm.value if action["action"] in NEEDS else "none"
        )


def test_what_did_not_change_is_not_sent_again(api: Api) -> None:
    name = api.an_instance()
    operation = api.create()["operation"]["id"]
    for path in (f"/instances/{name}", f"/deployments/{name}", f"/operations/{operation}", "/blueprints/web"):
        first = api.ask("GET", path)
        tag = first.headers["ETag"]
        again = api.ask("GET", path, If_None_Match=tag)
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag), path
        assert api.ask("GET", path, If_None_Match='"other", W/"1"').status_code == 200
    tag = api.ask("GET", f"/operations/{operation}").headers["ETag"]
    api.ask("POST", f"/operations/{operation}/cancel")
    assert api.ask("GET", f"/operations/{operation}", If_None_Match=tag).status_code == 200


def test_a_tag_and_a_bare_version_both_name_what_was_read(api: Api) -> None:
    name = api.an_instance()
    read = api.ask("GET", f"/deployments/{name}")
    version = read.json()["version"]
    for tag in (f'"{version}"', read.headers["ETag"]):
        stale = api.ask(
            "PATCH", f"/deployments/{name}", {"members": 1}, If_Match=tag.replace(str(version), "99", 1)
        )
        assert stale.status_code == 412
    assert (
        api.ask("PATCH", f"/deployments/{name}", {"members": 1}, If_Match=read.headers["ETag"]).status_code == 202
    )
