"""Small programs in place of worker, API and migration, to test the supervisor alone. Run behind the gate."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psycopg2

from embedded.serving import SOCKET_ENV


def schema() -> None:
    """Proves that the database accepts us; keeps one row for the tests to find again."""
    connection = psycopg2.connect(os.environ["DATABASE_URL"].replace("+psycopg2", ""), connect_timeout=30)
    connection.autocommit = True
    connection.cursor().execute("create table if not exists kept (start_number serial)")
    connection.cursor().execute("insert into kept default values")
    connection.close()


def broken_schema() -> None:
    sys.exit("the schema is newer than this program")


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ready = self.path.startswith("/readyz") and _worker_file().exists()
        body = b'{"worker": "ok"}' if ready else b'{"worker": "no poller seen"}'
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.send_error(404)


def api() -> None:
    listening = socket.socket(fileno=int(os.environ[SOCKET_ENV]))
    server = HTTPServer(("127.0.0.1", 0), _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    server.serve_forever()


def worker() -> None:
    """Ends by itself on SIGTERM and says so in a file, as a drained worker would."""
    data_dir = Path(os.environ["BERTH_DATA_DIR"])

    def drain(number: int, frame: object) -> None:
        (data_dir / "drained").touch()
        _worker_file().unlink(missing_ok=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, drain)
    _worker_file().write_text(os.environ["BERTH_TEMPORAL_FRESH"])
    while True:
        time.sleep(60)


def dying_worker() -> None:
    sys.exit("no such queue")


def _worker_file() -> Path:
    return Path(os.environ["BERTH_DATA_DIR"]) / "worker-is-up"


def silent_worker() -> None:
    """Lives, but never polls."""
    while True:
        time.sleep(60)
