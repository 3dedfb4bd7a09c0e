"""A small web server that shows its own instance. Standard library only, for it is copied to where it runs.

    python3 -I web_server.py instance.json      on the loopback interface, at the port that the file says
    python3 -I web_server.py                    in a container: what it shows is in INSTANCE, its port in PORT

SIGHUP reads the file again, SIGTERM ends with exit code 0. Berth runs it through the web blueprint.
"""

from __future__ import annotations

import html
import json
import os
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

_SINCE = datetime.now(UTC)
_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#0c2028, #e9eef0); --soft: light-dark(#52636a, #8f9fa6);
  --line: light-dark(#dde4e7, #1f2d33); --paper: light-dark(#f9fbfb, #0b151a); }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
main { width: min(36rem, 100% - 3rem); padding: 3rem 0; }
h1 { margin: 0 0 2rem; font-size: 1.75rem; line-height: 1.2; overflow-wrap: anywhere; }
dl { margin: 0; display: grid; grid-template-columns: auto 1fr; border-top: 1px solid var(--line); }
dt, dd { margin: 0; padding: .5rem 0; border-bottom: 1px solid var(--line); }
dt { color: var(--soft); padding-right: 2rem; }
dd { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self.instance: Mapping[str, Any] = json.loads(os.environ["INSTANCE"]) if file is None else {}
        self.reload()
        everywhere = "0.0.0.0"  # noqa: S104 - a container's own network, which its provider confines
        address = (everywhere, int(os.environ["PORT"])) if file is None else ("127.0.0.1", self.instance["port"])
        super().__init__(address, Handler)

    def reload(self) -> None:
        if self._file is not None:
            self.instance = json.loads(self._file.read_text(encoding="utf-8"))


class Handler(BaseHTTPRequestHandler):
    timeout = 5
    server_version = "berth-web"
    sys_version = ""
    server: Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/healthz":
            instance = self.server.instance
            health = {"status": "ok", "id": instance["id"], "pid": os.getpid(), "greeting": instance["greeting"]}
            self._answer(200, "application/json", json.dumps(health))
        elif path == "/":
            self._answer(200, "text/html; charset=utf-8", page(self.server.instance))
        else:
            self._answer(404, "text/plain; charset=utf-8", "There is only / and /healthz.\n")

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, status: int, kind: str, body: str) -> None:
        content = body.encode()
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if not self.path.startswith("/healthz"):
            super().log_request(code, size)


def page(instance: Mapping[str, Any]) -> str:
    """The whole page; everything that came from a user is escaped."""
    rows = {
        "Name": instance["name"],
        "Id": instance["id"],
        "Blueprint": instance["blueprint"],
        "Parameters": json.dumps(instance["params"], ensure_ascii=False, sort_keys=True),
        "Process": os.getpid(),
        "Since": _SINCE.isoformat(sep=" ", timespec="seconds"),
    }
    facts = "".join(f"<dt>{label}</dt><dd>{html.escape(str(value))}</dd>" for label, value in rows.items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(instance['name'])}</title><style>{_STYLE}</style>"
        f"<main><h1>{html.escape(instance['greeting'])}</h1><dl>{facts}</dl></main></html>\n"
    )


def main() -> None:
    server = Server(Path(sys.argv[1]) if len(sys.argv) > 1 else None)

    def end(*_: object) -> NoReturn:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, lambda *_: server.reload())
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
