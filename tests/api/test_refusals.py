"""Every error is a problem that names its cause, and bad input is refused before anything is written."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from db.models import Deployment, OperationRow
from domain.help import HELP
from domain.lifecycle import Status
from domain.limits import MAX_BODY_BYTES
from tests.support.api import Api, add_host

pytestmark = pytest.mark.servers
GOOD: dict[str, Any] = {"name": "good", "blueprint": "web", "provider": "simulated"}


def is_problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    form: dict[str, Any] = answer.json()
    assert form["code"] == code
    assert form["code"] in HELP
    assert {"type", "title", "status", "detail", "help", "instance", "trace_id"} <= set(form)
    assert form["trace_id"] == answer.headers["X-Request-ID"]
    return form


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"blueprint": "oracle"}, "/blueprint"),
        ({"provider": "ec2"}, "/provider"),
        ({"name": "Upper"}, "/name"),
        ({"name": "1st"}, "/name"),
        ({"name": "x" * 64}, "/name"),
        ({"name": "ins_01j0000000000000000000000"}, "/name"),
        ({"name": "a\u0000b"}, "/name"),
        ({"name": None}, "/name"),
        ({"name": 7}, "/name"),
        ({"members": 0}, "/members"),
        ({"members": 11}, "/members"),
        ({"members": "2"}, "/members"),
        ({"members": True}, "/members"),
        ({"members": 1.5}, "/members"),
        ({"resources": {"cpu": 0.01}}, "/resources/cpu"),
        ({"resources": {"cpu": 1e9}}, "/resources/cpu"),
        ({"resources": {"cpu": "1"}}, "/resources/cpu"),
        ({"resources": {"memory_mb": 10**9}}, "/resources/memory_mb"),
        ({"resources": {"memory_mb": 64.5}}, "/resources/memory_mb"),
        ({"resources": {"disk_gb": -1}}, "/resources/disk_gb"),
        ({"resources": {"gpu": 1}}, "/resources/gpu"),
        ({"resources": []}, "/resources"),
        ({"params": {"greeting": 5}}, "/params/greeting"),
        ({"params": {"greeting": "a\nb"}}, "/params/greeting"),
        ({"params": {"unheard": 1}}, "/params/unheard"),
        ({"params": {"port": 80}}, "/params/port"),
        ({"params": {"port": 20000}, "members": 2}, "/params/port"),
        ({"params": {"simulate": {"create": {"fault": "bogus"}}}}, "/params/simulate/create/fault"),
        ({"params": {"a/b~c": "\u0007"}}, "/params/a~1b~0c"),
        ({"labels": {"a b": "c"}}, "/labels/a b"),
        ({"labels": {"a": "c d"}}, "/labels/a"),
        ({"labels": {"a": 1}}, "/labels/a"),
        ({"labels": {f"k{n}": "v" for n in range(33)}}, "/labels"),
        ({"restart_policy": "sometimes"}, "/restart_policy"),
        ({"timeouts": {"launch_seconds": 1}}, "/timeouts/launch_seconds"),
        ({"timeouts": {"termination_seconds": 1e9}}, "/timeouts/termination_seconds"),
        ({"database": {"mode": "shared"}}, "/database"),
        ({"surprise": 1}, "/surprise"),
    ],
)
def test_bad_input_is_refused_with_a_pointer_and_nothing_is_written(
    api: Api, change: dict[str, Any], pointer: str
) -> None:
    before = written(api)

    form = is_problem(api.ask("POST", "/instances", {**GOOD, **change}), 422, "invalid-input")

    assert pointer in [error["pointer"] for error in form["errors"]], form["errors"]
    assert all(error["detail"] for error in form["errors"])
    assert written(api) == before


def written(api: Api) -> tuple[int, int]:
    """How much there is."""
    with api.database.read() as session:
        deployments = session.scalar(select(func.count()).select_from(Deployment)) or 0
        return deployments, session.scalar(select(func.count()).select_from(OperationRow)) or 0


def test_all_mistakes_of_one_request_are_reported_together(api: Api) -> None:
    body = {"name": "BAD", "blueprint": "none", "provider": "none", "members": -1, "x": 1}

    form = is_problem(api.ask("POST", "/instances", body), 422, "invalid-input")

    pointers = {error["pointer"] for error in form["errors"]}
    assert pointers == {"/name", "/blueprint", "/provider", "/members", "/x"}


@pytest.mark.parametrize(
    "raw",
    [b"{bad", b'{"name": "\xff"}', b"[" * 100_000, b'{"name": ' + b"1" * 5000 + b"}", b'{"a": 1} trailing'],
    ids=["syntax", "encoding", "nesting", "digits", "trailing"],
)
def test_what_is_not_json_is_refused(api: Api, raw: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.client.post("/api/v1/instances", content=raw, headers=headers)

    is_problem(answer, 400, "bad-request")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", str(2**63)])
def test_a_number_without_end_is_refused_wherever_it_stands(api: Api, number: str) -> None:
    raw = f'{{"name": "n", "blueprint": "web", "provider": "simulated", "params": {{"greeting": {number}}}}}'
    answer = api.client.post("/api/v1/instances", content=raw, headers={"Content-Type": "application/json"})

    form = is_problem(answer, 422, "invalid-input")
    assert "/params/greeting" in [error["pointer"] for error in form["errors"]]


def test_a_lone_surrogate_is_refused(api: Api) -> None:
    raw = '{"name": "n", "blueprint": "web", "provider": "simulated", "params": {"greeting": "\\ud800"}}'
    answer = api.client.post("/api/v1/instances", content=raw, headers={"Content-Type": "application/json"})

    is_problem(answer, 422, "invalid-input")


@pytest.mark.parametrize("body", [[], "text", 5, None])
def test_a_body_that_is_no_object_is_refused(api: Api, body: Any) -> None:
    answer = api.client.post(
        "/api/v1/instances", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )

    is_problem(answer, 422, "invalid-input")


def test_a_body_in_another_media_type_is_refused(api: Api) -> None:
    answer = api.client.post("/api/v1/instances", content="name=x", headers={"Content-Type": "text/plain"})

    is_problem(answer, 415, "unsupported-media-type")


def test_a_body_that_is_too_large_is_refused_with_and_without_a_length(api: Api) -> None:
    large = b" " * (MAX_BODY_BYTES + 1)

    is_problem(api.client.post("/api/v1/instances", content=large), 413, "too-large")
    is_problem(api.client.post("/api/v1/instances", content=iter([large[:1000], large])), 413, "too-large")


def test_an_unknown_path_and_a_wrong_method_are_problems(api: Api) -> None:
    is_problem(api.ask("GET", "/nothing/here"), 404, "not-found")
    answer = api.ask("PUT", "/instances", {})
    is_problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    "path",
    [
        "/instances/nobody",
        "/instances/ins_01j00000000000000000000000",
        "/instances/%00",
        "/instances/" + "x" * 2000,
        "/instances/nobody/history",
        "/deployments/nobody",
        "/operations/op_nothing",
        "/operations/%00?wait=5",
        "/operations?instance=nobody",
        "/runs/run_nothing",
        "/blueprints/none",
        "/providers/none/inventory",
    ],
)
def test_what_does_not_exist_is_404(api: Api, path: str) -> None:
    is_problem(api.ask("GET", path), 404, "not-found")


@pytest.mark.parametrize(
    "query",
    [
        "status=bogus",
        "page_size=0",
        "page_size=x",
        "statsu=running",
        "label=novalue",
        "health=sick",
        "q=%00",
        "needs_you=perhaps",
    ],
)
def test_a_wrong_or_unknown_query_parameter_is_refused(api: Api, query: str) -> None:
    is_problem(api.ask("GET", f"/instances?{query}"), 422, "invalid-input")


def test_a_final_operation_cannot_be_cancelled_when_its_deployment_is_gone_either(api: Api) -> None:
    name = api.an_instance(Status.ERROR)
    final = api.act(name, "forget").json()["operation"]
    assert api.ask("GET", f"/deployments/{final['deployment_id']}").status_code == 404

    refused = api.ask("POST", f"/operations/{final['id']}/cancel")

    assert (refused.status_code, refused.json()["code"]) == (409, "invalid-transition"), refused.text
    assert "the operation is succeeded" in refused.json()["detail"]


def test_a_taken_name_is_refused(api: Api) -> None:
    name = api.create()["instance"]["name"]

    form = is_problem(api.ask("POST", "/instances", {**GOOD, "name": name}), 409, "name-taken")

    assert form["errors"][0]["pointer"] == "/name"


def test_a_member_may_not_take_the_name_of_another_instance(api: Api) -> None:
    name = api.name()
    api.an_instance(name=f"{name}-2")

    is_problem(api.ask("POST", "/instances", {**GOOD, "name": name, "members": 3}), 409, "name-taken")


def test_a_host_is_needed_and_a_port_belongs_to_one_instance_of_it(api: Api) -> None:
    body = {"blueprint": "web", "provider": "process", "params": {"port": 23456}}
    is_problem(api.ask("POST", "/instances", {**body, "name": api.name()}), 409, "host-unavailable")
    with api.database.begin() as tx:
        add_host(tx)
    first = api.ask("POST", "/instances", {**body, "name": api.name()})
    assert first.status_code == 202, first.text
    assert first.json()["instance"]["host"] == "here"

    form = is_problem(api.ask("POST", "/instances", {**body, "name": api.name()}), 409, "port-taken")

    assert form["errors"][0]["pointer"] == "/params/port"
    assert first.json()["instance"]["name"] in form["detail"]


def test_simulate_works_on_simulated_only(api: Api) -> None:
    body = {**GOOD, "provider": "process", "params": {"simulate": {"create": {"fault": "error"}}}}

    form = is_problem(api.ask("POST", "/instances", body), 422, "invalid-input")

    assert form["errors"][0]["pointer"] == "/params/simulate"


def test_without_a_token_or_with_a_wrong_one_nothing_is_said(api: Api) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic dXNlcjpwdw=="}):
        answer = httpx2.get(f"{api.url}/api/v1/instances/x", headers=headers, trust_env=False)
        is_problem(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_another_host_or_origin_is_refused(api: Api) -> None:
    is_problem(api.ask("GET", "/instances", Host="evil.example"), 403, "forbidden")
    is_problem(api.ask("GET", "/instances", Origin="http://evil.example"), 403, "forbidden")
    is_problem(api.ask("GET", "/instances", Origin="null"), 403, "forbidden")
    assert api.ask("GET", "/instances", Origin=api.url).status_code == 200


def test_the_type_of_a_problem_leads_to_its_section(api: Api) -> None:
    kind = api.ask("GET", "/instances/nobody").json()["type"]
    page, _, code = kind.partition("#")

    answer = httpx2.get(api.url + page, trust_env=False)

    assert answer.status_code == 200
    assert f'id="{code}"' in answer.text


def test_a_defect_is_a_problem_that_tells_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise ValueError("the password is hunter2")

    monkeypatch.setattr("db.queries.runs.page", broken)

    form = is_problem(api.ask("GET", "/runs"), 500, "internal")

    assert "hunter2" not in json.dumps(form)
