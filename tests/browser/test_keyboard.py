"""Everything without a mouse: where the focus is can be seen, and it comes back to where it was."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.person import Person

pytestmark = pytest.mark.browser
_MOST_TABS = 80


def tab_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """Tab until the focus is there; on the way every stop must show that it has the focus."""
    for _ in range(_MOST_TABS):
        page.keyboard.press(key)
        assert focus_is_visible(page), page.evaluate("document.activeElement.outerHTML")
        if target.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{_MOST_TABS} tabs did not lead to {target}")


def focus_is_visible(page: Page) -> bool:
    """An outline of its own or of the field around it."""
    return bool(
        page.evaluate(
            """() => {
              const shows = (element) => {
                const style = getComputedStyle(element);
                return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
              };
              const element = document.activeElement;
              if (element === null || element === document.body) return true;
              for (let one = element, steps = 0; one !== null && steps < 3; one = one.parentElement, steps += 1) {
                if (shows(one)) return true;
              }
              return false;
            }"""
        )
    )


def test_a_life_without_a_mouse(ana: Person) -> None:
    page = ana.page
    page.keyboard.press("c")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_be_focused()
    page.keyboard.type("oar")
    tab_to(page, dialog.get_by_label("Blueprint"))
    page.keyboard.type("Web")
    tab_to(page, dialog.get_by_label("Provider"))
    page.keyboard.type("Simulated")
    expect(dialog.get_by_label("Provider")).to_have_value("simulated")
    tab_to(page, dialog.get_by_role("button", name="Create", exact=True))
    page.keyboard.press("Enter")
    ana.sees_status("running")

    tab_to(page, ana.button("Stop"))
    page.keyboard.press("Enter")
    ana.sees_status("stopped")

    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Jump to")).to_be_focused()
    page.keyboard.type("start oar")
    expect(page.get_by_role("option").first).to_contain_text("Start oar")
    page.keyboard.press("Enter")
    ana.sees_status("running")

    tab_to(page, ana.button("Terminate"))
    page.keyboard.press("Enter")
    ending = page.get_by_role("alertdialog")
    expect(ending.get_by_role("button", name="Keep it")).to_be_focused()
    tab_to(page, ending.get_by_label(re.compile("^Type")), "Shift+Tab")
    page.keyboard.type("oar")
    page.keyboard.press("Enter")
    ana.sees_status("terminated")


def test_the_list_is_walked_and_opened_by_keys(ana: Person) -> None:
    for name in ("rudder-a", "rudder-b"):
        ana.berth.create(name)
    page = ana.page
    page.keyboard.press("/")
    search = page.get_by_role("searchbox")
    expect(search).to_be_focused()
    page.keyboard.type("rudder")
    expect(page.get_by_role("main")).to_contain_text("2 of 2 loaded")
    page.keyboard.press("Tab")

    page.keyboard.press("j")
    first = page.locator("[data-cursor] [data-row-link]")
    expect(first).to_be_focused()
    name = first.inner_text()
    page.keyboard.press("x")
    expect(page.get_by_role("toolbar", name="1 selected")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("toolbar")).to_have_count(0)
    page.keyboard.press(".")
    menu = page.get_by_role("menu")
    expect(menu.get_by_role("menuitem", name=re.compile("^Stop"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(ana.row(name).get_by_role("button", name=f"Actions for {name}")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name=name, exact=True)).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("h")
    expect(page.get_by_role("heading", level=1)).to_contain_text("History")


@pytest.mark.parametrize(("path", "key"), [("/instances", "Control+k"), ("/hosts", "?")])
def test_an_overlay_gives_the_focus_back(ana: Person, path: str, key: str) -> None:
    page = ana.page
    ana.go(path)
    before = page.get_by_role("link", name="Operations", exact=True).first
    tab_to(page, before)
    page.keyboard.press(key)
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(before).to_be_focused()


def test_a_dialog_gives_the_focus_back_to_its_button(ana: Person) -> None:
    ana.berth.create("buoy")
    ana.open("buoy")
    tab_to(ana.page, ana.button("Terminate"))
    ana.page.keyboard.press("Enter")
    expect(ana.page.get_by_role("alertdialog")).to_be_visible()
    ana.page.keyboard.press("Escape")
    expect(ana.button("Terminate")).to_be_focused()
