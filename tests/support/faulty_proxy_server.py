"""The faulty proxy's own process: `python -m tests.support.faulty_proxy_server UPSTREAM LISTEN [TOKEN]`.

A reverse proxy that forwards HTTP/1.1 byte for byte – chunked answers, upgrades and endless streams too – and does
what its rules say. UPSTREAM is `http://host:port`, `https://host:port` (not verified) or `unix:///path`; LISTEN is
`tcp` or a socket path. Prints one line of JSON when it listens; ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit

from tests.support.faulty_http import (
    GONE,
    LIMIT,
    Head,
    Streams,
    copy_answer,
    decoded,
    pieces,
    whole_answer,
    whole_body,
)
from tests.support.faulty_rules import AFTERWARDS, Book, Rule

_CONNECT_SECONDS = 30.0


class Proxy:
    def __init__(self, upstream: str, token: str | None) -> None:
        self.book = Book()
        self._upstream = urlsplit(upstream)
        self._token = token
        self._tls = _unverified() if self._upstream.scheme == "https" else None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client connection, request after request."""
        with closing(writer), suppress(*GONE):
            more = True
            while more:
                more = await self._one(reader, writer)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection can carry another request."""
        request = Head.parse(await reader.readuntil(b"\r\n\r\n"))
        method, path, _ = request.first
        if request.headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        buffered = await whole_body(request, reader) if self.book.wants_body(method, path) else None
        rule, delay = self.book.take(method, path, decoded(request, buffered or b""))
        await asyncio.sleep(delay)
        if rule is not None:
            if rule.effect == "close":
                return False
            if buffered is None:
                buffered = await whole_body(request, reader)
            if rule.effect == "refuse":
                return await _answer(writer, rule)
            if rule.effect == "hang" and not await _released(rule, reader):
                return False
        try:
            upstream = await self._connect()
        except GONE as error:
            return await _bad_gateway(writer, error)
        try:
            await self._send(request, buffered, reader, upstream[1])
            return await self._deliver(request, rule, (reader, writer), upstream)
        finally:
            upstream[1].close()

    async def _deliver(self, request: Head, rule: Rule | None, client: Streams, upstream: Streams) -> bool:
        if rule is None or rule.effect not in AFTERWARDS:
            tunnelling = asyncio.Event()
            copying = asyncio.create_task(copy_answer(request, client, upstream, tunnelling))
            limit = rule.seconds if rule is not None and rule.effect == "cut" else None
            return await _while_wanted(copying, limit, lambda: not tunnelling.is_set() and _has_left(client[0]))
        held = await whole_answer(request, upstream[0])
        if rule.effect == "lose_answer":
            return False
        if rule.effect == "error_after_success":
            return await _answer(client[1], rule)
        if not await _released(rule, client[0]):
            return False
        client[1].write(held)
        await client[1].drain()
        return True

    async def _connect(self) -> Streams:
        there = self._upstream
        if there.scheme == "unix":
            opening = asyncio.open_unix_connection(there.path, limit=LIMIT)
        else:
            opening = asyncio.open_connection(there.hostname, there.port, ssl=self._tls, limit=LIMIT)
        return await asyncio.wait_for(opening, _CONNECT_SECONDS)

    async def _send(
        self, request: Head, buffered: bytes | None, reader: asyncio.StreamReader, to: asyncio.StreamWriter
    ) -> None:
        raw = request.without("expect")
        if self._token and "authorization" not in request.headers:
            raw = raw[:-2] + f"Authorization: Bearer {self._token}\r\n\r\n".encode()
        to.write(raw)
        if buffered is None:
            async for piece in pieces(request, reader):
                to.write(piece)
                await to.drain()
        else:
            to.write(buffered)
        await to.drain()


def _unverified() -> ssl.SSLContext:
    """Made once and without the system's authorities: loading those takes longer than most requests."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _while_wanted(copying: asyncio.Task[bool], limit: float | None, left: Callable[[], bool]) -> bool:
    """The copy's result; the upstream is let go as soon as the client has left, and after `limit` seconds."""
    loop = asyncio.get_running_loop()
    until = None if limit is None else loop.time() + limit
    while not copying.done():
        await asyncio.wait({copying}, timeout=0.1)
        overdue = until is not None and loop.time() >= until
        if not copying.done() and (overdue or left()):
            copying.cancel()
            with suppress(asyncio.CancelledError, *GONE):
                await copying
            return False
    return copying.result()


def _has_left(client: asyncio.StreamReader) -> bool:
    return client.exception() is not None or client.at_eof()


async def _released(rule: Rule, client: asyncio.StreamReader) -> bool:
    """True when the rule let go, False when the client left first."""
    while not rule.released.is_set():
        if _has_left(client):
            return False
        with suppress(TimeoutError):
            await asyncio.wait_for(rule.released.wait(), 0.1)
    return not _has_left(client)


async def _answer(writer: asyncio.StreamWriter, rule: Rule) -> bool:
    body = rule.answer.encode()
    headers = {"Content-Type": "application/json", **rule.headers, "Content-Length": str(len(body))}
    lines = [f"HTTP/1.1 {rule.status} Fault", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    await writer.drain()
    return True


async def _bad_gateway(writer: asyncio.StreamWriter, error: BaseException) -> bool:
    body = f"upstream unreachable: {type(error).__name__}".encode()
    writer.write(b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()
    return False


async def _control(book: Book, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """`POST /rules`, `GET /rules`, `DELETE /rules[/n]`, `POST /rules/n/release`, `GET|DELETE /requests`."""
    with closing(writer), suppress(*GONE):
        head = Head.parse(await reader.readuntil(b"\r\n\r\n"))
        body = await whole_body(head, reader)
        try:
            status, answer = 200, _obey(book, head.first[0], head.first[1].strip("/").split("/"), body)
        except (ValueError, TypeError, KeyError) as error:
            status, answer = 400, {"error": str(error)}
        text = json.dumps(answer).encode()
        writer.write(
            b"HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (status, len(text)) + text
        )
        await writer.drain()


def _obey(book: Book, method: str, path: list[str], body: bytes) -> Any:
    match (method, *path):
        case ("POST", "rules"):
            return book.add(json.loads(body)).facts()
        case ("GET", "rules"):
            return [rule.facts() for rule in book.rules.values()]
        case ("DELETE", "rules"):
            book.drop()
        case ("DELETE", "rules", number):
            book.drop(int(number))
        case ("POST", "rules", number, "release"):
            book.release(int(number))
        case ("GET", "requests"):
            return list(book.requests)
        case ("DELETE", "requests"):
            book.requests.clear()
        case _:
            raise ValueError(f"no {method} /{'/'.join(path)}")
    return {}


def end_with_stdin() -> None:
    """The starter holds the other end of the pipe: whatever ends it ends this process."""
    import threading  # noqa: PLC0415 - only the process itself needs it

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


async def _main(upstream: str, listen: str, token: str | None) -> None:
    proxy = Proxy(upstream, token)
    if listen == "tcp":
        front = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=LIMIT, backlog=512)
        port = front.sockets[0].getsockname()[1]
    else:
        front = await asyncio.start_unix_server(proxy.serve, listen, limit=LIMIT, backlog=512)
        port = None
    back = await asyncio.start_server(
        lambda reader, writer: _control(proxy.book, reader, writer), "127.0.0.1", 0, limit=LIMIT
    )
    ready = {"port": port, "control": back.sockets[0].getsockname()[1]}
    print(json.dumps(ready), flush=True)  # noqa: T201 - the line its starter waits for
    await asyncio.gather(front.serve_forever(), back.serve_forever())


if __name__ == "__main__":
    end_with_stdin()
    asyncio.run(_main(sys.argv[1], sys.argv[2], os.environ.get("FAULTY_PROXY_TOKEN")))
