"""`make bench-ui`: the web interface in a real Chromium: first load, click to badge, commit to screen, scrolling.

Pages time themselves: what is measured is when the document changed, by the clock of this machine, by which the
writer of the events goes too. The interface has to be built.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from playwright.sync_api import Browser, CDPSession, Page, Response, expect

from bench import scroll
from bench.ui_report import Figures, write_report
from bench.ui_writer import Writer, fill
from db.session import open_database
from domain.lifecycle import Status
from scripts import chromium
from scripts.berth import Up, berth_up
from settings import psycopg2_url

_PER_SECOND = 100.0
_PATIENCE_SECONDS = 60.0
_SCROLL_SECONDS = 15.0
_LOADING_SECONDS = 45.0  # on the way down; rows that are not there by then are left out
_TURNS = (("Stop", Status.STOPPING, Status.STOPPED), ("Start", Status.STARTING, Status.RUNNING))

# Notes when the badge of each instance changed, and when a button was pressed; `painted` is the frame after.
_WATCH = """
(() => {
  window.changes = [];
  window.clicks = [];
  const last = new Map();
  const now = (stamp) => performance.timeOrigin + stamp;
  const look = () => {
    const at = performance.now();
    for (const badge of document.querySelectorAll("[data-status]")) {
      const id = badge.closest("tr[data-id]")?.dataset.id ?? "page";
      const status = badge.dataset.status;
      if (last.get(id) === status) continue;
      last.set(id, status);
      const change = { id, status, at: now(at), painted: null };
      window.changes.push(change);
      requestAnimationFrame(() => setTimeout(() => (change.painted = now(performance.now())), 0));
    }
    const shown = document.querySelector("main h1") && document.querySelector("tr[data-id]");
    if (shown && window.interactive === undefined) window.interactive = at;
  };
  const attributeFilter = ["data-status", "data-id"];
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributeFilter });
  addEventListener("click", (event) => window.clicks.push(now(event.timeStamp)), { capture: true });
})();
"""

_SHOWN = """
([id, status]) => window.changes.findLast((one) => one.id === id && one.status === status && one.painted)
"""

# Scrolls as fast as a hand on a wheel and gives back how long each frame took.
_SCROLL = """
async ([step, most, seconds]) => {
  const frames = [];
  let before = await new Promise(requestAnimationFrame);
  const end = () => scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
  const over = before + 1000 * seconds;
  for (let count = 0; count < most && before < over && !(end() && count > 30); count += 1) {
    scrollBy(0, step);
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - before);
    before = now;
  }
  return frames;
}
"""


_ROW_PX = 30  # at least
_HEIGHT = "document.documentElement.scrollHeight"
_LOADED = "document.querySelector('.foot')?.textContent"


def say(words: str) -> None:
    """Progress, for people."""
    print(words, file=sys.stderr, flush=True)


def until(page: Page, expression: str, argument: Any = None) -> Any:
    """What the page says, once it says something. The page's policy forbids that Playwright asks from within."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (found := page.evaluate(expression, argument)):
        if time.monotonic() > deadline:
            raise TimeoutError(expression)
        time.sleep(0.01)
    return found


@contextmanager
def visitor(browser: Browser, up: Up) -> Iterator[Page]:
    """Somebody signed in, with a cold cache."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        page.add_init_script(_WATCH)
        page.goto(up.sign_in_url)
        expect(page.get_by_role("heading", level=1)).to_contain_text("Instances")
        expect(page.get_by_role("banner").locator("[data-link=live]")).to_be_attached()
        yield page


def first_load(browser: Browser, up: Up, times: int) -> dict[str, Any]:
    """Bytes of JavaScript that a cold cache has to get, and milliseconds until the list can be used."""
    interactive, sent, packed = [], 0.0, 0
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(up.sign_in_url)
        expect(page.locator("tr[data-id]").first).to_be_visible()
        signed_in = context.storage_state()
    for _ in range(times):
        with browser.new_context(storage_state=signed_in) as context:
            page = context.new_page()
            page.add_init_script(_WATCH)
            sizes = _scripts(context.new_cdp_session(page))
            answers = _answers(page)
            page.goto(f"{up.url}/ui/instances")
            interactive.append(until(page, "() => window.interactive"))
            page.wait_for_timeout(300)
            sent = sum(sizes.values())
            packed = sum(len(gzip.compress(one.body(), 9)) for one in answers if _is_script(one.url))
    return {"javascript_sent_bytes": sent, "javascript_gzip_bytes": packed, "interactive_ms": interactive}


def _answers(page: Page) -> list[Response]:
    """Of this page, as they come."""
    answers: list[Response] = []

    def note(answer: Response) -> None:
        answers.append(answer)

    page.on("response", note)
    return answers


def _is_script(url: str) -> bool:
    return url.split("?", maxsplit=1)[0].endswith(".js")


def _scripts(session: CDPSession) -> dict[str, float]:
    """Bytes on the wire of each script, as they come."""
    names: dict[str, str] = {}
    sizes: dict[str, float] = {}
    session.send("Network.enable")

    def begun(told: dict[str, Any]) -> None:
        names[told["requestId"]] = told["response"]["url"]

    def finished(told: dict[str, Any]) -> None:
        if _is_script(names.get(told["requestId"], "")):
            sizes[told["requestId"]] = told["encodedDataLength"]

    session.on("Network.responseReceived", begun)
    session.on("Network.loadingFinished", finished)
    return sizes


def clicks(browser: Browser, up: Up, count: int) -> dict[str, Any]:
    """Milliseconds from a click on Stop or Start to the badge that says so: in the document, and painted."""
    http = httpx2.Client(base_url=f"{up.url}/api/v1", headers={"Authorization": f"Bearer {up.token}"}, timeout=60)
    http.post(
        "/instances", json={"name": "clicked", "blueprint": "web", "provider": "simulated"}
    ).raise_for_status()
    seen, painted = [], []
    with visitor(browser, up) as page:
        page.goto(f"{up.url}/ui/instances/clicked")
        badge = page.locator(".title [data-status]")
        expect(badge).to_have_attribute("data-status", Status.RUNNING, timeout=30_000)
        for label, during, after in itertools.islice(itertools.cycle(_TURNS), count):
            page.evaluate("window.changes.length = window.clicks.length = 0")
            page.get_by_role("main").get_by_role("button", name=label, exact=True).click()
            expect(badge).to_have_attribute("data-status", after, timeout=30_000)
            pressed, changes = page.evaluate("[window.clicks[0], window.changes]")
            change = next(one for one in changes if one["status"] == during)
            seen.append(change["at"] - pressed)
            painted.append(change["painted"] - pressed)
            page.wait_for_timeout(60)
    return {"badge_ms": seen, "painted_ms": painted}


def commits(browser: Browser, up: Up, writer: Writer, count: int) -> dict[str, Any]:
    """Milliseconds from a commit to the changed badge in the list of one open page."""
    seen, painted = [], []
    with visitor(browser, up) as page:
        page.wait_for_timeout(1000)
        visible = page.evaluate("[...document.querySelectorAll('tr[data-id]')].map((row) => row.dataset.id)")
        ours = [one for one in visible if one in writer.ids][:20]
        for number in range(count):
            instance_id = ours[number % len(ours)]
            page.evaluate("window.changes.length = 0")  # an earlier turn to the same status is none of this one
            status, before = writer.turn(instance_id)
            found = until(page, _SHOWN, [instance_id, status])
            seen.append(found["at"] - 1000 * before)
            painted.append(found["painted"] - 1000 * before)
            page.wait_for_timeout(20)
    return {"screen_ms": seen, "painted_ms": painted}


def scrolling(browser: Browser, up: Up, writer: Writer) -> dict[str, Any]:
    """How long frames take on the way down through all rows, and again with events arriving."""
    with visitor(browser, up) as page:
        page.wait_for_timeout(1500)
        loading: list[float] = []
        ends = time.monotonic() + _LOADING_SECONDS
        while page.evaluate(_HEIGHT) < len(writer.ids) * _ROW_PX and time.monotonic() < ends:
            loading += page.evaluate(_SCROLL, [900, 100, _SCROLL_SECONDS])
        loaded = page.evaluate(_LOADED)
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(1000)
        stop = threading.Event()
        thread = threading.Thread(target=writer.keep_turning, args=(_PER_SECOND, stop))
        thread.start()
        try:
            page.wait_for_timeout(500)
            frames = page.evaluate(_SCROLL, [450, 600, _SCROLL_SECONDS])
        finally:
            stop.set()
            thread.join()
    return {
        "filled": len(writer.ids),
        "rows": loaded,
        "events_per_second": _PER_SECOND,
        "loading_frames_ms": loading,
        "frames_ms": frames,
    }


def measure(up: Up, browser: Browser, given: argparse.Namespace) -> Figures:
    database = open_database(psycopg2_url(up.exports()["DATABASE_URL"]), pool_size=3)
    found: Figures = {
        "machine": f"{os.cpu_count()} cores, {platform.system()}, Chromium {browser.version}",
        "load": round(os.getloadavg()[2], 1),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    say("click to badge")
    found["clicks"] = clicks(browser, up, given.clicks)
    say("first load")
    found["first_load"] = first_load(browser, up, given.loads)
    say("commit to screen")
    writer = Writer(database, fill(database, given.rows))
    found["commits"] = commits(browser, up, writer, given.commits)
    say("scrolling")
    found["scrolling"] = scrolling(browser, up, writer)
    database.engine.dispose()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=40)
    parser.add_argument("--commits", type=int, default=200)
    parser.add_argument("--loads", type=int, default=5)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs")
    given = parser.parse_args()
    say("scrolling, the page alone")
    page_alone = scroll.measure(given.rows, int(_PER_SECOND))
    with (
        tempfile.TemporaryDirectory(prefix="berth-bench-") as scratch,
        berth_up(Path(scratch) / "data", BERTH_MONITOR="false") as up,
        chromium.playwright() as running,
        chromium.chromium(running) as browser,
    ):
        expect.set_options(timeout=1000 * _PATIENCE_SECONDS)
        found = {**measure(up, browser, given), "page_alone": page_alone}
    print(write_report(found, given.out))


if __name__ == "__main__":
    main()
