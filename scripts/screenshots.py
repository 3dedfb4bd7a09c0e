"""`make screenshots`: a Berth of its own, furnished like one in use, and pictures of its screens in docs/pictures.

Each screen is taken light, dark and on a phone. Colours are reduced to a palette, which a calm interface does not
mind, so that the repository stays small.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from scripts import chromium
from scripts.berth import Up, berth_up

_ROOT = Path(__file__).parents[1]
_BUILT, PICTURES = _ROOT / "ui" / "dist", _ROOT / "docs" / "pictures"
_COLOURS = 256
_LARGEST = 150_000
_PATIENCE_MS = 60_000
MOVING = "archive"
_LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
Step = Callable[[Page], object]


def say(text: str) -> None:
    sys.stderr.write(text + "\n")


class Fleet:
    """Asks the API for what a team would have."""

    def __init__(self, up: Up) -> None:
        headers = {"Authorization": f"Bearer {up.token}"}
        self._http = httpx2.Client(base_url=f"{up.url}/api/v1", headers=headers, timeout=60)

    def get(self, path: str) -> Any:
        return self._http.get(path).raise_for_status().json()

    def create(self, name: str, blueprint: str, provider: str, *, wait: bool = True, **more: Any) -> Any:
        body = {"name": name, "blueprint": blueprint, "provider": provider, **more}
        return self._wait(self._http.post("/instances", json=body), wait)

    def act(self, name: str, action: str, *, wait: bool = True) -> Any:
        return self._wait(self._http.post(f"/instances/{name}/actions", json={"action": action}), wait)

    def delete(self, name: str) -> Any:
        return self._wait(self._http.delete(f"/instances/{name}"), True)

    def fault(self, name: str, verb: str, fault: str, times: int = 1, seconds: float | None = None) -> None:
        body = {"instance": name, "verb": verb, "fault": fault, "times": times, "seconds": seconds}
        self._http.put("/providers/simulated/faults", json=body).raise_for_status()

    def _wait(self, answer: httpx2.Response, wait: bool) -> Any:
        operation = answer.raise_for_status().json()["operation"]
        return self.done(operation) if wait else operation

    def done(self, operation: Any) -> Any:
        while not operation["done"]:
            operation = self.get(f"/operations/{operation['id']}?wait=30")
        return operation

    def furnish(self) -> None:
        """Servers and pages that run, some that were stopped, one that failed, some that have ended."""
        team = {"team": "core", "env": "prod"}
        self.create("orders-db", "postgres", "process", params={"max_connections": 120}, labels=team)
        self.create("billing-db", "postgres", "process", labels={"team": "billing", "env": "prod"})
        self.create("docs-site", "web", "process", params={"greeting": "Read me"})
        names = ("shop", "search", "mail", "metrics", "queue", "staging", "preview", "intranet")
        asked = []
        for number, name in enumerate(names):
            self.fault(name, "create", "slow", seconds=5 + number / 2)
            labels = team if number % 2 else {"env": "test"}
            asked.append(self.create(name, "web", "simulated", wait=False, labels=labels))
        for operation in asked:
            self.done(operation)
        for name in ("stop", "start", "restart", "stop", "start"):
            self.act("mail", name)
        self.act("staging", "stop")
        self.act("intranet", "maintenance_on")
        self._try_to_suspend("preview")
        for name in ("spike-3", "demo-old", "load-test"):
            self.create(name, "web", "simulated")
            self.delete(name)
        self.fault("reports", "create", "no_capacity", times=-1)
        self.create("reports", "web", "simulated", wait=False)
        self.fault("ledger", "create", "invalid")
        self.create("ledger", "web", "simulated")
        self.fault("queue", "stop", "slow", seconds=600)
        self.act("queue", "stop", wait=False)

    def begin(self, name: str) -> None:
        """A create that is under way while pictures are taken."""
        self.fault(name, "create", "throttled", seconds=1)
        self.fault(name, "create", "slow", times=-1, seconds=600)
        self.create(name, "web", "simulated", wait=False)

    def _try_to_suspend(self, name: str) -> None:
        actions = {one["action"]: one for one in self.get(f"/instances/{name}")["allowed_actions"]}
        if actions["suspend"]["enabled"]:
            self.act(name, "suspend")


def change_a_parameter(page: Page) -> None:
    page.get_by_label("max_connections", exact=True).fill("200")
    tab = page.get_by_role("radio", name="Plan")
    if tab.is_visible():
        tab.check()
    page.get_by_role("button", name="Plan 1 change").click()
    expect(page.get_by_role("button", name="Apply to 1 instance")).to_be_visible()


def fill_a_create(page: Page) -> None:
    page.get_by_role("main").get_by_role("button", name="Create").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("invoices-db")
    dialog.get_by_label("Blueprint").select_option("postgres")


def look_for_orders(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Jump to").fill("orders")
    expect(page.get_by_role("option").first).to_contain_text("orders")


def nothing(_: Page) -> None:
    """The screen as it comes."""


SCREENS: dict[str, tuple[str, Step]] = {
    "instances": ("/instances", nothing),
    "instance": (f"/instances/{MOVING}", nothing),
    "failed": ("/instances/ledger", nothing),
    "database": ("/instances/orders-db", nothing),
    "create": ("/instances", fill_a_create),
    "plan": ("/deployments/orders-db", change_a_parameter),
    "operations": ("/operations", nothing),
    "deployments": ("/deployments", nothing),
    "history": ("/history", nothing),
    "hosts": ("/hosts", nothing),
    "statistics": ("/statistics", nothing),
    "audit": ("/audit", nothing),
    "settings": ("/settings", nothing),
    "palette": ("/instances", look_for_orders),
}


def save(png: bytes, name: str) -> None:
    """With as few colours as the picture needs to stay small."""
    picture = Image.open(BytesIO(png)).convert("RGB")
    for colours in (_COLOURS, _COLOURS // 2, _COLOURS // 4):
        packed = BytesIO()
        picture.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            packed, "PNG", optimize=True
        )
        if packed.tell() <= _LARGEST:
            break
    (PICTURES / f"{name}.png").write_bytes(packed.getvalue())
    say(f"{name}.png  {packed.tell() / 1000:.0f} kB")


def take(browser: Browser, up: Up, fleet: Fleet, looks: list[str]) -> None:
    """Every screen in every look; phones leave out what needs a keyboard."""
    for look in looks:
        with browser.new_context(**_LOOKS[look]) as context:
            context.set_default_timeout(_PATIENCE_MS)
            page = context.new_page()
            page.goto(up.sign_in_url)
            fleet.begin(MOVING)
            expect(page.get_by_role("heading", level=1)).to_contain_text("Instances")
            for name, (path, step) in SCREENS.items():
                if look == "phone" and name == "palette":
                    continue
                page.goto(f"{up.url}/ui{path}")
                expect(page.get_by_role("main").get_by_role("heading").first).to_be_visible()
                expect(page.locator("main [aria-busy=true]")).to_have_count(0)
                step(page)
                page.evaluate("scrollTo(0, 0)")
                time.sleep(0.7)
                save(page.screenshot(animations="disabled"), f"{name}-{look}")
            fleet.delete(MOVING)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("looks", nargs="*", metavar="look", help=f"of {', '.join(_LOOKS)}; all unless told")
    looks = parser.parse_args().looks or list(_LOOKS)
    PICTURES.mkdir(exist_ok=True)
    expect.set_options(timeout=_PATIENCE_MS)
    with tempfile.TemporaryDirectory(prefix="berth-pictures-") as scratch:
        # A copy: a build that runs meanwhile must not take files from under the pages.
        shutil.copytree(_BUILT, Path(scratch) / "ui")
        with berth_up(Path(scratch) / "data", BERTH_UI_DIR=str(Path(scratch) / "ui")) as up:
            fleet = Fleet(up)
            fleet.furnish()
            with chromium.playwright() as running, chromium.chromium(running) as browser:
                take(browser, up, fleet, looks)


if __name__ == "__main__":
    main()
