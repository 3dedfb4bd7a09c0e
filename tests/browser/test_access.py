"""Every screen, light and dark, wide and on a phone: clean for axe, not cut off, with its way on in reach."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.berth import Berth
from tests.browser.conftest import ROOT, signed_in
from tests.browser.person import Person
from tests.browser.screens import SCREENS, furnish

pytestmark = pytest.mark.browser

_AXE = ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js"
_WCAG, _GOOD = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"), ("best-practice",)
_WIDTHS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": {"width": 1440, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}


@pytest.fixture(scope="module")
def furnished(berth: Berth) -> dict[str, str]:
    return furnish(berth)


@pytest.fixture(scope="module")
def axe() -> str:
    if not _AXE.is_file():
        pytest.skip("needs ui/node_modules: run `npm ci` in ui")
    return Path(_AXE).read_text()


def violations(page: Page, axe: str, rules: Sequence[str]) -> list[str]:
    """What axe complains about on the page as it is now, one line for each place."""
    page.evaluate(axe)
    found = page.evaluate("tags => axe.run({ runOnly: tags })", list(rules))
    return [
        f"{one['id']}: {' '.join(node['target'])}: {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def sideways(page: Page) -> int:
    """By how many pixels the page, or what lies over it, is wider than its window."""
    return int(
        page.evaluate(
            """() => {
              const over = document.querySelectorAll("[role=dialog] > *, [role=alertdialog] > *");
              const wide = (element) => element.scrollWidth - element.clientWidth;
              const floating = document.querySelectorAll("[role=menu], [role=listbox], .dialog, .palette");
              const out = (element) => {
                const { left, right } = element.getBoundingClientRect();
                return Math.ceil(Math.max(-left, right - document.documentElement.clientWidth));
              };
              return Math.max(...[document.documentElement, ...over].map(wide), ...[...floating].map(out));
            }"""
        )
    )


_LOOKS: dict[str, tuple[str, str, Sequence[str]]] = {
    "wide-light": ("wide", "light", (*_WCAG, *_GOOD)),
    "wide-dark": ("wide", "dark", ("wcag2aa",)),
    "phone-dark": ("phone", "dark", (*_WCAG, *_GOOD)),
}
"""Width, theme, and what axe looks for: only colours depend on the theme, so that the second page need not be
gone through as a whole, and a fourth look would tell nothing new."""


@pytest.fixture(scope="module", params=_LOOKS)
def look(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def visitor(look: str, browser: Browser, berth: Berth, furnished: dict[str, str]) -> Iterator[Person]:
    """One for all screens of a look. Comes after everything is furnished: what a page says meanwhile would reach
    the test only with its first step, and count there."""
    width, theme, _ = _LOOKS[look]
    with signed_in(browser, berth, **_WIDTHS[width], color_scheme=theme) as person:
        yield person


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_is_clean_fits_and_has_its_way_on_in_reach(
    visitor: Person, furnished: dict[str, str], axe: str, look: str, name: str
) -> None:
    screen = replace(SCREENS[name], path=SCREENS[name].path.format(**furnished))
    visitor.sight.forget()
    visitor.sight.allow("404.*nobody", "404.*nowhere")
    screen.show(visitor)

    rules = [rule for rule in _LOOKS[look][2] if not (screen.overlay and rule in _GOOD)]
    assert violations(visitor.page, axe, rules) == []
    assert sideways(visitor.page) <= 0
    primary = screen.primary(visitor.page)
    if primary is not None:
        primary.scroll_into_view_if_needed()
        expect(primary).to_be_in_viewport()
        if primary.is_enabled():
            primary.click(trial=True)
        else:
            expect(primary).to_have_attribute("title", re.compile("."))  # says why not
    assert visitor.sight.complaints() == []


def test_the_way_in_is_clean(browser: Browser, berth: Berth, axe: str) -> None:
    for theme in ("light", "dark"):
        for options in _WIDTHS.values():
            with browser.new_context(**options, color_scheme=theme) as context:
                page = context.new_page()
                page.goto(f"{berth.url}/ui/")
                expect(page.get_by_role("button", name="Sign in")).to_be_visible()
                assert violations(page, axe, [*_WCAG, *_GOOD]) == []
                assert sideways(page) <= 0
