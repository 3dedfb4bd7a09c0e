"""Ten thousand rows while a hundred events a second arrive: what frames and tasks take in the page alone.

Plays the server for the built page, so that nothing else is measured (the whole: bench/ui.py):
`python -m bench.scroll [rows] [events per second]`. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Route, WebSocketRoute

from domain.lifecycle import Status
from scripts import chromium

DIST = Path(__file__).resolve().parents[1] / "ui" / "dist"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
SECONDS = 8
_LEAST_TASK_MS = 1.0
FRAMES = """() => { window.frames_ = []; let last = performance.now();
  const tick = now => { window.frames_.push(now - last); last = now; requestAnimationFrame(tick); };
  requestAnimationFrame(tick); window.long_ = [];
  new PerformanceObserver(list => window.long_.push(...list.getEntries().map(one => one.duration)))
    .observe({ type: "longtask" }); }"""
SCROLL = """seconds => new Promise(done => { const end = performance.now() + seconds * 1000;
  const step = () => { scrollBy(0, 240);
    if (innerHeight + scrollY > document.body.scrollHeight - 400) scrollTo(0, 0);
    performance.now() < end ? requestAnimationFrame(step) : done(); }; step(); })"""
TICKS = """every => { window.ticks_ = 0; let due = performance.now(); const tell = () => {
  while (performance.now() > due) { window.tellOne_(window.ticks_++); due += every; }
  setTimeout(tell, 5); }; tell(); }"""


def record(number: int) -> dict[str, Any]:
    ident = f"ins_{number:026d}"
    return {
        "id": ident,
        "instance_id": ident,
        "name": f"row-{number}",
        "deployment_id": f"dep_{number:026d}",
        "deployment_name": f"row-{number}",
        "deployment_version": 1,
        "project": "default",
        "role": "standalone",
        "blueprint": "web",
        "provider": "simulated",
        "host": None,
        "spec": {"members": 1, "params": {}, "resources": {}, "labels": {}},
        "resources": {},
        "labels": {},
        "pending_changes": [],
        "status": Status.RUNNING,
        "lifecycle_state": "RUNNING",
        "provisioning_status": "completed",
        "billing_status": "trial",
        "health": "unknown",
        "health_checked_at": None,
        "error_message": None,
        "error_code": None,
        "endpoint": None,
        "version": 1,
        "current_operation": None,
        "allowed_actions": [],
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }


class Server:
    """What the page asks for, from memory."""

    def __init__(self, rows: int) -> None:
        self.rows = [record(number) for number in range(rows)]
        self.counts = {"running": rows, "stopping": 0, "stopped": 0, "error": 0, "needs_you": 0}

    def answer(self, route: Route) -> None:
        path, _, query = route.request.url.split("/", 3)[3].partition("?")
        if path.startswith("ui"):
            self._file(route, path)
            return
        route.fulfill(status=200, content_type="application/json", body=json.dumps(self._body(path, query)))

    def _file(self, route: Route, path: str) -> None:
        file = DIST / path.removeprefix("ui").strip("/")
        file = file if file.is_file() else DIST / "index.html"
        route.fulfill(status=200, content_type=TYPES.get(file.suffix, "text/plain"), body=file.read_bytes())

    def _body(self, path: str, query: str) -> Any:
        if path == "api/v1/lifecycle":
            stop = {"operation": "stop", "legal_from": ["running"], "during": "stopping", "done": "stopped"}
            statuses = [{"name": name} for name in ("running", "stopping", "stopped", "error")]
            return {"statuses": statuses, "moves": [stop], "operations": [], "params": {}}
        if path == "api/v1/ws-tickets":
            return {"ticket": "once", "expires_in": 30}
        if path == "api/v1/instances":
            return self._page(query)
        if path.startswith("api/v1/instances/"):
            return self.rows[int(path.rsplit("_", 1)[1])]
        return {
            "items": [],
            "counts": {},
            "role": "admin",
            "rights": [],
            "principal": "x",
            "project": "p",
            "projects": [],
        }

    def _page(self, query: str) -> dict[str, Any]:
        asked = dict(part.partition("=")[::2] for part in query.split("&"))
        if "needs_you" in asked or "status" in asked:
            return {"items": [], "instances": [], "counts": self.counts}
        start, size = int(asked.get("page_token", "0")), int(asked.get("page_size", "50"))
        page: dict[str, Any] = {"items": self.rows[start : start + size], "counts": self.counts}
        return page | ({"next_page_token": str(start + size)} if start + size < len(self.rows) else {})


def event(number: int, rows: int) -> str:
    which, turn = number * 7 % rows, number // rows + 2
    form: dict[str, Any] = {
        "cursor": f"c{number}",
        "event_type": "STOP_PLANNED",
        "instance_id": f"ins_{which:026d}",
        "deployment_id": None,
        "operation_id": None,
        "version": turn,
        "status": "stopped" if turn % 2 == 0 else "running",
        "lifecycle_state": None,
        "actor": "load",
        "time": "2026-01-01T00:00:00Z",
        "data": {},
    }
    return json.dumps({"type": "events", "items": [form]})


def tasks_of(trace: dict[str, Any]) -> list[float]:
    """CPU milliseconds of each task of the page's main thread: the same on a busy machine as on an idle one."""
    events = trace["traceEvents"]
    mains = {
        (one["pid"], one["tid"])
        for one in events
        if one.get("name") == "thread_name" and one["args"].get("name") == "CrRendererMain"
    }
    return [one["tdur"] / 1000 for one in events if "tdur" in one and (one["pid"], one["tid"]) in mains]


def measure(rows: int, per_second: int) -> dict[str, Any]:
    lines: list[WebSocketRoute] = []

    def accept(line: WebSocketRoute) -> None:
        lines.append(line)
        line.on_message(lambda _: line.send(json.dumps({"type": "hello", "cursor": "c", "epoch": "e"})))

    def tell(number: int) -> None:
        if lines:
            lines[-1].send(event(number, rows))

    with chromium.playwright() as running, chromium.chromium(running) as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script("localStorage.setItem('berth.token', 'x')")
        page.route("**/*", Server(rows).answer)
        page.route_web_socket("**/api/v1/ws", accept)
        page.expose_function("tellOne_", tell)
        page.goto("http://berth.test/ui/instances?sort=name")
        page.wait_for_function(
            f"document.querySelector('.foot')?.textContent?.startsWith('{rows} of')", timeout=120_000
        )
        time.sleep(2)
        browser.start_tracing(page=page, categories=["toplevel", "__metadata"])
        page.evaluate(FRAMES)
        page.evaluate(TICKS, 1000 / per_second)
        page.evaluate(SCROLL, SECONDS)
        frames: list[float] = sorted(page.evaluate("window.frames_"))
        long: list[float] = page.evaluate("window.long_")
        told: int = page.evaluate("window.ticks_")
        tasks = [one for one in tasks_of(json.loads(browser.stop_tracing())) if one >= _LEAST_TASK_MS]
    return {"rows": rows, "events": told, "long_tasks": len(long), "frames_ms": frames, "tasks_ms": tasks}


def _figures(found: dict[str, Any]) -> dict[str, Any]:
    frames, tasks = found.pop("frames_ms"), found.pop("tasks_ms")
    return {
        **found,
        "frames": len(frames),
        "p50_ms": round(frames[len(frames) // 2], 1),
        "p99_ms": round(frames[int(len(frames) * 0.99)], 1),
        "longest_ms": round(frames[-1], 1),
        "over_50_ms": sum(frame > 50 for frame in frames),
        "longest_task_cpu_ms": round(max(tasks), 1),
        "tasks_over_50_cpu_ms": sum(task > 50 for task in tasks),
    }


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:3]]
    sys.stdout.write(json.dumps(_figures(measure(*[*given, *[10_000, 100][len(given) :]]))) + "\n")
