"""More than one person, a network that goes away, a worker that dies: every page ends at the truth by itself."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.person import Person

pytestmark = pytest.mark.browser


def test_two_people_see_each_others_changes(visit: Visit) -> None:
    ana, ben = visit(), visit()
    ana.create("tea", "web", "simulated")
    ben.sees_row("tea", "running")

    ben.page.get_by_role("link", name="tea", exact=True).click()
    ben.press("Stop")
    ana.sees_status("stopped")
    with ana.berth.still():
        ana.press("Start")
        ben.sees_status("starting")
    ben.sees_status("running")
    assert ben.sight.statuses("tea")[-3:] == ["stopped", "starting", "running"]


def test_a_page_without_network_says_so_and_catches_up_by_itself(ana: Person) -> None:
    ana.sight.allow("ERR_INTERNET_DISCONNECTED", "ERR_NETWORK_CHANGED", "Failed to fetch")
    with ana.berth.still():
        ana.create("ferry", "web", "simulated")
        ana.sees_status("creating")
        ana.page.context.set_offline(True)
        banner = ana.page.get_by_role("status").filter(has_text="Live updates paused")
        expect(banner).to_be_visible()
        expect(ana.link_mark()).to_have_text("Reconnecting")
    ana.berth.wait_status("ferry", "running")
    ana.page.wait_for_timeout(5_000)
    assert ana.badge().get_attribute("data-status") == "creating"

    ana.page.context.set_offline(False)
    ana.sees_status("running")
    expect(ana.link_mark()).to_have_text("Live")
    expect(banner).to_be_hidden()


def test_a_create_whose_worker_is_killed_ends_by_itself(ana: Person) -> None:
    ana.berth.fault("anchor", "create", "slow", seconds=3, times=2)
    ana.create("anchor", "web", "simulated")
    ana.sees_status("creating")
    ana.sight.allow("503.*/logs")  # nobody is there to ask
    ana.berth.kill_worker()

    ana.sees_status("running", seconds=120)
    assert ana.sight.statuses("anchor") == ["creating", "running"]


def test_a_failed_create_says_why_and_is_retried_from_its_page(ana: Person) -> None:
    ana.berth.fault("kiosk", "create", "invalid")
    ana.create("kiosk", "web", "simulated")
    ana.sees_status("error")
    fault = ana.page.get_by_role("region", name=re.compile("Create failed"))
    for heading in ("Kept for the retry", "Cleaned up", "What helps"):
        expect(fault.get_by_role("heading", name=heading)).to_be_visible()

    expect(fault.get_by_text("Trace")).to_be_visible()
    retry = fault.get_by_role("button", name=re.compile("^Retry"))
    with ana.held("**/actions"):
        retry.click()
        expect(retry).to_have_attribute("aria-busy", "true")
    ana.sees_status("running")
    expect(fault).to_be_hidden()
