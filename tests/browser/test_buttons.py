"""The buttons of a page are those of the table that `GET /lifecycle` serves, in every status that there is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Route, WebSocketRoute, expect

from tests.browser.berth import Berth
from tests.browser.person import Person

pytestmark = pytest.mark.browser

# How a simulated instance gets into a status and stays there: the call that hangs, and what is asked.
_WAYS: dict[str, tuple[str | None, str | None]] = {
    "running": (None, None),
    "stopped": (None, "stop"),
    "maintenance": (None, "maintenance_on"),
    "suspended": (None, "suspend"),
    "creating": ("create", None),
    "stopping": ("stop", "stop"),
    "restarting": ("restart", "restart"),
    "deleting": ("delete", "delete"),
    "starting": ("start", "start"),
    "modifying": ("modify", "modify"),
    "error": ("create", None),
}
# Shown only where it makes sense, which no column of the table can say.
_ONLY_REPLICAS = {"promote"}
_CANCEL = "Cancel"


def bring(berth: Berth, status: str) -> str:
    """A new instance in this status; returns its name."""
    name, (hangs, asked) = f"in-{status}", _WAYS[status]
    if status == "error":
        berth.fault(name, "create", "invalid")
        berth.create(name, wait="failed")
        return name
    if hangs is not None:
        berth.fault(name, hangs, "hang", seconds=600, times=-1)
    berth.create(name, wait=None if hangs == "create" else "succeeded")
    if status == "starting":
        berth.act(name, "stop")
    if asked == "modify":
        tag = berth.http.get(f"/instances/{name}").headers["ETag"]
        berth.http.patch(f"/instances/{name}", json={"params": {"greeting": "Ho"}}, headers={"If-Match": tag})
    elif asked == "delete":
        berth.delete(name, wait=None)
    elif asked is not None:
        berth.act(name, asked, wait=None)
    berth.wait_status(name, status)
    return name


def of_the_table(table: dict[str, Any], status: str) -> set[str]:
    """Labels of the buttons that the table has for a status."""
    labels = {one["name"]: one["label"] for one in table["operations"]}
    shown = {move["operation"] for move in table["moves"] if status in move["buttons_in"]} - _ONLY_REPLICAS
    in_progress = {move["during"] for move in table["moves"]}
    # While something is under way it can be cancelled, and a delete goes before everything.
    return {_CANCEL, labels["delete"]} if status in in_progress else {labels[name] for name in shown}


@pytest.mark.parametrize("status", _WAYS)
def test_the_buttons_of_a_status_are_those_of_the_table(ana: Person, status: str) -> None:
    name = bring(ana.berth, status)
    ana.open(name)
    ana.sees_status(status)
    texts = [" ".join(one.split()) for one in ana.actions().all_inner_texts()]
    shown = [re.sub(r"…$| with what is kept$", "", one) for one in texts]
    assert len(shown) == len(set(shown))
    assert set(shown) == of_the_table(ana.berth.get("/lifecycle"), status)


def test_a_status_that_nobody_knows_is_shown_as_it_is_and_can_only_be_looked_at(ana: Person) -> None:
    ana.berth.create("kite")
    record = ana.berth.get("/instances/kite")
    unknown = {
        "status": "levitating",
        "lifecycle_state": "LEVITATING",
        "version": record["version"] + 1,
        "allowed_actions": [{**one, "button": False, "enabled": False} for one in record["allowed_actions"]],
    }

    def levitate(route: Route) -> None:
        answer = route.fetch()
        text = answer.json()
        for one in text.get("items", [text]):
            if one.get("name") == "kite":
                one.update(unknown)
        route.fulfill(response=answer, json=text)

    ana.page.route(re.compile(r"/api/v1/instances(\?|/ins_[a-z0-9]+$|/kite$)"), levitate)
    ana.go("/instances")
    badge = ana.row("kite").locator("[data-status]")
    expect(badge).to_have_text("levitating")
    expect(badge).to_have_attribute("data-hue", "zinc")
    ana.open("kite")
    expect(ana.badge()).to_have_text("levitating")
    assert ana.actions().all_inner_texts() == []


def test_an_event_with_a_status_that_nobody_knows_is_shown(ana: Person) -> None:
    ana.berth.create("balloon")
    record = ana.berth.get("/instances/balloon")
    latest = ana.berth.get(f"/instances/{record['id']}/history")["items"][0]
    event = {**latest, "status": "hovering", "to": "hovering", "version": record["version"] + 1}
    sockets: list[WebSocketRoute] = []

    def through(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    ana.page.route_web_socket("**/ws", through)
    ana.go("/instances")
    ana.sees_row("balloon", "running")
    expect(ana.link_mark()).to_have_text("Live")
    with ana.held(f"**/instances/{record['id']}"):
        sockets[-1].send(json.dumps({"type": "events", "items": [event]}))
        badge = ana.row("balloon").locator("[data-status]")
        expect(badge).to_have_text("hovering")
        expect(badge).to_have_attribute("data-hue", "zinc")
