"""What a page did that a person would not want: errors in the console, requests that failed, exceptions.

And which badges it showed, however briefly: an observer inside the page writes each one down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, Request, Response

# A page that leaves or closes ends its own reads and its stream; Chromium calls that a failed request.
_OWN_END = "net::ERR_ABORTED"
# Chromium gives up what is under way when a network interface comes or goes, as with every container that starts
# beside these tests; the page asks again.
_OF_THE_MACHINE = "net::ERR_NETWORK_CHANGED"
# A life may end between the news of it and the read that follows: by that answer the page learns it.
_ENDED = re.compile(r"404.*/instances/ins_\w+\)?$")

RECORDER = """
(() => {
  const seen = (window.badgesSeen = []);
  const last = new Map();
  const look = () => {
    for (const badge of document.querySelectorAll("[data-status]")) {
      const row = badge.closest("tr[data-id], main");
      const place = row?.querySelector("[data-row-link], h1")?.textContent ?? "";
      const status = badge.dataset.status + ("pending" in badge.dataset ? "?" : "");
      if (last.get(place) === status) continue;
      last.set(place, status);
      seen.push({ place, status, text: badge.textContent, at: performance.timeOrigin + performance.now() });
    }
  };
  const attributeFilter = ["data-status", "data-pending"];
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributeFilter });
})();
"""


@dataclass
class Sight:
    """Watches one page from its first moment. `allow` names what a test provokes on purpose."""

    page: Page
    allowed: list[re.Pattern[str]] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.add_init_script(RECORDER)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.unexpected.append(f"exception: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._response)

    def allow(self, *patterns: str) -> None:
        """Regular expressions of what must not count from now on."""
        self.allowed += [re.compile(pattern) for pattern in patterns]

    def forget(self) -> None:
        """Nothing until now counts."""
        self.unexpected.clear()

    def complaints(self) -> list[str]:
        """What remains."""
        allowed = (_ENDED, *self.allowed)
        return [text for text in self.unexpected if not any(pattern.search(text) for pattern in allowed)]

    def badges(self, place: str) -> list[str]:
        """Statuses shown of one instance, in order; `?` marks one that was asked and not yet confirmed."""
        seen: list[dict[str, Any]] = self.page.evaluate("window.badgesSeen")
        return [one["status"] for one in seen if one["place"] == place]

    def statuses(self, place: str) -> list[str]:
        """The same without the difference between asked and begun."""
        shown = [status.rstrip("?") for status in self.badges(place)]
        return [status for number, status in enumerate(shown) if shown[number - 1 : number] != [status]]

    def forget_badges(self) -> None:
        self.page.evaluate("window.badgesSeen.length = 0")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and _OF_THE_MACHINE not in message.text:
            self.unexpected.append(f"console {message.type}: {message.text} ({message.location.get('url')})")

    def _failed(self, request: Request) -> None:
        if request.failure not in (_OWN_END, _OF_THE_MACHINE):
            self.unexpected.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.unexpected.append(f"answered {response.status}: {response.request.method} {response.url}")
