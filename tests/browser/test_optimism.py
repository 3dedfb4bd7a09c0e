"""A click shows at once, and never what has not happened: refused, it is taken back and the refusal is shown."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect

from tests.browser.person import Person
from tests.support.workers import wait_for

pytestmark = pytest.mark.browser


def problem(status: int, title: str) -> dict[str, object]:
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": "the detail of it",
        "code": "invalid-transition" if status == 409 else "internal",
        "help": "what helps",
        "retryable": status >= 500,
        "trace_id": None,
        "errors": [],
    }


def test_a_refused_action_is_taken_back_and_its_title_is_shown(ana: Person) -> None:
    ana.sight.allow("409")
    ana.berth.create("mast")
    ana.open("mast")
    ana.page.route("**/actions", lambda route: answer(ana, route, 409, "Not while it is away"))
    ana.sight.forget_badges()

    ana.press("Stop")

    toast = ana.page.get_by_role("alert").filter(has_text="Stop was refused")
    expect(toast).to_contain_text("the detail of it")
    expect(toast).to_contain_text("not while it is away")
    ana.sees_status("running")
    assert ana.sight.badges("mast") == ["stopping?", "running"]


def test_an_action_that_the_server_could_not_take_is_asked_again_under_one_key(ana: Person) -> None:
    ana.sight.allow("500")
    ana.berth.create("keel")
    ana.open("keel")
    keys: list[str] = []
    third: list[Route] = []

    def twice_away(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        answer(ana, route, 500, "Berth made a mistake") if len(keys) < 3 else third.append(route)

    ana.page.route("**/actions", twice_away)
    ana.press("Stop")

    expect(ana.page.get_by_text("No answer yet")).to_be_visible()
    wait_for(lambda: bool(third), 60, "it is not asked a third time", lambda: ana.page.wait_for_timeout(50))
    third[0].continue_()
    ana.sees_status("stopped")
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_an_action_that_the_server_never_takes_is_taken_back(ana: Person) -> None:
    ana.sight.allow("500")
    ana.berth.create("helm")
    ana.open("helm")
    ana.page.route("**/actions", lambda route: answer(ana, route, 500, "Berth made a mistake"))

    ana.press("Stop")

    toast = ana.page.get_by_role("status").filter(has_text="Stop did not arrive")
    expect(toast).to_contain_text("Berth made a mistake")
    expect(toast).to_contain_text("helm is as it was")
    ana.sees_status("running")
    assert "stopped" not in ana.sight.statuses("helm")


def test_an_open_question_says_when_somebody_was_faster(ana: Person) -> None:
    ana.berth.create("cleat")
    ana.berth.fault("cleat", "stop", "hang", seconds=600)
    ana.open("cleat")
    ana.press("Suspend")
    dialog = ana.page.get_by_role("dialog")
    send = dialog.get_by_role("button", name="Suspend", exact=True)
    expect(send).to_be_enabled()

    ana.berth.act("cleat", "stop", wait=None)

    expect(send).to_be_disabled()
    expect(dialog.get_by_role("status")).to_contain_text("is in progress")
    ana.berth.act("cleat", "cancel", wait=None)
    ana.berth.wait_status("cleat", "running")
    expect(send).to_be_enabled()


def test_a_question_outlives_the_row_that_it_was_asked_from(ana: Person) -> None:
    ana.berth.create("painter")
    ana.go("/instances?status=running&q=painter")
    ana.row("painter").get_by_role("button", name="Actions for painter").click()
    ana.page.get_by_role("menuitem", name="Terminate").click()
    question = ana.page.get_by_role("alertdialog")
    expect(question).to_be_visible()

    ana.berth.act("painter", "stop")

    # Of what lies under a question a screen reader knows nothing.
    row = ana.page.locator("tr[data-id]")
    expect(row).to_have_count(0)
    expect(question).to_be_visible()
    ana.type_to_end("painter")
    ana.berth.wait_gone("painter")


def answer(ana: Person, route: Route, status: int, title: str) -> None:
    """Late enough to be seen."""
    ana.page.wait_for_timeout(150)
    route.fulfill(status=status, content_type="application/problem+json", json=problem(status, title))
