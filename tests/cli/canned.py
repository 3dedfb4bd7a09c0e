"""A real HTTP server with canned answers, and a way to run `berth` against it."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

TOKEN = "tok_canned"


@dataclass(frozen=True)
class Reply:
    """One answer. A body that is text is sent as it is."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False
    after_seconds: float = 0.0


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


class CannedBerth:
    """Answers `(method, path)` with the replies given for it; the last one is repeated."""

    def __init__(self) -> None:
        self.replies: dict[tuple[str, str], list[Reply]] = {}
        self.seen: list[Seen] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def on(self, method: str, path: str, *replies: Reply) -> None:
        """Answer this request so; later calls replace earlier ones."""
        self.replies[method, path] = list(replies)

    def requests(self, method: str, path: str | None = None) -> list[Seen]:
        return [s for s in self.seen if s.method == method and path in (None, s.path)]

    def _next(self, method: str, path: str) -> Reply:
        replies = self.replies.get((method, path))
        if not replies:
            return problem(404, "Not found", code="not-found", detail=f"There is no {path}.")
        return replies.pop(0) if len(replies) > 1 else replies[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        canned = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                path, _, query = self.path.partition("?")
                path = path.removeprefix("/api/v1")
                length = int(self.headers.get("Content-Length") or 0)
                raw = self.rfile.read(length)
                body = json.loads(raw) if raw else None
                canned.seen.append(Seen(self.command, path, query, dict(self.headers), body))
                reply = canned._next(self.command, path)
                time.sleep(reply.after_seconds)
                if reply.hang_up:
                    self.close_connection = True
                    return
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    reply = problem(401, "Who are you?", code="unauthenticated")
                text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                return None

        return Handler


def problem(status: int, title: str, **more: Any) -> Reply:
    headers = {"Content-Type": "application/problem+json"}
    if "retry_after" in more:
        headers["Retry-After"] = str(more.pop("retry_after"))
    return Reply(status, {"type": "about:blank", "title": title, "status": status, **more}, headers)


def instance(name: str = "demo", **more: Any) -> dict[str, Any]:
    record = {
        "id": "ins_01",
        "name": name,
        "deployment_id": "dep_01",
        "blueprint": "web",
        "provider": "process",
        "status": "running",
        "health": "healthy",
        "endpoint": "http://127.0.0.1:15001",
        "created_at": "2026-01-01T00:00:00Z",
        "current_operation": None,
        "allowed_actions": [{"action": "stop", "label": "Stop", "button": True, "enabled": True}],
    }
    return {**record, **more}


def deployment(name: str = "demo", **more: Any) -> dict[str, Any]:
    record = {
        "id": "dep_01",
        "name": name,
        "blueprint": "web",
        "provider": "process",
        "spec": {
            "params": {"greeting": "hello"},
            "resources": {"cpu": 0.5, "memory_mb": 128, "disk_gb": None},
            "members": 1,
            "labels": {"team": "core"},
            "restart_policy": "never",
        },
        "instances": [instance(name)],
    }
    return {**record, **more}


def operation(status: str = "pending", kind: str = "stop", **more: Any) -> dict[str, Any]:
    done = status in ("succeeded", "failed", "cancelled")
    record = {
        "id": "op_01",
        "kind": kind,
        "status": status,
        "done": done,
        "deployment_id": "dep_01",
        "instance_ids": ["ins_01"],
        "steps": [],
        "created_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:02Z" if done else None,
    }
    return {**record, **more}


def accepted(op: dict[str, Any], inst: dict[str, Any] | None = None) -> Reply:
    return Reply(202, {"instance": inst or instance(), "operation": op})


FAILED = operation(
    "failed",
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    error={
        "code": "no-capacity",
        "message": "no host has room",
        "step": "provision",
        "retryable": True,
        "kept": ["database app"],
        "cleaned": ["the container"],
        "help": {"text": "Add a host.", "url": "/docs/errors#no-capacity"},
    },
)
