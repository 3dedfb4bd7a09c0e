"""Everything without a mouse: where the focus is can be seen, and it comes back to where it was."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
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


def press_enter(button: Locator) -> None:
    """By the keyboard, whose focus must be somewhere afterwards."""
    button.focus()
    button.page.keyboard.press("Enter")


def test_another_page_has_the_focus_and_its_next_tab_leads_into_it(ana: Person) -> None:
    ana.berth.create("stay")
    ana.go("/instances?q=stay")
    page, main = ana.page, ana.page.locator("#main")
    press_enter(ana.row("stay").get_by_role("link", name="stay"))
    expect(page.get_by_role("heading", level=1, name="stay", exact=True)).to_be_visible()
    expect(main).to_be_focused()
    page.keyboard.press("Tab")
    assert page.locator("#main :focus").count() == 1

    page.get_by_role("link", name="Operations", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Operations")
    expect(main).to_be_focused()
    assert main.evaluate("element => getComputedStyle(element).outlineStyle") == "none"


def test_a_button_that_goes_with_its_click_leaves_the_focus_in_its_row_or_header(ana: Person) -> None:
    ana.berth.fault("yard", "create", "invalid", times=2)
    ana.berth.create("yard", wait="failed")
    page = ana.page
    ana.go("/instances?q=yard")
    row = ana.row("yard")
    press_enter(row.get_by_role("button", name="Retry", exact=True))
    expect(row.get_by_role("button", name="Retry", exact=True)).to_have_count(0)
    expect(row.get_by_role("link", name="yard", exact=True)).to_be_focused()

    ana.sees_row("yard", "error")
    ana.open("yard")
    header = page.locator("[data-home]:focus, [data-home] :focus")
    press_enter(page.locator("[aria-labelledby=fault]").get_by_role("button", name=re.compile("^Retry")))
    expect(page.locator("[aria-labelledby=fault]")).to_have_count(0)
    expect(header).to_have_count(1)

    ana.berth.create("vang")
    ana.open("vang")
    press_enter(ana.button("Stop"))
    ana.sees_status("stopped")
    expect(header).to_have_count(1)
    press_enter(ana.button("Start"))
    ana.sees_status("running")
    expect(header).to_have_count(1)


def test_what_has_no_room_on_a_small_screen_stands_in_its_menus(visit: Visit) -> None:
    ben = visit(viewport={"width": 390, "height": 844})
    ben.berth.fault("gaff", "create", "invalid")
    ben.berth.create("gaff", wait="failed")
    page = ben.page
    ben.go("/operations?show=parked")
    page.get_by_role("button", name=re.compile("^Other ways out of .* gaff$")).click()
    expect(page.get_by_role("menuitem", name="Abort")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="More", exact=True).click()
    expect(page.get_by_role("menuitem", name="Keys and help")).to_be_visible()
    page.get_by_role("menuitem", name="Jump to").click()
    expect(page.get_by_role("combobox", name="Jump to")).to_be_focused()
