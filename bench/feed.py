"""`make bench-feed`: the live feed under many sockets: commit to client, and what a killed API process costs.

One Berth, two API processes on its records, a writer of events at a steady rate, and clients in processes of their
own. Every client checks that it loses nothing, sees nothing twice for a version, and keeps the order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from bench.berth import Up, berth_up
from db.session import Database, open_database

INSTANCES = 50
_CLIENT_PROCESSES = 2
_GRACE_SECONDS = 30.0


def say(text: str) -> None:
    """Progress, for people."""
    print(text, file=sys.stderr, flush=True)


@dataclass
class Seen:
    """What one client saw: the last version of each instance, and how late each event came."""

    versions: dict[str, int] = field(default_factory=dict)
    late: list[float] = field(default_factory=list)
    twice: int = 0
    wrong: int = 0
    reconnects: int = 0
    cursor: str | None = None

    def take(self, event: dict[str, Any], now: float) -> None:
        key, version = event["instance_id"], event["version"]
        last = self.versions.get(key, 0)
        if version == last + 1:
            self.versions[key] = version
            self.late.append(now - event["data"]["at"])
        elif version <= last:
            self.twice += 1
        else:
            self.wrong += 1
        self.cursor = event["cursor"]


async def client(urls: list[str], token: str, total: int, seen: Seen, start: str) -> None:
    """Follow the feed until all is seen; after a cut, go on at another API process."""
    seen.cursor = start
    turn = 0
    while sum(seen.versions.values()) < total:
        try:
            async with connect(
                urls[turn % len(urls)].replace("http", "ws", 1) + "/ws",
                additional_headers={"Authorization": f"Bearer {token}"},
                compression=None,
                open_timeout=20,
                max_queue=None,
            ) as opened:
                await opened.send(json.dumps({"type": "subscribe", "after": seen.cursor, "batch": True}))
                await _read(opened, total, seen)
        except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError):
            seen.reconnects += 1
            turn += 1
            await asyncio.sleep(0.2)


async def _read(opened: Any, total: int, seen: Seen) -> None:
    subscribed = False
    async for text in opened:
        now = time.time()
        frame = json.loads(text)
        subscribed = subscribed or frame.get("cursor") == seen.cursor
        for event in frame.get("items", ()):
            if event.get("time"):
                seen.take(event, now)
        if sum(seen.versions.values()) >= total:
            return


def clients(urls: list[str], token: str, count: int, total: int, start: str, answer: Any) -> None:
    """Many clients in this process; what they saw goes into `answer`."""

    async def run() -> list[Seen]:
        every = [Seen() for _ in range(count)]
        tasks = []
        for number, seen in enumerate(every):
            mine = urls[number % len(urls) :] + urls[: number % len(urls)]
            tasks.append(asyncio.create_task(client(mine, token, total, seen, start)))
            if number % 25 == 24:
                await asyncio.sleep(0.05)
        async with asyncio.timeout(total / 10 + 120):
            await asyncio.gather(*tasks)
        return every

    answer.put([asdict(seen) for seen in asyncio.run(run())])


def write(database: Database, per_second: float, total: int, started: threading.Event) -> None:
    """`total` events, each in a transaction of its own, at a steady rate."""
    started.wait()
    began = time.monotonic()
    for number in range(total):
        time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        with database.begin() as tx:
            tx.emit(
                project="default",
                event_type="OBSERVED",
                instance_id=f"ins_bench{number % INSTANCES}",
                deployment_id="dep_bench",
                operation_id=None,
                version=number // INSTANCES + 1,
                status="running",
                from_status="running",
                to_status="running",
                source="monitor",
                reason=None,
                confirmation_method=None,
                actor="bench",
                cloud_instance_id=None,
                data={"at": time.time()},
            )


@contextmanager
def another_api(up: Up, environment: dict[str, str]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A second API process on the same records."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "api"],
        env=os.environ | environment | {"BERTH_DATA_DIR": str(up.data_dir), "BERTH_API_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 30
    while not _answers(url) and time.monotonic() < deadline:
        time.sleep(0.1)
    try:
        yield url, process
    finally:
        process.kill()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/livez", timeout=2).status_code == 200
    except httpx2.HTTPError:
        return False


def measure(up: Up, sockets: int, per_second: float, seconds: float, *, kill: bool) -> dict[str, Any]:
    """One run; `kill`: half of the clients lose their API process in the middle."""
    environment = exports(up)
    database = open_database(environment["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://", 1))
    total = int(per_second * seconds)
    with database.begin() as tx:
        tx.session.connection().exec_driver_sql("delete from instance_lifecycle_events")
    with another_api(up, environment) as (second, process):
        urls = [second, up.url] if kill else [up.url]
        head = httpx2.get(f"{up.url}/api/v1/events?limit=1", headers={"Authorization": f"Bearer {up.token}"})
        start = head.json()["next"]
        context = multiprocessing.get_context("spawn")
        answer = context.Queue()
        share = -(-sockets // _CLIENT_PROCESSES)
        crowd = [
            context.Process(target=clients, args=(urls, up.token, share, total, start, answer))
            for _ in range(min(_CLIENT_PROCESSES, sockets))
        ]
        for one in crowd:
            one.start()
        started = threading.Event()
        writer = threading.Thread(target=write, args=(database, per_second, total, started))
        writer.start()
        time.sleep(3 + sockets / 100)
        started.set()
        if kill:
            time.sleep(seconds / 2)
            process.send_signal(signal.SIGKILL)
        every = [seen for _ in crowd for seen in answer.get(timeout=seconds + 180)]
        writer.join()
        for one in crowd:
            one.join(_GRACE_SECONDS)
    database.engine.dispose()
    return figures(every, total)


def figures(every: list[dict[str, Any]], total: int) -> dict[str, Any]:
    """Milliseconds from commit to client, and whether each client saw each event once and in order."""
    late = sorted(1000 * value for seen in every for value in seen["late"])
    return {
        "sockets": len(every),
        "events": total,
        "p50_ms": round(late[len(late) // 2], 1),
        "p99_ms": round(late[int(len(late) * 0.99)], 1),
        "max_ms": round(late[-1], 1),
        "lost": sum(total - sum(seen["versions"].values()) for seen in every),
        "out_of_order": sum(seen["wrong"] for seen in every),
        "sent_again": sum(seen["twice"] for seen in every),
        "reconnects": sum(seen["reconnects"] for seen in every),
    }


def exports(up: Up) -> dict[str, str]:
    """What `berth env` says of this Berth."""
    shown = subprocess.run(
        [sys.executable, "-m", "cli", "env", "--data-dir", str(up.data_dir)],
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    ).stdout
    pairs = (line.removeprefix("export ").split("=", 1) for line in shown.splitlines() if "=" in line)
    return {name: value.strip("'\"") for name, value in pairs if name != "PATH"}


def main() -> None:
    """One client, a crowd, and a crowd whose API process is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=100.0, help="events per second")
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="berth-bench-") as scratch, berth_up(Path(scratch) / "data") as up:
        for name, sockets, kill in (
            ("one", 1, False),
            ("crowd", given.sockets, False),
            ("kill", given.sockets, True),
        ):
            found[name] = measure(up, sockets, given.rate, given.seconds, kill=kill)
            say(f"{name}: {json.dumps(found[name])}")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
