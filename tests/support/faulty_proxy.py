"""A reverse proxy between a client and a real server that fails as told, in a process of its own.

    with FaultyProxy.start("unix:///run/docker.sock", socket=folder / "proxy.sock") as proxy:
        rule = proxy.lose_answer(method="POST", path="/containers/create")
        ...
        assert proxy.applied(rule) == 1

A rule matches by `method` (a full regular expression), `path` (searched in path and query) and `body` (searched);
`skip` matches pass first, then it applies `times` times (-1: for ever). The first rule given that applies has the
request; `delay` and `count` leave it to the next. Nothing is parsed above HTTP, so Docker's attach, Kubernetes'
watch and AWS' query API all pass through.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, TypedDict, Unpack

ROOT = Path(__file__).parents[2]


class Match(TypedDict, total=False):
    """Which requests, how often, and how long they wait first."""

    method: str
    path: str
    body: str
    skip: int
    times: int
    delay: float


class Server:
    """A server process of the tests: it prints one line of JSON when ready, and ends with its standard input."""

    def __init__(self, module: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError(f"{module} did not start")
        self.ready: dict[str, Any] = json.loads(line)

    def stop(self) -> None:
        """By closing its standard input; by force when that does not help."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)
        self.process.stdout.close()


def control(port: int, method: str, path: str, body: object = None) -> Any:
    """One JSON call to a control port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        found = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status != 200:
        raise ValueError(found["error"])
    return found


class FaultyProxy:
    """The client side: start it, give it rules, read what it did."""

    def __init__(self, server: Server, socket: Path | None) -> None:
        self._server = server
        self._control = int(server.ready["control"])
        self.socket = socket
        self.port: int | None = server.ready["port"]

    @classmethod
    def start(cls, upstream: str, *, socket: Path | None = None, token: str | None = None) -> FaultyProxy:
        """`upstream`: `http://host:port`, `https://host:port` (not verified) or `unix:///path`. Listens on a free
        loopback port, or on `socket`. `token`: sent as bearer token where the client sends no Authorization."""
        environment = {} if token is None else {"FAULTY_PROXY_TOKEN": token}
        listen = "tcp" if socket is None else str(socket)
        server = Server("tests.support.faulty_proxy_server", upstream, listen, environment=environment)
        return cls(server, socket)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}" if self.socket is None else f"unix://{self.socket}"

    def refuse(self, status: int, answer: str | object = "", **match: Unpack[Match]) -> int:
        """Answer instead of forwarding; an object is sent as JSON."""
        return self._add("refuse", match, status=status, answer=_text(answer))

    def refuse_with(self, status: int, answer: str, headers: dict[str, str], **match: Unpack[Match]) -> int:
        return self._add("refuse", match, status=status, answer=answer, headers=headers)

    def lose_answer(self, **match: Unpack[Match]) -> int:
        """The server does it; the client's connection breaks before the answer."""
        return self._add("lose_answer", match)

    def error_after_success(self, status: int = 500, answer: str | object = "", **match: Unpack[Match]) -> int:
        """The server does it; the client is told `status`."""
        return self._add("error_after_success", match, status=status, answer=_text(answer))

    def delay(self, seconds: float, **match: Unpack[Match]) -> int:
        return self._add("pass", {**match, "delay": seconds})

    def count(self, **match: Unpack[Match]) -> int:
        """Only count what matches."""
        return self._add("pass", {"times": -1, **match})

    def hang(self, **match: Unpack[Match]) -> int:
        """Nothing reaches the server until `release`, and nothing at all if the client leaves first."""
        return self._add("hang", match)

    def hang_after_success(self, **match: Unpack[Match]) -> int:
        """The server does it; the answer waits for `release` or for the client to leave."""
        return self._add("hang_after_success", match)

    def cut(self, seconds: float, **match: Unpack[Match]) -> int:
        """The answer streams for so long, then the connection breaks in the middle."""
        return self._add("cut", match, seconds=seconds)

    def close_connections(self, **match: Unpack[Match]) -> int:
        """As if nobody were there: `times=-1` without a match is an outage."""
        return self._add("close", match)

    def release(self, rule: int) -> None:
        """Let go what the rule holds; it holds nothing new."""
        control(self._control, "POST", f"/rules/{rule}/release")

    def drop(self, rule: int) -> None:
        control(self._control, "DELETE", f"/rules/{rule}")

    def clear(self) -> None:
        """No rules; whatever hung goes on."""
        control(self._control, "DELETE", "/rules")

    def matched(self, rule: int) -> int:
        return self._count(rule, "matched")

    def applied(self, rule: int) -> int:
        return self._count(rule, "applied")

    def requests(self) -> list[dict[str, Any]]:
        """What came by, oldest first: `method`, `path`, `effect` (None: forwarded as it was)."""
        found: list[dict[str, Any]] = control(self._control, "GET", "/requests")
        return found

    def forget_requests(self) -> None:
        control(self._control, "DELETE", "/requests")

    def stop(self) -> None:
        self._server.stop()
        if self.socket is not None:
            self.socket.unlink(missing_ok=True)

    def __enter__(self) -> FaultyProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _add(self, effect: str, match: Match | dict[str, Any], **more: object) -> int:
        return int(control(self._control, "POST", "/rules", {"effect": effect, **match, **more})["id"])

    def _count(self, rule: int, what: str) -> int:
        facts = control(self._control, "GET", "/rules")
        return int(next(one[what] for one in facts if one["id"] == rule))


def _text(answer: str | object) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer)
