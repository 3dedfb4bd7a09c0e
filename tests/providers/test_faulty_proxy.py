"""The faulty proxy does what it is told, and nothing to what it is not told about."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.faulty_proxy import FaultyProxy

pytestmark = pytest.mark.servers


class _Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/upgrade":
            return self._echo()
        if self.path == "/watch":
            return self._stream()
        return self._say(f"you got {self.path}")

    def do_POST(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.done.append(body.decode())  # type: ignore[attr-defined]
        self._say(f"you sent {len(body)}")

    def _say(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(50):
            self.wfile.write(b"3\r\n%03d\r\n" % number)
            self.wfile.flush()
            if number == 0:
                self.server.more.wait(60)  # type: ignore[attr-defined]
        self.wfile.write(b"0\r\n\r\n")

    def _echo(self) -> None:
        self.send_response(101)
        self.send_header("Upgrade", "tcp")
        self.end_headers()
        self.wfile.write(b"hello ")
        said = self.rfile.read()
        self.wfile.write(said.upper())
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that leave are part of the test."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Upstream)
    server.done = []  # type: ignore[attr-defined]
    server.more = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def running(upstream: _Server) -> Iterator[FaultyProxy]:
    with FaultyProxy.start(f"http://127.0.0.1:{upstream.server_address[1]}") as proxy:
        yield proxy


@pytest.fixture
def proxy(running: FaultyProxy, upstream: _Server) -> FaultyProxy:
    running.clear()
    running.forget_requests()
    upstream.done.clear()  # type: ignore[attr-defined]
    upstream.more.clear()  # type: ignore[attr-defined]
    return running


def _ask(proxy: FaultyProxy, method: str, path: str, body: object = None, timeout: float = 60) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port or 0, timeout=timeout)
    try:
        connection.request(method, path, body)  # type: ignore[arg-type]
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_it_forwards_what_no_rule_names_on_one_connection(proxy: FaultyProxy) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port or 0, timeout=60)
    for path in ("/a", "/b?c=d"):
        connection.request("GET", path)
        assert connection.getresponse().read().decode() == f"you got {path}"
    connection.close()
    assert [one["path"] for one in proxy.requests()] == ["/a", "/b?c=d"]


def test_bodies_pass_whole_with_a_length_and_in_chunks(proxy: FaultyProxy, upstream: _Server) -> None:
    big = "x" * 300_000
    assert _ask(proxy, "POST", "/", big) == (200, "you sent 300000")
    assert _ask(proxy, "POST", "/", iter([b"ab", b"cd"])) == (200, "you sent 4")
    assert upstream.done == [big, "abcd"]  # type: ignore[attr-defined]


def test_a_refusal_reaches_only_the_nth_match(proxy: FaultyProxy, upstream: _Server) -> None:
    rule = proxy.refuse(503, {"no": 1}, method="POST", path="^/things", body="name=b", skip=1, times=1)
    asked = [_ask(proxy, "POST", "/things", f"name={name}")[0] for name in "abbb"]
    assert asked == [200, 200, 503, 200]
    assert (proxy.matched(rule), proxy.applied(rule)) == (3, 1)
    assert upstream.done == ["name=a", "name=b", "name=b"]  # type: ignore[attr-defined]


def test_a_lost_answer_was_a_success(proxy: FaultyProxy, upstream: _Server) -> None:
    proxy.lose_answer(method="POST")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        _ask(proxy, "POST", "/", "one")
    assert _ask(proxy, "POST", "/", "two")[0] == 200
    assert upstream.done == ["one", "two"]  # type: ignore[attr-defined]


def test_an_error_after_success_was_a_success(proxy: FaultyProxy, upstream: _Server) -> None:
    proxy.error_after_success(500, "oops", method="POST")
    assert _ask(proxy, "POST", "/", "one") == (500, "oops")
    assert upstream.done == ["one"]  # type: ignore[attr-defined]


def test_what_hangs_reaches_nobody_when_the_client_leaves(proxy: FaultyProxy, upstream: _Server) -> None:
    rule = proxy.hang(method="POST", times=2)
    with pytest.raises(TimeoutError):
        _ask(proxy, "POST", "/", "one", timeout=0.3)
    answers: list[tuple[int, str]] = []
    waiting = threading.Thread(target=lambda: answers.append(_ask(proxy, "POST", "/", "two")))
    waiting.start()
    time.sleep(0.3)
    assert answers == []
    proxy.release(rule)
    waiting.join(60)
    assert answers == [(200, "you sent 3")]
    assert upstream.done == ["two"]  # type: ignore[attr-defined]


def test_an_answer_can_be_held_back(proxy: FaultyProxy, upstream: _Server) -> None:
    proxy.hang_after_success(method="POST")
    with pytest.raises(TimeoutError):
        _ask(proxy, "POST", "/", "one", timeout=0.4)
    deadline = time.monotonic() + 60
    while upstream.done != ["one"]:  # type: ignore[attr-defined]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_delay_is_shared_with_other_rules(proxy: FaultyProxy) -> None:
    proxy.delay(0.3)
    proxy.refuse(418)
    began = time.monotonic()
    assert _ask(proxy, "GET", "/")[0] == 418
    assert time.monotonic() - began >= 0.3


def test_a_stream_arrives_piece_by_piece_and_can_be_cut(proxy: FaultyProxy, upstream: _Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port or 0, timeout=60)
    connection.request("GET", "/watch")
    answer = connection.getresponse()
    assert answer.read(3) == b"000", "before there is more of it"
    upstream.more.set()  # type: ignore[attr-defined]
    assert answer.read().decode().endswith("049")
    connection.close()
    upstream.more.clear()  # type: ignore[attr-defined]
    rule = proxy.cut(0.5, path="/watch")
    with pytest.raises((http.client.IncompleteRead, http.client.RemoteDisconnected, ConnectionResetError)):
        _ask(proxy, "GET", "/watch")
    upstream.more.set()  # type: ignore[attr-defined]
    assert proxy.applied(rule) == 1
    assert _ask(proxy, "GET", "/watch")[1].endswith("049")


def test_an_upgrade_is_a_tunnel_whose_halves_close_apart(proxy: FaultyProxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port or 0), timeout=60) as raw:
        raw.sendall(b"GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        raw.sendall(b"world")
        time.sleep(0.3)
        raw.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: raw.recv(4096), b""))
    assert said.startswith(b"HTTP/1.1 101")
    assert said.endswith(b"hello WORLD")


def test_an_outage_is_over_when_its_rule_is(proxy: FaultyProxy) -> None:
    rule = proxy.close_connections(times=-1)
    for _ in range(3):
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            _ask(proxy, "GET", "/")
    assert proxy.applied(rule) == 3
    proxy.drop(rule)
    assert _ask(proxy, "GET", "/")[0] == 200


def test_it_speaks_through_sockets_on_both_sides(upstream: _Server, tmp_path: Path) -> None:
    there = f"http://127.0.0.1:{upstream.server_address[1]}"
    with FaultyProxy.start(there, socket=tmp_path / "a.sock") as first, FaultyProxy.start(first.url) as second:
        assert _ask(second, "POST", "/", iter([b"ab", b"cd"])) == (200, "you sent 4")
    assert not (tmp_path / "a.sock").exists()


def test_an_unknown_effect_is_refused(proxy: FaultyProxy) -> None:
    with pytest.raises(ValueError, match="effect must be one of"):
        proxy._add("explode", {})
