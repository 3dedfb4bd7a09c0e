"""The machine's own Chromium under Playwright: for the browser tests, the pictures and the measurements."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Playwright, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def program() -> str | None:
    """Where Chromium is, if there is one."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


@contextmanager
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@contextmanager
def chromium(running: Playwright) -> Iterator[Browser]:
    """A browser without windows; root has to do without Chromium's own sandbox."""
    path = program()
    if path is None:
        raise FileNotFoundError("no Chromium here; on Debian: apt-get install chromium")
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    browser = running.chromium.launch(executable_path=path, args=[*options, "--force-color-profile=srgb"])
    try:
        yield browser
    finally:
        browser.close()
