"""Strings that no database can hold, in every field that takes one: told so, never an error of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.api import TOKEN, Api

pytestmark = pytest.mark.servers
MADE = {"name": "n", "blueprint": "web", "provider": "simulated"}
BODIES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/instances", {**MADE, "labels": {"team": "x"}, "customer_id": "x", "params": {"greeting": "x"}}),
    ("POST", "/deployments", {**MADE, "restart_policy": "x", "database": {"mode": "x"}, "plan_id": "x"}),
    ("POST", "/deployments:plan", {**MADE, "labels": {"team": "x"}}),
    ("PATCH", "/instances/there", {"labels": {"team": "x"}, "params": {"greeting": "x"}, "restart_policy": "x"}),
    ("PATCH", "/deployments/there", {"labels": {"team": "x"}, "plan_id": "x"}),
    ("POST", "/instances/there/actions", {"action": "suspend", "reason": "x", "params": {"note": "x"}}),
    ("POST", "/instances/there/actions", {"action": "maintenance_on", "params": {"note": "x", "until": "x"}}),
    ("POST", "/instances/there/actions", {"action": "modify", "params": {"labels": {"team": "x"}}}),
    ("POST", "/instances/there/launch", {"instance_type": "x", "availability_zone": "x"}),
    ("POST", "/instances/there/confirmations", {"operation_id": "x", "kind": "launched", "generation": 1}),
    ("POST", "/instances:batch", {"action": "stop", "ids": ["x"]}),
    ("POST", "/instances:batch", {"action": "stop", "filter": {"q": "x", "label": "a=x", "deployment": "x"}}),
    ("POST", "/instances:batch", {"action": "stop", "filter": {"blueprint": "x", "provider": "x", "status": "x"}}),
    ("POST", "/operations:batch", {"action": "cancel", "ids": ["x"]}),
    ("POST", "/operations:batch", {"action": "cancel", "filter": {"q": "x", "actor": "x", "kind": "x"}}),
    ("POST", "/tokens", {"name": "x", "role": "viewer", "project": "x", "expires_in_seconds": 60}),
    ("POST", "/login-codes:exchange", {"code": "x"}),
    ("POST", "/orphans:sweep", {"ids": ["x"], "provider": "x"}),
    ("PUT", "/providers/simulated/faults", {"verb": "create", "fault": "error", "instance": "x"}),
]
EVIL = {"nul": "a\x00b", "half of a pair": "a\ud800b"}


def places(form: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where strings are."""
    if isinstance(form, str):
        yield path
    inside = form.items() if isinstance(form, dict) else enumerate(form if isinstance(form, list) else ())
    for key, inner in inside:
        yield from places(inner, (*path, key))


def with_evil(form: Any, path: tuple[Any, ...], evil: str) -> Any:
    copy = json.loads(json.dumps(form))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = evil
    return copy


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
def test_no_string_makes_an_error_of_ours(api: Api, evil: str) -> None:
    if not api.get("/instances?q=there")["items"]:
        api.an_instance(name="there")
    headers = {"Content-Type": "application/json", "If-Match": "*"}
    for method, path, body in BODIES:
        for place in places(body):
            raw = json.dumps(with_evil(body, place, evil)).encode()
            answer = api.client.request(method, f"/api/v1{path}", content=raw, headers=headers)
            assert answer.status_code < 500 or answer.json()["code"] == "unavailable", (method, path, place)
            if "items" in answer.text:
                assert '"status":500' not in answer.text.replace(" ", ""), (path, place)


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
@pytest.mark.parametrize("field", ["instance_id", "deployment_id", "operation_id"])
def test_no_string_in_a_message_reaches_the_records(api: Api, evil: str, field: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with connect(api.url.replace("http", "ws", 1) + "/ws", additional_headers=headers, proxy=None) as socket:
        assert json.loads(socket.recv(10))["type"] == "hello"
        socket.send(json.dumps({"type": "subscribe", field: evil}))
        assert json.loads(socket.recv(10))["type"] == "error"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
