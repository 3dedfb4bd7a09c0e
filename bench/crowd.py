"""A crowd of clients at the feed, a writer for them, and what came of it: for the benchmark and for its test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from bench.feed_clients import COUNTS
from db.session import Database

INSTANCES = 50
ROOT = Path(__file__).resolve().parent.parent
_CLIENTS_OF_A_PROCESS = 500
_READY_SECONDS = 60.0
_START_SECONDS = 120.0


@dataclass(frozen=True)
class Load:
    """How many listen, how much is written, for how long."""

    sockets: int
    per_second: float
    seconds: float
    name: str = "load"
    """Of its instances: what an earlier load wrote does not count."""

    @property
    def events(self) -> int:
        """How many, all in all."""
        return int(self.per_second * self.seconds)


@dataclass(frozen=True)
class Heard:
    """What the clients saw. `late`: seconds from just before the commit to each client, sorted."""

    counts: dict[str, int]
    late: Sequence[float]

    def late_ms(self, share: float) -> float:
        """A quantile, in milliseconds."""
        return round(1000 * self.late[min(len(self.late) - 1, int(len(self.late) * share))], 1)


class Crowd:
    """Client processes, each with as many sockets as one can serve without being the bottleneck."""

    def __init__(self, urls: Sequence[str], token: str, load: Load, folder: Path) -> None:
        self._folder = folder
        self._load = load
        processes = max(1, -(-load.sockets // _CLIENTS_OF_A_PROCESS))
        start = _end_of_feed(urls[-1], token)
        self._processes = [self._start(urls, token, start, n, processes) for n in range(processes)]

    def _start(self, urls: Sequence[str], token: str, start: str, number: int, of: int) -> subprocess.Popen[str]:
        asked = {
            "places": [(urlsplit(url).hostname, urlsplit(url).port) for url in urls],
            "token": token,
            "start": start,
            "clients": self._load.sockets // of + (number < self._load.sockets % of),
            "total": self._load.events,
            "instances": f"ins_{self._load.name}_",
            "seconds": _READY_SECONDS + 2 * self._load.seconds,
            "late_file": str(self._folder / f"late-{number}"),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.feed_clients"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(asked) + "\n")  # the token goes through a pipe, never through arguments
        process.stdin.flush()
        return process

    def wait_until_ready(self) -> None:
        """All clients listen."""
        for process in self._processes:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("the clients do not get connected")

    def heard(self) -> Heard:
        """What they saw, once they have seen everything or their time is over."""
        counts = dict.fromkeys(COUNTS, 0)
        late = array("d")
        for number, process in enumerate(self._processes):
            said, _ = process.communicate(timeout=_READY_SECONDS + 3 * self._load.seconds)
            for key, value in json.loads(said).items():
                counts[key] += value
            late.frombytes((self._folder / f"late-{number}").read_bytes())
        return Heard(counts, sorted(late))

    def close(self) -> None:
        """End those that still run."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait(10)


@contextmanager
def crowd(urls: Sequence[str], token: str, load: Load, folder: Path) -> Iterator[Crowd]:
    """Clients that listen, spread over `urls`; each goes on at the next of them when it is cut."""
    gathered = Crowd(urls, token, load, folder)
    try:
        gathered.wait_until_ready()
        yield gathered
    finally:
        gathered.close()


def _end_of_feed(url: str, token: str) -> str:
    answer = httpx2.get(f"{url}/api/v1/events?limit=1", headers={"Authorization": f"Bearer {token}"}, timeout=20)
    return str(answer.raise_for_status().json()["next"])


def write(database: Database, load: Load) -> None:
    """The events of `load`, each in a transaction of its own, at a steady rate."""
    began = time.monotonic()
    for number in range(load.events):
        time.sleep(max(0.0, began + number / load.per_second - time.monotonic()))
        with database.begin() as tx:
            tx.emit(
                project="default",
                event_type="OBSERVED",
                instance_id=f"ins_{load.name}_{number % INSTANCES}",
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
def writing(database: Database, load: Load) -> Iterator[None]:
    """`write` beside the block, which may kill what it likes meanwhile."""
    thread = threading.Thread(target=write, args=(database, load))
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def api_process(url: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """One more API process at `url`, with these variables."""
    port = str(urlsplit(url).port)
    said = tempfile.TemporaryFile()  # noqa: SIM115 - closed below, and the process writes into it meanwhile
    process = subprocess.Popen(
        [sys.executable, "-m", "api"],
        env=environment | {"BERTH_API_PORT": port, "PATH": os.defpath},
        cwd=ROOT,
        stdout=said,
        stderr=said,
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                said.seek(0)
                last = said.read()[-500:].decode(errors="replace")
                raise RuntimeError(f"no API process came up at {url}: {last}")
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait(10)
        said.close()


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/livez", timeout=2).status_code == 200
    except httpx2.HTTPError:
        return False


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processor so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """What a process holds of the memory now."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024
