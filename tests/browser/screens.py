"""Every screen of the interface, with something on it: its address, how to wait for it, and what is done there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

from tests.browser.berth import Berth
from tests.browser.person import Person

Step = Callable[[Page], object]
_OVERLAYS = "[role=dialog], [role=alertdialog], [role=menu]"
_FADED_IN = """async () => {
  const ends = (one) => one.effect.getComputedTiming().endTime !== Infinity;
  const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  await frame();
  await Promise.allSettled(document.getAnimations().filter(ends).map((one) => one.finished));
  await frame();
}"""
"""Menus and dialogs come in with a short fade, and a colour half-way has no contrast."""


@dataclass(frozen=True)
class Screen:
    """`path` below /ui; `main` is the button or link that a person comes for, by its name."""

    path: str
    main: str | None = None
    then: Step | None = None
    overlay: bool = False
    """Something lies over the page, which is hidden from screen readers meanwhile, with its headings."""

    def show(self, person: Person) -> None:
        person.go(self.path)
        content = person.page.get_by_role("main")
        expect(content.get_by_role("heading").first).to_be_visible()
        expect(content.locator("[aria-busy=true]")).to_have_count(0)
        if self.then is not None:
            self.then(person.page)
        if self.overlay:
            expect(person.page.locator(_OVERLAYS).first).to_be_visible()
        person.page.evaluate(_FADED_IN)

    def primary(self, page: Page) -> Locator | None:
        if self.main is None:
            return None
        name = re.compile(self.main)
        return page.get_by_role("button", name=name).or_(page.get_by_role("link", name=name)).first


def to_the_plan(page: Page) -> None:
    """Beside the form where there is room, else behind a tab."""
    tab = page.get_by_role("radio", name="Plan")
    if tab.is_visible():
        tab.check()


def plan_something(page: Page) -> None:
    greeting = page.get_by_label("greeting", exact=True)
    behind = page.get_by_role("radio", name="Form")
    expect(greeting.or_(behind).first).to_be_visible()
    if behind.is_visible():
        behind.check()
    greeting.fill("Moin")
    to_the_plan(page)
    page.get_by_role("button", name="Plan 1 change").click()
    expect(page.get_by_role("button", name=re.compile("^Apply"))).to_be_visible()


def choose(name: str) -> Step:
    return lambda page: page.get_by_role("main").get_by_role("button", name=name).first.click()


def press(keys: str) -> Step:
    return lambda page: page.keyboard.press(keys)


def see(table: str) -> Step:
    """What comes later than the page."""
    return lambda page: expect(page.get_by_role("table", name=table).locator("tbody tr").first).to_be_visible()


def make_a_token(page: Page) -> None:
    choose("Create token")(page)
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(f"reader-{time.monotonic_ns()}")
    dialog.get_by_role("button", name="Create token").click()
    expect(dialog.get_by_role("heading", name="Copy it now")).to_be_visible()


SCREENS = {
    "instances": Screen("/instances", "^Create"),
    "nothing matches": Screen("/instances?q=nobody", "^Clear search"),
    "row actions": Screen("/instances?q=harbour", None, choose("Actions for harbour"), overlay=True),
    "create": Screen("/instances", "^Create$", choose("Create"), overlay=True),
    "palette": Screen("/instances", None, press("Control+k"), overlay=True),
    "help": Screen("/instances", None, press("?"), overlay=True),
    "running instance": Screen("/instances/harbour", "^Stop$"),
    "failed instance": Screen("/instances/wreck", "^Retry"),
    "moving instance": Screen("/instances/convoy", "^Cancel$"),
    "terminate": Screen("/instances/harbour", "^Keep it", choose("Terminate…"), overlay=True),
    "operations of one": Screen("/instances/harbour?tab=operations"),
    "events": Screen("/instances/harbour?tab=events"),
    "logs": Screen("/instances/harbour?tab=logs"),
    "config": Screen("/instances/harbour?tab=config"),
    "raw": Screen("/instances/harbour?tab=raw"),
    "missing instance": Screen("/instances/nobody", "^View history"),
    "operations": Screen("/operations", "^Retry$"),
    "operation": Screen("/operations/{failed}", "^Retry$"),
    "deployments": Screen("/deployments", "harbour"),
    "editor": Screen("/deployments/harbour", "^Plan", to_the_plan),
    "plan": Screen("/deployments/harbour", "^Apply", plan_something),
    "history": Screen("/history", "^ashore$"),
    "finished life": Screen("/history/{run}", None),
    "hosts": Screen("/hosts", None),
    "orphans": Screen("/hosts", "^Look again$", see("Orphans")),
    "statistics": Screen("/statistics", None),
    "billing": Screen("/billing", "^Replay ", see("Billing deliveries, the latest first")),
    "audit": Screen("/audit", None, see("Audit")),
    "settings": Screen("/settings", "^Create token", see("Tokens")),
    "create token": Screen("/settings", "^Not now$", choose("Create token"), overlay=True),
    "new token": Screen("/settings", "^I have it", make_a_token, overlay=True),
    "revoke": Screen("/settings", "^Really revoke pipeline", choose("Revoke pipeline")),
    "suspended instance": Screen("/instances/moored", "^Unsuspend"),
    "maintenance": Screen("/instances/drydock", "^End maintenance"),
    "no such page": Screen("/nowhere", None),
}


def furnish(berth: Berth) -> dict[str, str]:
    """Something of everything; returns what stands in addresses."""
    berth.create("harbour")
    for action in ("stop", "start", "restart"):
        berth.act("harbour", action)
    berth.fault("wreck", "create", "invalid")
    berth.create("wreck", wait="failed")
    # Calls that hang are given up after six; a confirmation that does not come is waited for.
    berth.fault("convoy", "create", "unconfirmed", seconds=3600)
    berth.create("convoy", wait=None, timeouts={"launch_seconds": 3600})
    berth.wait_status("convoy", "creating")
    berth.create("ashore")
    berth.delete("ashore")
    berth.create("as-long-as-a-name-of-three-members-gets-and-not-a-letter-more", members=3)
    berth.create("moored")
    berth.act("moored", "suspend")
    berth.create("drydock")
    berth.act("drydock", "maintenance_on", wait=None)
    berth.billing_says("payment.succeeded", berth.get("/instances/harbour")["id"])
    berth.billing_says("payment.failed", "ins_nobody")
    berth.leave_an_orphan()
    made = berth.http.post("/tokens", json={"name": "pipeline", "role": "viewer", "expires_in_seconds": 86_400})
    assert made.status_code == 201, made.text
    failed = berth.get("/instances/wreck")["last_failed_operation_id"]
    run = berth.get("/runs?q=ashore")["items"][0]["run_id"]
    return {"failed": failed, "run": run}
