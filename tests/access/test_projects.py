"""Projects see nothing of each other: in reads, lists, filters, changes, events, streams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import insert
from websockets.sync.client import connect

from db.models import OperationRow, ProviderPlace, SpanRow
from db.session import Tx
from tests.support.access import bearing, in_role, new_token
from tests.support.api import Api, add_host

pytestmark = pytest.mark.servers
NEW = {"blueprint": "web", "provider": "simulated"}


@dataclass
class Two:
    """Two projects, each with an operator and one instance."""

    red: Api
    blue: Api
    mine: dict[str, Any]
    theirs: dict[str, Any]


@pytest.fixture(scope="module")
def two(api: Api) -> Iterator[Two]:
    with in_role(api, "operator", "red") as red, in_role(api, "operator", "blue") as blue:
        labels = {"team": "x"}
        yield Two(red, blue, red.create(name="same", labels=labels), blue.create(name="same", labels=labels))


def test_a_name_may_be_taken_in_each_project(two: Two) -> None:
    assert two.mine["instance"]["id"] != two.theirs["instance"]["id"]
    assert two.red.get("/instances/same")["project"] == "red"
    assert two.blue.get("/instances/same")["project"] == "blue"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/instances/{i}"),
        ("PATCH", "/instances/{i}"),
        ("DELETE", "/instances/{i}"),
        ("POST", "/instances/{i}/actions"),
        ("POST", "/instances/{i}/terminate"),
        ("POST", "/instances/{i}/secrets:reveal"),
        ("POST", "/instances/{i}/secrets:rotate"),
        ("GET", "/instances/{i}/logs"),
        ("GET", "/instances/{i}/history"),
        ("GET", "/deployments/{d}"),
        ("POST", "/deployments/{d}/plan"),
        ("PATCH", "/deployments/{d}"),
        ("POST", "/deployments/{d}/actions"),
        ("DELETE", "/deployments/{d}"),
        ("GET", "/operations/{o}"),
        ("POST", "/operations/{o}/cancel"),
        ("POST", "/operations/{o}/retry"),
        ("POST", "/operations/{o}/abort"),
        ("POST", "/admin/retry-instance/{i}"),
        ("GET", "/operations?instance={i}"),
    ],
)
def test_what_belongs_to_another_project_is_not_there(two: Two, method: str, path: str) -> None:
    theirs = two.theirs["operation"]
    asked = path.format(i=two.theirs["instance"]["id"], d=theirs["deployment_id"], o=theirs["id"])
    body: Any = {"action": "stop"} if path.endswith("actions") else {"labels": {}} if method == "PATCH" else None

    answer = two.red.ask(method, asked, body, **{"If-Match": "*"} if method == "PATCH" else {})

    if "?" in path:
        assert answer.json().get("items", []) == []
    else:
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert two.blue.get(f"/instances/{two.theirs['instance']['id']}")["status"] == "creating"


@pytest.mark.parametrize(
    "path",
    [
        "/instances",
        "/instances?q=same",
        "/instances?label=team=x",
        "/instances?deployment=same",
        "/instances?deployment={d}",
        "/instances?status=creating",
        "/deployments",
        "/operations",
        "/operations?deployment={d}",
        "/operations?instance=same",
        "/events",
        "/events?instance_id={i}",
        "/events?deployment_id={d}",
        "/events?operation_id={o}",
        "/runs",
        "/runs?instance_id={i}",
    ],
)
def test_no_list_and_no_filter_shows_another_project(two: Two, path: str) -> None:
    theirs = two.theirs["operation"]
    ids = {"i": two.theirs["instance"]["id"], "d": theirs["deployment_id"], "o": theirs["id"]}

    text = json.dumps(two.red.get(path.format(**ids)))

    assert not any(value in text.replace(path.format(**ids), "") for value in ids.values())
    counts = two.red.get("/instances")["counts"]
    assert counts["creating"] == 1


def test_a_page_token_of_another_project_leads_nowhere(api: Api, two: Two) -> None:
    two.red.create()
    token = two.red.get("/instances?page_size=1")["next_page_token"]
    answer = two.blue.ask("GET", f"/instances?page_size=1&page_token={token}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-page-token")


def test_an_idempotency_key_of_another_project_repeats_nothing(two: Two) -> None:
    body = {"name": "once", "blueprint": "web", "provider": "simulated"}
    first = two.red.ask("POST", "/instances", body, **{"Idempotency-Key": "k1"})
    second = two.blue.ask("POST", "/instances", body, **{"Idempotency-Key": "k1"})
    assert first.status_code == second.status_code == 202
    assert first.json()["operation"]["id"] != second.json()["operation"]["id"]


def test_a_batch_touches_nothing_of_another_project(two: Two) -> None:
    theirs = two.theirs["instance"]["id"]
    rows = two.red.ask("POST", "/instances:batch", {"action": "delete", "ids": [theirs]}).json()["items"]
    assert [row["status"] for row in rows] == [404]
    by_filter = two.red.ask("POST", "/instances:batch", {"action": "stop", "filter": {}}).json()["items"]
    assert theirs not in [row["id"] for row in by_filter]


def test_the_socket_tells_of_ones_own_project_only_whatever_is_asked_for(api: Api, two: Two) -> None:
    token = new_token(api, "viewer", "red")["token"]
    url = api.url.replace("http://", "ws://") + "/ws"
    with connect(url, additional_headers={"Authorization": f"Bearer {token}"}, proxy=None) as socket:
        assert json.loads(socket.recv(10))["type"] == "hello"
        socket.send(json.dumps({"type": "subscribe", "instance_id": two.theirs["instance"]["id"]}))
        assert json.loads(socket.recv(10))["type"] == "hello"
        blue = two.blue.create()["instance"]["id"]
        socket.send(json.dumps({"type": "subscribe"}))
        assert json.loads(socket.recv(10))["type"] == "hello"
        red = two.red.create()["instance"]["id"]
        seen = []
        while red not in seen:
            seen.append(json.loads(socket.recv(10)).get("instance_id"))
    assert blue not in seen
    assert two.theirs["instance"]["id"] not in seen


def test_server_sent_events_tell_of_ones_own_project_only(api: Api, two: Two) -> None:
    start = two.red.get("/events?limit=1")["next"]
    blue, red = two.blue.create()["instance"]["id"], two.red.create()["instance"]["id"]
    seen = ""
    with two.red.client.stream("GET", f"/api/v1/events/stream?after={start}") as answer:
        for line in answer.iter_lines():
            seen += line
            if red in line:
                break
    assert blue not in seen


def test_an_administrator_looks_into_the_project_that_the_header_names(api: Api, two: Two) -> None:
    theirs = two.theirs["instance"]["id"]
    assert api.ask("GET", f"/instances/{theirs}").status_code == 404
    assert api.ask("GET", f"/instances/{theirs}", **{"Berth-Project": "blue"}).status_code == 200
    with bearing(api, new_token(api, "operator", "red")["token"], **{"Berth-Project": "blue"}) as outsider:
        assert outsider.get(f"/api/v1/instances/{theirs}").status_code == 403


def test_records_on_a_stream_disable_what_the_role_may_not_ask_for(api: Api, two: Two) -> None:
    token = new_token(api, "viewer", "red")["token"]
    url = api.url.replace("http://", "ws://") + "/ws"
    with connect(url, additional_headers={"Authorization": f"Bearer {token}"}, proxy=None) as socket:
        assert json.loads(socket.recv(10))["type"] == "hello"
        socket.send(json.dumps({"type": "subscribe", "records": True}))
        two.red.create()
        while True:
            frame = {"type": "event", **json.loads(socket.recv(10))}
            records = frame.get("items", []) if frame["type"] == "records" else []
            instances = [record["instance"] for record in records if record["type"] == "instance"]
            if instances:
                break
    actions = [action for instance in instances for action in instance["allowed_actions"]]
    assert actions
    assert not any(action["enabled"] for action in actions)


def test_a_trace_that_two_projects_say_is_theirs_shows_each_its_own(two: Two) -> None:
    said = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    paths = []
    for asked in (two.red, two.blue):
        made = asked.ask("POST", "/instances", {**NEW, "name": "traced"}, **said)
        operation_id = made.json()["operation"]["id"]
        with asked.database.begin() as tx:
            parent = str(tx.session.get_one(OperationRow, operation_id).traceparent)
            tx.run(insert(SpanRow).values(_span(tx, parent, operation_id)))
        paths.append((asked, f"/operations/{operation_id}/trace", operation_id))
    for asked, path, operation_id in paths:
        spans = asked.get(path)["spans"]
        assert [span["name"] for span in spans if span["service"] == "worker"] == [operation_id]


def _span(tx: Tx, traceparent: str, name: str) -> dict[str, Any]:
    """As a worker writes it, below the request's."""
    _, trace_id, parent, _ = traceparent.split("-")
    plain = {
        "span_id": name[-16:],
        "parent_id": parent,
        "name": name,
        "service": "worker",
        "seconds": 0.1,
        "ok": True,
    }
    return {"trace_id": trace_id, "started_at": tx.now, "attributes": {}, **plain}


def test_a_port_that_another_project_has_is_refused_without_saying_whose(api: Api, two: Two) -> None:
    with api.database.begin() as tx:
        add_host(tx, name="shared-host")
    body = {"blueprint": "web", "provider": "process", "params": {"port": 23999}}
    first = two.red.ask("POST", "/instances", {**body, "name": "red-secret-name"})
    assert first.status_code == 202, first.text
    second = two.blue.ask("POST", "/instances", {**body, "name": "mine"})
    assert (second.status_code, second.json()["code"]) == (409, "port-taken")
    assert "red-secret-name" not in second.text


def test_providers_name_no_host_and_no_place_to_who_may_not_see_them(api: Api, two: Two) -> None:
    with api.database.begin() as tx:
        add_host(tx, name="hidden-host")
        report = {"agent": "hidden-agent", "identity": "account-123", "configured": True, "available": True}
        tx.run(
            insert(ProviderPlace).values(provider="process", host_id="host_hidden", checked_at=tx.now, **report)
        )
    assert "hidden-host" in json.dumps(api.get("/providers"))
    told = json.dumps(two.blue.get("/providers"))
    assert not any(word in told for word in ("hidden-host", "hidden-agent", "account-123"))
