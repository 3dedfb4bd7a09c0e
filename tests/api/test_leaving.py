"""Clients leave whenever they like, and say what they like: no such leaving is an error in the log."""

from __future__ import annotations

import json
import logging
import socket
import struct
import time
from collections.abc import Callable
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from api.live.sockets import BAD_MESSAGE, UNAUTHORIZED
from tests.support.api import TOKEN, Api

pytestmark = pytest.mark.servers
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SUBSCRIBE = json.dumps({"type": "subscribe"})


@pytest.fixture
def errors(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What the server and we have logged as an error, once everything that was begun has had its time to end."""
    caplog.set_level(logging.ERROR)

    def found() -> str:
        time.sleep(0.5)
        lines = "".join(capfd.readouterr()).splitlines()
        ours = [line for line in lines if "[error" in line or "Traceback" in line]
        return "\n".join([*ours, *(record.getMessage() for record in caplog.records)])

    return found


def opened(api: Api, *, path: str = "/ws", known: bool = True) -> ClientConnection:
    url = api.url.replace("http://", "ws://") + path
    return connect(url, additional_headers=BEARER if known else None, open_timeout=60, compression=None)


def cut(connection: ClientConnection) -> None:
    """As a crashed browser or a lost network does: without a word."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.socket.close()


def said_then_cut(api: Api, message: str | bytes, *, known: bool) -> None:
    connection = opened(api, known=known)
    connection.send(message)
    cut(connection)


@pytest.mark.parametrize("known", [True, False], ids=["with a token", "without a token"])
@pytest.mark.parametrize("message", ["nonsense", b"bytes", SUBSCRIBE], ids=["nonsense", "bytes", "subscribe"])
def test_a_socket_that_is_cut_after_a_message_is_no_error(
    api: Api, errors: Callable[[], str], message: str | bytes, known: bool
) -> None:
    for _ in range(20):
        said_then_cut(api, message, known=known)
    assert errors() == ""


def test_sockets_that_close_in_every_way_are_no_error(api: Api, errors: Callable[[], str]) -> None:
    for code in (1000, 1001, 3000, 4999):
        for wait in (0.0, 0.02):
            connection = opened(api)
            time.sleep(wait)
            connection.close(code)
    for wait in (0.0, 0.005, 0.05):
        for _ in range(10):
            connection = opened(api)
            api.create()
            time.sleep(wait)
            cut(connection)
    assert errors() == ""


def test_frames_of_bytes_are_refused_with_the_reason(api: Api, errors: Callable[[], str]) -> None:
    for known, code in ((True, BAD_MESSAGE), (False, UNAUTHORIZED)):
        with opened(api, known=known) as connection:
            connection.send(b"\x00")
            texts: list[str | bytes] = []
            with suppress(ConnectionClosed):
                texts += connection
        assert connection.close_code == code
        assert any("a frame of text is expected" in str(text) for text in texts), texts
    assert errors() == ""


def test_a_socket_to_where_none_is_gets_refused(api: Api, errors: Callable[[], str]) -> None:
    for path in ("/ui/", "/ui/instances", "/api/v1/instances", "/nowhere", "/"):
        with pytest.raises(InvalidStatus) as refused:
            opened(api, path=path)
        assert refused.value.response.status_code == 403
    assert errors() == ""


REQUESTS = {
    "half a request": "POST /api/v1/instances HTTP/1.1\r\nContent-Length: 100\r\n{headers}\r\n{{",
    "a read": "GET /api/v1/instances HTTP/1.1\r\n{headers}\r\n",
    "a long wait": "GET /api/v1/operations/{operation}?wait=30 HTTP/1.1\r\n{headers}\r\n",
    "a stream": "GET /api/v1/events/stream?records=true HTTP/1.1\r\n{headers}\r\n",
    "a whole interface": "GET /ui/ HTTP/1.1\r\n{headers}\r\n",
    "a socket's handshake": "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n",
}


@pytest.mark.parametrize("asked", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("wait", [0.0, 0.1], ids=["at once", "a moment later"])
def test_whoever_asks_and_leaves_is_no_error(api: Api, errors: Callable[[], str], asked: str, wait: float) -> None:
    operation = api.create()["operation"]["id"]
    place = urlsplit(api.url)
    headers = f"Host: {place.netloc}\r\nAuthorization: Bearer {TOKEN}\r\n"
    for abrupt in (True, False) * 5:
        with closing(socket.create_connection((place.hostname or "", place.port or 0), timeout=60)) as line:
            line.sendall(asked.format(headers=headers, operation=operation).encode())
            time.sleep(wait)
            if abrupt:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):
        api.create()  # something to tell to those who are not there any more
    assert errors() == ""


def test_an_unchanged_answer_has_no_body_on_a_kept_connection(api: Api, errors: Callable[[], str]) -> None:
    path = f"/instances/{api.an_instance()}"
    tag = api.ask("GET", path).headers["ETag"]
    for _ in range(3):
        again = api.ask("GET", path, If_None_Match=tag)
        assert (again.status_code, again.content) == (304, b"")
    assert errors() == ""
