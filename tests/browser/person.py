"""Somebody at a browser, in words of what people do; finds things by role and name, as a screen reader would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.berth import Berth
from tests.browser.sight import Sight
from tests.support.workers import wait_for


@dataclass(frozen=True)
class Person:
    """One page, where it leads, and what was seen on it."""

    page: Page
    berth: Berth
    sight: Sight

    def sign_in(self) -> None:
        """By the link that `berth up` prints."""
        self.page.goto(self.berth.up.sign_in_url)
        expect(self.page.get_by_role("heading", level=1)).to_contain_text("Instances")
        expect(self.page.get_by_role("banner").get_by_text("Live", exact=True)).to_be_attached()

    def go(self, path: str) -> None:
        self.page.goto(f"{self.berth.url}/ui{path}")

    def open(self, name: str) -> None:
        """The page of one instance."""
        self.go(f"/instances/{name}")
        expect(self.page.get_by_role("heading", level=1, name=name, exact=True)).to_be_visible()

    def create(self, name: str, blueprint: str, provider: str, **fields: str) -> None:
        """Through the dialog."""
        self.page.get_by_role("button", name="Create instance").first.click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_label("Name").fill(name)
        dialog.get_by_label("Blueprint").select_option(blueprint)
        dialog.get_by_label("Provider").select_option(provider)
        for label, text in fields.items():
            dialog.get_by_label(label, exact=True).fill(text)
        dialog.get_by_role("button", name="Create", exact=True).click()

    def press(self, name: str) -> None:
        """A button of the page's content."""
        self.button(name).click()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("main").get_by_role("button", name=re.compile(rf"^{name}…?$")).first

    def badge(self) -> Locator:
        """The status beside the title."""
        return self.page.get_by_role("main").locator(".title [data-status]")

    def sees_status(self, status: str, seconds: float = 60) -> None:
        expect(self.badge()).to_have_attribute("data-status", status, timeout=seconds * 1000)

    def row(self, name: str) -> Locator:
        """The line of an instance in the list."""
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("link", name=name, exact=True))

    def sees_row(self, name: str, status: str, seconds: float = 60) -> None:
        badge = self.row(name).locator("[data-status]")
        expect(badge).to_have_attribute("data-status", status, timeout=seconds * 1000)

    def has_seen(self, name: str, *last: str) -> None:
        """These statuses last, though that may be over: a line that tells an end goes by itself."""

        def seen() -> list[str]:
            return self.sight.statuses(name)

        wait_for(lambda: seen()[-len(last) :] == list(last), 60, lambda: f"not {last}, but {seen()}")

    def type_to_end(self, name: str) -> None:
        """Confirm what cannot be undone."""
        dialog = self.page.get_by_role("alertdialog")
        dialog.get_by_label(re.compile("^Type")).fill(name)
        dialog.get_by_role("button", name=f"Terminate {name}").click()

    def actions(self) -> Locator:
        """Every button that does something to the instance of this page, in its header and in its error block."""
        main = self.page.get_by_role("main")
        header = main.get_by_role("group", name="Actions").locator("button:not([aria-haspopup])")
        return header.or_(main.locator("[aria-labelledby=fault] footer [data-kind=primary]"))

    def link_mark(self) -> Locator:
        """How the live line stands."""
        return self.page.get_by_role("banner").locator("[data-link]")

    @contextmanager
    def held(self, pattern: str) -> Iterator[None]:
        """Requests like this reach the server only when the block ends."""
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        self.page.route(pattern, hold)
        yield
        for route in held:
            route.continue_()
        self.page.unroute(pattern)
