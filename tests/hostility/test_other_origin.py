"""A real browser, and a page of another origin in it: it can neither read, nor act, nor open a socket."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import func, select

from db.models import Deployment
from tests.support.api import TOKEN, Api

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]
EVIL = "evil.example"

_TRY = """
async ({url, token}) => {
  const attempt = async (make) => { try { return await make() } catch (error) { return 'blocked' } }
  const bearer = {Authorization: `Bearer ${token}`}
  const body = JSON.stringify({name: 'stolen', blueprint: 'web', provider: 'simulated'})
  const read = (options) => attempt(async () => (await fetch(url + '/api/v1/instances', options)).text())
  const act = (options) => read({method: 'POST', body, ...options})
  const socket = () => new Promise((done) => {
    const opened = new WebSocket(url.replace('http', 'ws') + '/ws')
    opened.onopen = () => done('open')
    opened.onerror = () => done('blocked')
  })
  const stream = () => new Promise((done) => {
    const source = new EventSource(url + '/api/v1/events/stream')
    source.onopen = () => done('open')
    source.onerror = () => { source.close(); done('blocked') }
  })
  return {
    read: await read({}),
    'read with the token': await read({headers: bearer}),
    'read with cookies': await read({credentials: 'include'}),
    'read without asking': await read({mode: 'no-cors'}),
    act: await act({headers: {'Content-Type': 'text/plain'}}),
    'act with the token': await act({headers: {...bearer, 'Content-Type': 'application/json'}}),
    'act without asking': await act({mode: 'no-cors', headers: {'Content-Type': 'text/plain'}}),
    beacon: (navigator.sendBeacon(url + '/api/v1/instances', body), 'blocked'),
    socket: await socket(),
    stream: await stream(),
  }
}
"""
_FORM = """
(url) => {
  const form = document.createElement('form')
  form.method = 'POST'; form.enctype = 'text/plain'; form.action = url + '/api/v1/instances'
  const field = document.createElement('input')
  field.name = '{"name":"stolen","blueprint":"web","provider":"simulated","x":"'; field.value = '"}'
  form.append(field); document.body.append(form); form.submit()
}
"""
_FRAME = """
(url) => new Promise((done) => {
  const frame = document.createElement('iframe')
  frame.src = url + '/ui/'
  const look = () => {
    try { return frame.contentDocument ? 'read' : 'blocked' } catch (error) { return 'blocked' }
  }
  frame.onload = () => done(look())
  document.body.append(frame)
})
"""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """A site on another port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<!doctype html><title>elsewhere</title><body></body>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(5)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    resolve = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", resolve])
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def deployments(api: Api) -> int:
    with api.database.read() as session:
        return session.scalar(select(func.count()).select_from(Deployment)) or 0


def test_a_page_of_another_origin_can_neither_read_nor_act_nor_open_a_socket(
    api: Api, page: Page, elsewhere: str
) -> None:
    page.goto(elsewhere)
    got = page.evaluate(_TRY, {"url": api.url, "token": TOKEN})

    # Not even the opaque answer that a page gets without asking for leave: `Cross-Origin-Resource-Policy`.
    assert set(got.values()) == {"blocked"}, got
    assert deployments(api) == 0


def test_a_form_of_another_origin_does_nothing(api: Api, page: Page, elsewhere: str) -> None:
    page.goto(elsewhere)
    with page.expect_response(f"{api.url}/api/v1/instances") as answer:
        page.evaluate(_FORM, api.url)
    assert answer.value.status == 403
    assert deployments(api) == 0


def test_the_interface_is_not_shown_inside_another_page(api: Api, page: Page, elsewhere: str) -> None:
    page.goto(elsewhere)
    assert page.evaluate(_FRAME, api.url) == "blocked"


@pytest.mark.parametrize("path", ["/ui/", "/api/v1/me", "/api/v1/instances", "/"])
def test_a_name_that_was_made_to_mean_this_machine_opens_nothing(api: Api, page: Page, path: str) -> None:
    port = api.url.rpartition(":")[2]
    answer = page.goto(f"http://{EVIL}:{port}{path}")
    assert answer is not None
    assert answer.status == 403
