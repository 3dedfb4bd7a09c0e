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
}
# The ways into error: a verb that failed for good, what was asked, and what shows beside the buttons of the table.
_ERRORS: dict[str, tuple[str, str | None, set[str]]] = {
    "a create failed": ("create", None, set()),
    "a stop failed": ("stop", "stop", set()),
    "a start failed": ("start", "start", set()),
    "the monitor found it gone": ("observe", None, set()),
    "a suspension failed": ("stop", "suspend", {"suspend"}),
    "a delete failed": ("delete", "delete", {"forget"}),
}
# Shown only where it makes sense, which no column of the table can say.
_ONLY_REPLICAS = {"promote"}
_CANCEL = "Cancel"


def bring(berth: Berth, status: str) -> str:
    """A new instance in this status; returns its name."""
    name, (hangs, asked) = f"in-{status}", _WAYS[status]
    if hangs is not None:
        berth.fault(name, hangs, "hang", seconds=600, times=-1)
    berth.create(name, wait=None if hangs == "create" else "succeeded")
    if status == "starting":
        berth.act(name, "stop")
    if asked == "modify":
        berth.modify(name, greeting="Ho")
    elif asked == "delete":
        berth.delete(name, wait=None)
    elif asked is not None:
        berth.act(name, asked, wait=None)
    berth.wait_status(name, status)
    return name


def bring_into_error(berth: Berth, how: str) -> str:
    name, (verb, asked, _) = how.replace(" ", "-"), _ERRORS[how]
    if verb == "create":
        berth.fault(name, "create", "invalid")
        berth.create(name, wait="failed")
        return name
    berth.create(name)
    if asked == "start":
        berth.act(name, "stop")
    berth.fault(name, verb, "gone" if verb == "observe" else "invalid", times=-1)
    if asked == "delete":
        berth.delete(name, wait="failed")
    elif asked is not None:
        berth.act(name, asked, wait="failed")
    berth.wait_status(name, "error")
    return name


def labels_of(table: dict[str, Any], operations: set[str]) -> set[str]:
    return {one["label"] for one in table["operations"] if one["name"] in operations}


def shown_to(person: Person) -> set[str]:
    """Labels of all buttons that the page has; none may be there twice."""
    texts = [" ".join(one.split()) for one in person.actions().all_inner_texts()]
    shown = [re.sub(r"…$| with what is kept$", "", one) for one in texts]
    assert len(shown) == len(set(shown))
    return set(shown)


def of_the_table(table: dict[str, Any], status: str, *, held: bool = False) -> set[str]:
    """Labels of the buttons that the table has for a status; `held` by a suspension that did not work."""
    shown = {
        move["operation"]
        for move in table["moves"]
        if (status in move["buttons_in"] and not (held and move["refused_on_hold"]))
        or (held and status in move["with_hold"])
    } - _ONLY_REPLICAS
    in_progress = {move["during"] for move in table["moves"]}
    # While something is under way it can be cancelled, and a delete goes before everything.
    return labels_of(table, {"delete"}) | {_CANCEL} if status in in_progress else labels_of(table, shown)


@pytest.mark.parametrize("status", _WAYS)
def test_the_buttons_of_a_status_are_those_of_the_table(ana: Person, status: str) -> None:
    name = bring(ana.berth, status)
    ana.open(name)
    ana.sees_status(status)
    assert shown_to(ana) == of_the_table(ana.berth.get("/lifecycle"), status)


@pytest.mark.parametrize("how", _ERRORS)
def test_the_buttons_of_an_error_are_those_of_the_table_and_of_what_failed(ana: Person, how: str) -> None:
    name = bring_into_error(ana.berth, how)
    ana.open(name)
    ana.sees_status("error")
    table = ana.berth.get("/lifecycle")
    held = ana.berth.get(f"/instances/{name}")["hold"] is not None
    assert shown_to(ana) == of_the_table(table, "error", held=held) | labels_of(table, _ERRORS[how][2])


def test_the_table_has_no_status_without_a_way_to_it(berth: Berth) -> None:
    table = berth.get("/lifecycle")
    available = {one["name"] for one in table["operations"] if one["available"]}
    known = {one["name"] for one in table["statuses"]}
    reached = {
        status
        for move in table["moves"]
        if move["operation"] in available
        for status in (move["during"], move["done"])
        if status in known
    }
    assert reached - {"terminated"} == set(_WAYS)


def test_a_finished_life_has_no_buttons_but_its_history(ana: Person) -> None:
    ana.sight.allow("404.*/instances/sunk")
    ana.berth.create("sunk")
    ana.berth.delete("sunk")
    ana.go("/instances/sunk")
    expect(ana.page.get_by_role("main").get_by_role("link", name="View history")).to_be_visible()
    assert shown_to(ana) == set()


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
    event = {**latest, "status": "hovering", "to": "hovering", "version": record["version"] + 100}
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
