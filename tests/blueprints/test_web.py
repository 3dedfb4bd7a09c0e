"""The web blueprint and its server, run directly; the process provider has tests of its own."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from blueprints import web_server
from blueprints.base import Disruption, validated
from blueprints.registry import BLUEPRINTS, blueprint
from blueprints.web import WebBlueprint, WebParameters
from domain.errors import InvalidInput, ProviderError
from domain.work import Form, Home, Work
from tests.support.instances import free_port
from tests.support.patience import busy
from tests.support.works import a_work

pytestmark = pytest.mark.processes
WEB = WebBlueprint()


class Page:
    """A server started from the blueprint's own files."""

    def __init__(self, folder: Path, work: Work) -> None:
        self.folder, self.work = folder, work
        self.write(work)
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(folder / "web_server.py"), str(folder / "instance.json")],
            stderr=subprocess.DEVNULL,
        )

    def write(self, work: Work) -> None:
        home = Home(*(PurePosixPath(self.folder) for _ in range(5)))
        for name, text in WEB.process_recipe(work, home).files.items():
            (self.folder / name).write_text(text)

    def get(self, path: str) -> tuple[http.client.HTTPResponse, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.work.port, timeout=5)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer, body


def until_ready(work: Work) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            return WEB.probe(work, 1.0)
        except ProviderError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    work = a_work(port=free_port(), params={"greeting": "<script>alert(1)</script>"})
    made = Page(tmp_path, work)
    until_ready(work)
    yield made
    made.process.kill()
    made.process.wait(10)


def test_the_page_shows_its_instance_and_escapes_what_users_wrote(page: Page) -> None:
    answer, body = page.get("/")
    assert answer.status == 200
    assert page.work.instance_id in body
    assert str(page.process.pid) in body
    assert "<script>" not in body
    assert "&lt;script&gt;" in body
    assert "default-src 'none'" in str(answer.getheader("Content-Security-Policy"))
    assert answer.getheader("X-Content-Type-Options") == "nosniff"


def test_health_is_json_that_names_the_instance(page: Page) -> None:
    answer, body = page.get("/healthz")
    assert answer.status == 200
    greeting = page.work.params["greeting"]
    expected = {"status": "ok", "id": page.work.instance_id, "pid": page.process.pid, "greeting": greeting}
    assert json.loads(body) == expected


def test_other_paths_do_not_exist(page: Page) -> None:
    assert page.get("/../instance.json")[0].status == 404


def test_a_hangup_shows_the_new_greeting_in_the_same_process(page: Page) -> None:
    new = a_work(instance_id=page.work.instance_id, port=page.work.port, params={"greeting": "Moin"})
    with pytest.raises(ProviderError, match="does not show the new greeting yet"):
        WEB.needs_restart(new)
    page.write(new)
    page.process.send_signal(signal.SIGHUP)
    assert not WEB.needs_restart(new)
    assert "<h1>Moin</h1>" in page.get("/")[1]
    assert page.process.poll() is None


def test_it_ends_cleanly_when_it_is_told_to(page: Page) -> None:
    page.process.terminate()
    assert page.process.wait(5) == 0


def test_nobody_there_is_not_ready(unused_port: int) -> None:
    with pytest.raises(ProviderError, match="no answer") as refused:
        WEB.probe(a_work(port=unused_port), 0.5)
    assert refused.value.retryable


def test_a_stranger_on_the_port_is_not_ready(page: Page) -> None:
    with pytest.raises(ProviderError, match="not as this instance"):
        WEB.probe(a_work(port=page.work.port), 2.0)


def test_a_silent_server_is_not_waited_for_longer_than_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(ProviderError):
            WEB.probe(a_work(port=silent.getsockname()[1]), 0.3)
        assert time.monotonic() - started < 2 * busy()


@pytest.fixture
def unused_port() -> int:
    return free_port()


@pytest.mark.parametrize("value", ["a\nb", "a\x00b", "x" * 201, 5])
def test_a_bad_greeting_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        validated(WebParameters, {"greeting": value})
    assert refused.value.errors[0].pointer == "/params/greeting"


def test_changing_the_greeting_costs_a_reload() -> None:
    assert WEB.disruption("/params/greeting", "a", "b") is Disruption.RELOAD
    assert WEB.disruption("/params/port", 5000, 5001) is Disruption.REPLACE


def test_an_unknown_blueprint_is_refused_with_the_list() -> None:
    assert blueprint("web") is BLUEPRINTS["web"]
    with pytest.raises(InvalidInput, match="there are: postgres, web"):
        blueprint("mysql")


def test_in_a_container_the_page_takes_what_it_shows_from_its_environment() -> None:
    recipe = WEB.container_recipe(a_work(params={"greeting": "Inside"}, form=Form.CONTAINER))
    port = free_port()
    server = Path(web_server.__file__)
    process = subprocess.Popen(
        [sys.executable, "-I", str(server)],
        env={**recipe.environment, "PORT": str(port)},
        stderr=subprocess.DEVNULL,
    )
    try:
        work = a_work(params={"greeting": "Inside"}, form=Form.CONTAINER, port=port)
        until_ready(work)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            assert b"<h1>Inside</h1>" in answer.read()
    finally:
        process.terminate()
        assert process.wait(10) == 0
