"""What a user of an instance does, from its create to History, and what pages showed at every step."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser


def test_a_postgres_server_is_created_stopped_started_restarted_changed_and_deleted(visit: Visit) -> None:
    ana, watcher = visit(), visit()
    page, berth = ana.page, ana.berth
    before = berth.errors_logged()
    ana.create("shop", "postgres", "process")
    ana.sees_status("running")
    watcher.has_seen("shop", "creating", "running")
    shop = berth.get("/instances/shop")["deployment_id"]
    assert ana.sight.statuses("shop") == ["creating", "running"]
    for button, during, after in (
        ("Stop", "stopping", "stopped"),
        ("Start", "starting", "running"),
        ("Restart", "restarting", "running"),
    ):
        ana.sight.forget_badges()
        ana.press(button)
        ana.sees_status(after)
        watcher.has_seen("shop", during, after)
        assert ana.sight.statuses("shop")[-2:] == [during, after]

    ana.press("Modify")
    page.get_by_text("more parameters").click()
    page.get_by_label("work_mem", exact=True).fill("8MB")
    ana.press("Plan 1 change")
    ana.press("Apply to 1 instance")
    expect(page.get_by_role("main")).to_contain_text("Succeeded")
    watcher.has_seen("shop", "modifying", "running")
    page.get_by_role("main").get_by_role("link", name="shop", exact=True).click()
    ana.sees_status("running")
    assert berth.get("/instances/shop")["applied_spec"]["params"]["work_mem"] == "8MB"

    ana.sight.forget_badges()
    ana.press("Terminate")
    ana.type_to_end("shop")
    watcher.has_seen("shop", "deleting", "terminated")
    page.get_by_role("main").get_by_role("link", name="View history").click()
    expect(page.get_by_role("heading", level=1, name="shop")).to_be_visible()
    assert "deleting" in ana.sight.statuses("shop")
    expect(page.get_by_role("main")).to_contain_text("in service")
    page.get_by_role("link", name="History", exact=True).first.click()
    expect(ana.row("shop")).to_be_visible()

    assert watcher.sight.statuses("shop") == [
        *("creating", "running", "stopping", "stopped", "starting", "running"),
        *("restarting", "running", "modifying", "running", "deleting", "terminated"),
    ]
    assert [line for line in berth.errors_logged(about=shop) if line not in before] == []
