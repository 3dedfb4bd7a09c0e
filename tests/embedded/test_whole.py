"""`berth up` with nothing replaced: a real instance survives the supervisor and ends with a purge."""

from __future__ import annotations

import http.client
import json
import os
import pwd
import signal
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from embedded import lives, probe
from embedded.down import down
from embedded.state import known_servers
from providers.process.users import user_prefix
from system.users import is_root
from tests.embedded.conftest import Starter, wait_for
from tests.support.patience import busy

pytestmark = [pytest.mark.processes, pytest.mark.crash]
WHOLE = ("schema=db.migrate:main", "api=embedded.serve_api:main", "worker=worker:main")


def _call(ready: dict[str, Any], method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    token = (Path(ready["data_dir"]) / "token").read_text().strip()
    place = urlsplit(ready["url"])
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=40)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request(method, f"/api/v1{path}", json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status < 300, content
        return dict(json.loads(content))
    finally:
        connection.close()


def _create(ready: dict[str, Any], name: str) -> dict[str, Any]:
    wanted = {"name": name, "blueprint": "postgres", "provider": "process"}
    accepted = _call(ready, "POST", "/instances", wanted)
    path, deadline = f"/operations/{accepted['operation']['id']}?wait=10", time.monotonic() + 150
    while (operation := _call(ready, "GET", path))["status"] in ("pending", "running"):
        assert time.monotonic() < deadline, operation
    assert operation["status"] == "succeeded", operation
    return _call(ready, "GET", f"/instances/{name}")


def _pid(ready: dict[str, Any], instance: dict[str, Any], root: Path) -> int:
    del ready
    record = json.loads((root / instance["id"] / "process.json").read_text())
    return int(record["process"]["pid"])


def test_an_instance_outlives_a_killed_supervisor_and_a_plain_down_but_not_a_purge(start: Starter) -> None:
    first = start(*WHOLE)
    ready = first.event()
    assert ready["seconds"] < 10 * busy()
    instance = _create(ready, "demo")
    installation = first.installation
    pid = _pid(ready, instance, installation.instance_root)

    first.process.kill()
    first.process.wait(60)
    second = start(*WHOLE)
    again = second.event()
    assert _call(again, "GET", "/instances/demo")["status"] == "running"
    assert _pid(again, instance, installation.instance_root) == pid

    down(installation, purge=False, say=lambda text: None)
    assert second.ended()[0] == 0
    assert lives.identify(pid) is not None
    if is_root():
        assert Path(f"/proc/{pid}").stat().st_uid != 0

    prefixes = tuple(user_prefix(server) for server in known_servers(installation))
    assert prefixes
    down(installation, purge=True, say=lambda text: None)
    assert lives.identify(pid) is None
    assert not installation.shared.exists()
    assert not [user.pw_name for user in pwd.getpwall() if user.pw_name.startswith(prefixes)]


@pytest.mark.parametrize("child", ["worker", "api", "temporal", "postgres"])
def test_after_kill_9_of_any_part_the_next_creation_succeeds(start: Starter, child: str) -> None:
    up = start(*WHOLE)
    ready = up.event()
    os.kill(ready["pids"][child], signal.SIGKILL)
    event = up.event()
    assert event["child"] == child
    wait_for(lambda: probe.is_ready(ready["url"]), 120)
    assert _create(ready, "after")["status"] == "running"
