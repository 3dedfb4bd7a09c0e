"""What administrators do: tokens, holds, maintenance, protection, many at once, deliveries, hosts, orphans."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.berth import Berth
from tests.browser.conftest import Visit
from tests.browser.person import Person

pytestmark = pytest.mark.browser


def line(person: Person, words: str) -> Locator:
    """The row of a table that says this."""
    return person.page.get_by_role("main").get_by_role("row").filter(has_text=words)


def open_dialog(person: Person, action: str) -> Locator:
    """By a button of the page, or by the menu that holds the rest."""
    person.page.get_by_role("button", name="More actions").or_(person.button(action)).first.wait_for()
    if not person.button(action).is_visible():
        person.page.get_by_role("button", name="More actions").click()
        person.page.get_by_role("menuitem", name=re.compile(f"^{action}")).click()
    else:
        person.press(action)
    return person.page.get_by_role("dialog")


def answers(berth: Berth, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.get(f"{berth.url}/api/v1/me", headers=headers, timeout=30, trust_env=False).status_code


def test_a_token_is_shown_once_works_and_is_revoked_after_a_second_click(ana: Person) -> None:
    ana.go("/settings")
    ana.press("Create token")
    dialog = ana.page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("nightly")
    dialog.get_by_label("Role").select_option("viewer")
    dialog.get_by_role("button", name="Create token").click()
    expect(dialog.get_by_role("heading", name="Copy it now")).to_be_visible()
    token = dialog.locator(".command code").inner_text()
    dialog.get_by_role("button", name="I have it").click()
    assert answers(ana.berth, token) == 200

    ana.page.get_by_role("button", name="Revoke nightly", exact=True).click()
    assert answers(ana.berth, token) == 200
    ana.page.get_by_role("button", name="Really revoke nightly").click()

    expect(line(ana, "nightly")).to_have_count(0)
    assert answers(ana.berth, token) == 401
    assert token not in ana.page.content()


def test_suspending_asks_for_how_long_and_unsuspending_brings_it_back(ana: Person) -> None:
    ana.berth.create("lagoon")
    ana.open("lagoon")
    dialog = open_dialog(ana, "Suspend")
    dialog.get_by_label("Delete after days").fill("7")
    dialog.get_by_label("Note").fill("unpaid since March")
    dialog.get_by_role("button", name="Suspend").click()

    ana.sees_status("suspended")
    notice = ana.page.get_by_role("status").filter(has_text="Held by")
    expect(notice).to_contain_text("unpaid since March")
    expect(notice).to_contain_text("It is deleted on")

    ana.press("Unsuspend")
    ana.sees_status("running")
    expect(notice).to_be_hidden()


def test_maintenance_is_told_its_end_in_the_persons_own_time(ana: Person) -> None:
    ana.berth.create("careened")
    ana.open("careened")
    dialog = open_dialog(ana, "Maintenance")
    dialog.get_by_label("Until").fill("2099-05-01T10:30")
    dialog.get_by_label("Note").fill("new disks")
    dialog.get_by_role("button", name="Maintenance").click()

    ana.sees_status("maintenance")
    expect(ana.page.get_by_role("status").filter(has_text="Under maintenance")).to_contain_text("new disks")
    meant = ana.page.evaluate("new Date('2099-05-01T10:30').toISOString()")
    until = ana.berth.get("/instances/careened")["maintenance"]["until"]
    assert until[:16] == meant[:16]

    ana.press("End maintenance")
    ana.sees_status("running")


def test_protection_refuses_the_end_until_it_is_turned_off(ana: Person) -> None:
    ana.berth.create("vault")
    ana.go("/instances/vault?tab=config")
    ana.press("Turn on")
    expect(ana.button("Turn off")).to_have_attribute("aria-pressed", "true")
    assert ana.berth.get("/instances/vault")["deletion_protection"] is True
    expect(ana.button("Terminate")).to_have_attribute("aria-disabled", "true")

    ana.press("Turn off")
    expect(ana.button("Turn on")).to_have_attribute("aria-pressed", "false")
    expect(ana.button("Terminate")).not_to_have_attribute("aria-disabled", "true")


def test_many_are_stopped_by_one_request_after_a_second_click(ana: Person) -> None:
    names = [f"fleet-{number}" for number in range(3)]
    for name in names:
        ana.berth.create(name)
    batches: set[str] = set()
    """The keys of what was asked: sent again where no answer came, it is the same request."""
    ana.page.on(
        "request",
        lambda request: batches.add(request.headers["idempotency-key"]) if "batch" in request.url else None,
    )
    ana.go("/instances?q=fleet-")
    for name in names:
        ana.page.get_by_role("checkbox", name=f"Select {name}").check()
    bar = ana.page.get_by_role("toolbar", name="3 selected")
    bar.get_by_role("button", name=re.compile("^Stop 3")).click()
    bar.get_by_role("button", name=re.compile("^Really stop 3")).click()

    for name in names:
        ana.sees_row(name, "stopped")
    assert len(batches) == 1
    expect(bar).to_be_hidden()


def test_a_delivery_of_billing_is_seen_and_heard_again(ana: Person) -> None:
    ana.berth.create("debtor")
    ana.berth.billing_says("payment.succeeded", instance_id="debtor")
    ana.go("/billing")
    delivery = line(ana, "debtor").first
    expect(delivery).to_contain_text("Applied")
    with ana.page.expect_response(re.compile("/replay$")) as heard:
        delivery.get_by_role("button", name=re.compile("^Replay")).click()
    assert heard.value.ok
    expect(delivery.get_by_role("button", name=re.compile("^Replay"))).not_to_have_attribute("aria-busy", "true")


def test_a_host_is_closed_and_opened_and_a_living_one_cannot_be_removed(ana: Person) -> None:
    ana.go("/hosts")
    cordon = ana.page.get_by_role("button", name=re.compile("^Cordon "))
    cordon.click()
    expect(ana.page.get_by_role("main").get_by_text("Cordoned", exact=True)).to_be_visible()
    assert [host["cordoned"] for host in ana.berth.get("/hosts")["items"]] == [True]
    remove = ana.page.get_by_role("button", name=re.compile("^Remove ")).first
    expect(remove).to_have_attribute("aria-disabled", "true")
    expect(remove).to_have_accessible_description(re.compile("stop its worker first"))

    ana.page.get_by_role("button", name=re.compile("^Uncordon ")).click()
    expect(cordon).to_be_visible()
    assert [host["cordoned"] for host in ana.berth.get("/hosts")["items"]] == [False]


def left_behind(berth: Berth, name: str) -> str:
    """An object whose life is finished in the records, and not at the provider; returns its id there."""
    made = berth.create(name)
    with closing(sqlite3.connect(berth.up.data_dir / "simulated.db", timeout=20)) as store:
        found: list[Any] = store.execute("SELECT * FROM objects WHERE instance_id = ?", [made["id"]]).fetchall()
        berth.delete(name)
        marks = ", ".join("?" for _ in found[0])
        with store:
            store.executemany(f"INSERT OR REPLACE INTO objects VALUES ({marks})", found)
    return str(made["cloud_instance_id"])


def test_what_a_finished_life_left_is_removed_by_its_name(ana: Person) -> None:
    left = left_behind(ana.berth, "flotsam")
    ana.go("/hosts")
    orphan = line(ana, left)
    expect(orphan).to_contain_text("Finished life")

    orphan.get_by_role("button", name=re.compile("^Remove")).click()
    orphan.get_by_role("button", name=re.compile("^Really remove")).click()

    expect(orphan).to_have_count(0)
    ids = [one["provider_id"] for one in ana.berth.get("/providers/simulated/inventory")["items"]]
    assert left not in ids


def test_a_strangers_object_is_shown_and_stays(ana: Person) -> None:
    ana.berth.leave_an_orphan()
    ana.go("/hosts")
    remove = line(ana, "Not ours").first.get_by_role("button", name=re.compile("^Remove"))
    expect(remove).to_have_attribute("aria-disabled", "true")
    expect(remove).to_have_accessible_description(re.compile("never touches it"))


def test_operations_of_long_ago_are_found_page_by_page(berth: Berth, visit: Visit) -> None:
    berth.create("first-of-many")
    names = [f"many-{number}" for number in range(30)]
    for name in names:
        berth.create(name, wait=None)
    for name in names:
        berth.wait_status(name, "running")
        berth.delete(name, wait=None)
    for name in names:
        berth.wait_gone(name)

    ana = visit()
    ana.go("/operations?q=first-of-many")
    earlier = ana.page.get_by_role("button", name="Earlier operations")
    expect(earlier).to_be_visible()
    expect(line(ana, "Create first-of-many")).to_have_count(0)
    wanted = line(ana, "Create first-of-many")
    while not wanted.count():
        earlier.click()
        expect(wanted.or_(earlier.and_(ana.page.locator(":not([aria-busy])"))).first).to_be_visible()
    expect(wanted).to_be_visible()


def test_who_may_only_look_is_told_so_before_they_ask(ana: Person) -> None:
    ana.berth.create("lookout")
    made = ana.berth.http.post("/tokens", json={"name": "watch", "role": "viewer", "expires_in_seconds": 3600})
    assert made.status_code == 201, made.text
    ana.page.evaluate("token => localStorage.setItem('berth.token', token)", made.json()["token"])
    theirs = re.compile("The role viewer may not do this")

    ana.go("/instances")
    expect(ana.page.get_by_role("button", name="Create instance")).to_have_accessible_description(theirs)
    places = ana.page.get_by_role("navigation", name="Main")
    expect(places.get_by_role("link", name="Operations")).to_be_visible()
    expect(places.get_by_role("link", name="Hosts")).to_have_count(0)

    ana.open("lookout")
    expect(ana.button("Stop")).to_have_attribute("aria-disabled", "true")
    ana.go("/instances/lookout?tab=config")
    expect(ana.button("Show")).to_have_accessible_description(theirs)
    for screen in ("hosts", "statistics", "billing", "audit"):
        ana.go(f"/{screen}")
        expect(ana.page.get_by_role("main").get_by_text("for administrators")).to_be_visible()


def test_a_specification_that_cannot_be_read_says_where_and_keeps_what_was_typed(ana: Person) -> None:
    ana.berth.create("scribe")
    ana.go("/deployments/scribe")
    ana.press("Edit as text")
    text = ana.page.get_by_role("textbox", name="Specification as YAML")
    text.fill("members: 1\nlabels:\n  team: *a\n")
    expect(ana.page.get_by_text(re.compile(r"^Line 3: \*a is not taken here"))).to_be_visible()
    expect(text).to_have_value("members: 1\nlabels:\n  team: *a\n")
    expect(ana.button("Done")).to_have_attribute("aria-disabled", "true")
