"""A Chromium, a whole Berth for all tests of this folder, and a signed-in page for each.

Without Chromium or the built interface these tests are skipped; on the build machine a skipped test fails.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from scripts import chromium
from tests.browser.berth import Berth, whole_berth
from tests.browser.person import Person
from tests.browser.sight import Sight

ROOT = Path(__file__).parents[2]
Visit = Callable[..., Person]
_PATIENCE_MS = 60_000  # the other lanes run beside this one; patience costs nothing while all is well


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if chromium.program() is None:
        pytest.skip("needs a Chromium; on Debian: apt-get install chromium")
    expect.set_options(timeout=_PATIENCE_MS)
    with chromium.playwright() as running, chromium.chromium(running) as started:
        yield started


@pytest.fixture(scope="package")
def berth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Berth]:
    built = ROOT / "ui" / "dist"
    if not (built / "index.html").is_file():
        pytest.skip("needs the built interface: `make test` builds it")
    home = tmp_path_factory.mktemp("berth")
    # A copy: a build that runs meanwhile must not take files from under the pages.
    shutil.copytree(built, home / "ui")
    with whole_berth(home / "data", home / "ui") as running:
        yield running


@contextmanager
def signed_in(browser: Browser, berth: Berth, **options: Any) -> Iterator[Person]:
    """Somebody with a browser profile of their own."""
    with browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options}) as context:
        context.set_default_timeout(_PATIENCE_MS)
        page = context.new_page()
        person = Person(page, berth, Sight(page))
        person.sign_in()
        yield person
        page.unroute_all(behavior="ignoreErrors")  # what a test stands in the way of may be on its way now


@pytest.fixture
def visit(browser: Browser, berth: Berth) -> Iterator[Visit]:
    """Lets somebody new in; complaints of their pages fail the test at its end."""
    with ExitStack() as stack:
        people: list[Person] = []

        def come(**options: Any) -> Person:
            people.append(stack.enter_context(signed_in(browser, berth, **options)))
            return people[-1]

        yield come
        complaints = [text for person in people for text in person.sight.complaints()]
    assert complaints == []


@pytest.fixture
def ana(visit: Visit) -> Person:
    """The person that most tests are about."""
    return visit()
