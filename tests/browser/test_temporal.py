"""Between Berth and Temporal's own interface: two clicks to the activity that failed, one click back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.person import Person

pytestmark = pytest.mark.browser


def test_two_clicks_lead_from_a_failed_create_to_its_failing_activity_and_one_leads_back(ana: Person) -> None:
    ana.berth.fault("reef", "create", "invalid")
    ana.berth.create("reef", wait="failed")
    operation = ana.berth.get("/instances/reef")["last_failed_operation_id"]
    ana.sees_row("reef", "error")

    ana.row("reef").get_by_role("link", name="reef", exact=True).click()
    with ana.page.context.expect_page() as opened:
        ana.page.get_by_role("link", name="Failing activity in Temporal").click()
    temporal = opened.value
    failed = temporal.get_by_text(re.compile("Activity Task Failed")).first
    expect(failed).to_be_visible()
    expect(temporal.get_by_text(re.compile("simulated invalid|invalid")).first).to_be_visible()

    temporal.get_by_role("tab", name="User Metadata").click()
    # Temporal renders what a run says of itself in a frame of its own.
    said = temporal.locator("iframe[src*='in%20Berth']").content_frame
    back = said.get_by_role("link", name="create reef in Berth")
    expect(back).to_have_attribute("href", f"{ana.berth.url}/ui/operations/{operation}")
