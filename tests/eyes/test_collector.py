"""Traces reach a collector where one is configured, over HTTP, and without what a span must not tell."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from db.session import open_database
from observability import API, tracing
from settings import Settings

pytestmark = pytest.mark.servers


def test_a_collector_gets_names_and_ids_and_no_word_of_an_error(tmp_path: Path, database_url: str) -> None:
    got: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    known = Settings(data_dir=tmp_path, otlp_endpoint=f"http://127.0.0.1:{server.server_address[1]}/")
    database = open_database(database_url)
    provider = tracing(known, database, API)
    try:
        with provider.get_tracer("berth").start_as_current_span("the-click") as span:
            span.set_attribute("berth.operation", "op_1")
            span.set_attribute("params", "hunter2")
            span.record_exception(ValueError("hunter2"))
        provider.shutdown()
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
        database.engine.dispose()
    ((path, body),) = got
    assert path == "/v1/traces"
    assert b"the-click" in body
    assert b"op_1" in body
    assert b"berth-api" in body
    assert b"hunter2" not in body
