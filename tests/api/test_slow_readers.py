"""Who does not read is dropped with a code, loses nothing by it, and keeps nobody else waiting."""

from __future__ import annotations

import base64
import json
import os
import socket as sockets
import time
from pathlib import Path
from typing import Any

import pytest

import api.live.sockets
from api.live import connections
from api.routes import stream
from tests.api.test_feed import events_on, frame, socket, subscribe
from tests.support.api import TOKEN, Api, running_api
from tests.support.events import emit_observed
from tests.support.patience import busy
from tests.support.postgres import PostgresServer
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers
EVENTS = 300
_WEIGHT = "x" * 20_000


def emit_heavy(api: Api, count: int) -> None:
    """Events that fill the buffers between the API and who does not read."""
    with api.database.begin() as tx:
        for version in range(count):
            emit_observed(tx, "ins_heavy", version, {"weight": _WEIGHT})


def deaf_reader(api: Api, path: str, *headers: str) -> sockets.socket:
    """A line with a small buffer whose client has asked and never reads."""
    host, _, port = api.url.removeprefix("http://").partition(":")
    opened = sockets.socket()
    opened.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    opened.settimeout(60)
    opened.connect((host, int(port)))
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", f"Authorization: Bearer {TOKEN}", *headers]
    opened.sendall("\r\n".join([*lines, "", ""]).encode())
    return opened


def deaf_socket(api: Api) -> sockets.socket:
    key = base64.b64encode(os.urandom(16)).decode()
    handshake = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    return deaf_reader(api, "/ws", *handshake, f"Sec-WebSocket-Key: {key}")


def last_frame(opened: sockets.socket) -> tuple[int, bytes]:
    """(opcode, payload) of the last whole frame before the line ends."""
    told = bytearray()
    while part := opened.recv(1 << 20):
        told += part
    at, found = told.index(b"\r\n\r\n") + 4, (0, b"")
    while at + 2 <= len(told):
        length, head = told[at + 1] & 127, 2
        if length >= 126:
            head = 4 if length == 126 else 10
            length = int.from_bytes(told[at + 2 : at + head], "big")
        found = (told[at] & 15, bytes(told[at + head : at + head + length]))
        at += head + length
    return found


def test_a_reader_that_takes_nothing_is_closed_with_1013_and_the_others_are_not_kept(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    run = api_sockets().Session.run

    async def noted(self: Any) -> Any:
        ended.append(await run(self))
        return ended[-1]

    monkeypatch.setattr(api_sockets().Session, "run", noted)
    monkeypatch.setattr(api_sockets(), "SEND_SECONDS", 3.0)
    with deaf_socket(api) as deaf, socket(api) as quick:
        frame(quick)
        subscribe(quick, batch=True)
        emit_heavy(api, EVENTS)
        begun = time.monotonic()
        assert [e["version"] for e in events_on(quick, EVENTS)] == list(range(EVENTS))
        assert time.monotonic() - begun < 20 * busy(), "nobody waits for the slow"
        wait_for(lambda: bool(ended), 30, "it is not dropped")
        assert ended == [api_sockets().SLOW]
        opcode, payload = last_frame(deaf)
    assert opcode == 8
    assert int.from_bytes(payload[:2], "big") == 1013


def test_a_reader_of_server_sent_events_that_takes_nothing_gives_its_seat_back(
    tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, url = "/api/v1/events/stream", postgres_server.new_database()
    monkeypatch.setattr(connections, "SEND_SECONDS", 3.0)
    monkeypatch.setattr(stream, "KEEP_ALIVE_SECONDS", 1.0)
    with running_api(tmp_path, url, limit_sockets=1) as api, deaf_reader(api, path) as deaf:
        assert deaf.recv(12) == b"HTTP/1.1 200"
        assert not is_admitted(api)
        emit_heavy(api, EVENTS)
        wait_for(lambda: is_admitted(api), 60, "it keeps its seat")


def is_admitted(api: Api) -> bool:
    with api.client.stream("GET", "/api/v1/events/stream") as answer:
        return answer.status_code == 200


def api_sockets() -> Any:
    return api.live.sockets


def test_a_crowd_in_the_same_place_is_told_the_same_frame_once_made(api: Api) -> None:
    """One frame for all who want the same; who wants less gets his own."""
    with socket(api) as one, socket(api) as two, socket(api) as other:
        for opened, wanted in ((one, {}), (two, {}), (other, {"instance_id": "ins_nobody"})):
            frame(opened)
            subscribe(opened, batch=True, **wanted)
            assert frame(opened)["type"] == "hello"
        emit_heavy(api, 3)
        assert one.recv(timeout=60) == two.recv(timeout=60)
        with pytest.raises(TimeoutError):
            json.loads(other.recv(timeout=1))
