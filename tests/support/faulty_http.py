"""HTTP/1.1 as the faulty proxy needs it: heads, raw bodies, answers without a known end, tunnels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

LIMIT = 1 << 20
_PIECE = 1 << 16
GONE = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Head:
    """A request's or an answer's first lines."""

    first: tuple[str, str, str]
    headers: dict[str, str]
    raw: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Head:
        first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        words = [*first.split(" ", 2), "", ""]
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        return cls((words[0], words[1], words[2]), headers, raw)

    @property
    def chunked(self) -> bool:
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def length(self) -> int | None:
        value = self.headers.get("content-length")
        return None if value is None else int(value)

    def without(self, name: str) -> bytes:
        lines = self.raw.rstrip(b"\r\n").split(b"\r\n")
        kept = [line for line in lines if not line.lower().startswith(name.encode() + b":")]
        return b"\r\n".join(kept) + b"\r\n\r\n"


async def pieces(head: Head, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The raw bytes of a body whose end can be told, framing included."""
    if head.chunked:
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            yield line
            if size == 0:
                break
            left = size + 2
            while left:
                piece = await reader.readexactly(min(left, _PIECE))
                left -= len(piece)
                yield piece
        while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
            yield line
        yield line
    else:
        left = head.length or 0
        while left:
            piece = await reader.readexactly(min(left, _PIECE))
            left -= len(piece)
            yield piece


async def whole_body(head: Head, reader: asyncio.StreamReader) -> bytes:
    return b"".join([piece async for piece in pieces(head, reader)])


def decoded(head: Head, raw: bytes) -> bytes:
    if not head.chunked:
        return raw
    found, rest = b"", raw
    while rest:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line.split(b";")[0] or b"0", 16)
        if size == 0:
            break
        found, rest = found + rest[:size], rest[size + 2 :]
    return found


def _has_body(request: Head, answer: Head) -> bool:
    return request.first[0] != "HEAD" and answer.first[1] not in ("204", "304")


async def _final_head(reader: asyncio.StreamReader) -> Head:
    """The answer's head; interim 1xx answers are dropped, the client has been told to go on."""
    while True:
        head = Head.parse(await reader.readuntil(b"\r\n\r\n"))
        if not head.first[1].startswith("1") or head.first[1] == "101":
            return head


async def copy_answer(request: Head, client: Streams, upstream: Streams, tunnelling: asyncio.Event) -> bool:
    """Whether the connection can carry another request. In a tunnel the client may close its half first."""
    answer = await _final_head(upstream[0])
    client[1].write(answer.raw)
    await client[1].drain()
    if answer.first[1] == "101" or (_has_body(request, answer) and not answer.chunked and answer.length is None):
        tunnelling.set()
        await _tunnel(client, upstream)
        return False
    if _has_body(request, answer):
        async for piece in pieces(answer, upstream[0]):
            client[1].write(piece)
            await client[1].drain()
    return "close" not in answer.headers.get("connection", "").lower()


async def whole_answer(request: Head, reader: asyncio.StreamReader) -> bytes:
    answer = await _final_head(reader)
    if not _has_body(request, answer):
        return answer.raw
    if not answer.chunked and answer.length is None:
        return answer.raw + await reader.read()
    return answer.raw + await whole_body(answer, reader)


async def _tunnel(client: Streams, upstream: Streams) -> None:
    """Both directions until the server's side ends; the client may close its half earlier."""

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while piece := await source.read(_PIECE):
            sink.write(piece)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()

    upwards = asyncio.create_task(pump(client[0], upstream[1]))
    try:
        await pump(upstream[0], client[1])
    finally:
        upwards.cancel()
        with suppress(asyncio.CancelledError, *GONE):
            await upwards
