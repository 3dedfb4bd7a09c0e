"""Many clients of the feed in one process: `python -m bench.feed_clients`, started by `bench.crowd`.

Bare asyncio and the standard library, so that measuring costs little beside what is measured. Each client follows
the feed by its cursor, goes on at another API process when it is cut, and checks what it sees: the versions of an
instance come one by one, each once. Frames that many clients get alike are read once.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import sys
import time
from array import array
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_REMEMBERED_FRAMES = 2048
_AT_ONCE = 20
"""So many connect together, then the next."""

COUNTS = ("lost", "again", "out_of_order", "gaps", "cuts", "errors", "complete")

Told: TypeAlias = list[tuple[str, int, float, str]]
"""Instance, version, when it was written, cursor."""


@dataclass
class Tally:
    """What all clients of this process saw."""

    total: int
    mine: str = ""
    """How the ids of the instances begin that count."""
    late: array[float] = field(default_factory=lambda: array("d"))
    again: int = 0
    out_of_order: int = 0
    gaps: int = 0
    cuts: int = 0
    errors: int = 0
    lost: int = 0
    complete: int = 0
    greeted: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    clients: int = 0
    frames: dict[bytes, Told] = field(default_factory=dict)

    def told(self, payload: bytes) -> Told:
        """The events of one frame."""
        found = self.frames.get(payload)
        if found is None:
            if len(self.frames) > _REMEMBERED_FRAMES:
                self.frames.clear()
            items = json.loads(payload).get("items", ())
            found = [
                (e["instance_id"], e["version"], e["data"]["at"], e["cursor"]) for e in items if self._counts(e)
            ]
            self.frames[payload] = found
        return found

    def _counts(self, event: dict[str, Any]) -> bool:
        return "time" in event and str(event["instance_id"]).startswith(self.mine)


class Follower:
    """One client: where it is, what it knows, and on which API process it listens."""

    def __init__(self, tally: Tally, places: list[tuple[str, int]], token: str, start: str) -> None:
        self.tally = tally
        self.token = token
        self.cursor = start
        self.seen = 0
        self.greeted_once = False
        self._complete = False
        self._places = places
        self._turn = 0
        self._versions: dict[str, int] = {}
        self._waiting: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Until it stands; the next place each time."""
        while not self.tally.done.is_set():
            host, port = self._places[self._turn % len(self._places)]
            try:
                await asyncio.get_running_loop().create_connection(lambda: Connection(self), host, port)
                return
            except OSError:
                self._turn += 1
                await asyncio.sleep(0.1 + random.random() * 0.2)

    def cut(self) -> None:
        """The connection has ended: go on elsewhere."""
        if self.tally.done.is_set():
            return
        self.tally.cuts += 1
        self._turn += 1
        self._waiting = asyncio.get_running_loop().create_task(self._again())

    async def _again(self) -> None:
        await asyncio.sleep(random.random() * 0.2)
        await self.connect()

    def greeted(self) -> None:
        """It listens."""
        if not self.greeted_once:
            self.greeted_once = True
            self.tally.greeted += 1
            if self.tally.greeted == self.tally.clients:
                self.tally.ready.set()

    def take(self, events: Told, now: float) -> None:
        """What one frame told."""
        tally, versions = self.tally, self._versions
        for instance, version, at, _ in events:
            last = versions.get(instance, 0)
            if version == last + 1:
                versions[instance] = version
                tally.late.append(now - at)
                self.seen += 1
            elif version <= last:
                tally.again += 1
            else:
                tally.out_of_order += 1
                versions[instance] = version
        if events:
            self.cursor = events[-1][3]
        if self.seen == tally.total and not self._complete:
            self._complete = True
            tally.complete += 1
            if tally.complete == tally.clients:
                tally.done.set()


class Connection(asyncio.Protocol):
    """A WebSocket, as little of it as is needed (RFC 6455)."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._buffer = b""
        self._upgraded = False
        self._greetings = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        host, port = transport.get_extra_info("peername")[:2]
        transport.write(
            f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {self._follower.token}\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._follower.cut()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._upgraded:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._follower.tally.errors += 1
                self._transport.close()
                return
            self._upgraded, self._buffer = True, rest
        self._read_frames(time.time())

    def _read_frames(self, now: float) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            length, head = buffer[at + 1], 2
            if length == 126:
                length, head = int.from_bytes(buffer[at + 2 : at + 4], "big"), 4
            elif length == 127:
                length, head = int.from_bytes(buffer[at + 2 : at + 10], "big"), 10
            if len(buffer) < at + head + length or (head > 2 and len(buffer) - at < head):
                break
            self._take(buffer[at] & 15, buffer[at + head : at + head + length], now)
            at += head + length
        self._buffer = buffer[at:]

    def _take(self, kind: int, payload: bytes, now: float) -> None:
        if kind == _PING:
            self._say(_PONG, payload)
        elif kind == _CLOSE:
            self._transport.close()
        elif kind == _TEXT and payload.startswith(b'{"type":"events"'):
            if self._greetings > 1:  # what comes before it has subscribed comes again
                self._follower.take(self._follower.tally.told(payload), now)
        elif kind == _TEXT:
            self._heed(json.loads(payload))

    def _heed(self, frame: dict[str, Any]) -> None:
        said = frame.get("type")
        if said == "hello":
            self._greetings += 1
            if self._greetings == 1:
                asked = {"type": "subscribe", "after": self._follower.cursor, "batch": True}
                self._say(_TEXT, json.dumps(asked).encode())
            else:
                self._follower.greeted()
        elif said == "snapshot_required":
            self._follower.tally.gaps += 1
        elif said == "error":
            self._follower.tally.errors += 1

    def _say(self, kind: int, payload: bytes) -> None:
        length = len(payload)
        size = bytes([128 | length]) if length < 126 else bytes([128 | 126]) + length.to_bytes(2, "big")
        # Masked with zeros: what a client says is masked, and nobody between the two reads along here.
        self._transport.write(bytes([128 | kind]) + size + b"\0\0\0\0" + payload)


async def follow(asked: dict[str, Any]) -> Tally:
    """All clients until they have seen everything, or the time is over."""
    tally = Tally(asked["total"], asked["instances"], clients=asked["clients"])
    places = [(host, port) for host, port in asked["places"]]
    turns = (number % len(places) for number in range(asked["clients"]))
    every = [Follower(tally, places[n:] + places[:n], asked["token"], asked["start"]) for n in turns]
    with suppress(TimeoutError):
        async with asyncio.timeout(asked["seconds"]):
            for first in range(0, len(every), _AT_ONCE):
                await asyncio.gather(*(follower.connect() for follower in every[first : first + _AT_ONCE]))
            await tally.ready.wait()
            print("ready", flush=True)
            await tally.done.wait()
    tally.done.set()
    tally.lost = sum(tally.total - follower.seen for follower in every)
    return tally


def main() -> int:
    """Words on standard input, one JSON object; the answer on standard output behind the line `ready`."""
    asked = json.loads(sys.stdin.readline())
    tally = asyncio.run(follow(asked))
    with open(asked["late_file"], "wb") as sink:  # noqa: PTH123 - no more than the interpreter itself
        tally.late.tofile(sink)
    print(json.dumps({key: getattr(tally, key) for key in COUNTS}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
