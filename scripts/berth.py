"""A Berth of its own for a benchmark, and clients for it and for the bare workflow."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from temporalio.client import Client

from activities.contracts import OperationInput
from bench.bare import QUEUE, BareWorkflow
from embedded import probe
from workflows.connection import connect

CYCLE = ("create", "stop", "start", "delete")


@dataclass(frozen=True)
class Up:
    """A running Berth: where it answers, its token, and the pids of its parts."""

    url: str
    token: str
    data_dir: Path
    temporal_address: str
    pids: dict[str, int]

    @property
    def sign_in_url(self) -> str:
        """The link that `berth up` prints, good for one use."""
        return probe.pages(self.url, self.data_dir / "token")["Open"]

    def exports(self) -> dict[str, str]:
        """What `berth env` says of this Berth."""
        done = subprocess.run(
            _berth("env", "--data-dir", str(self.data_dir), "--json"), capture_output=True, check=True, timeout=30
        )
        return dict(json.loads(done.stdout))

    def memory_mb(self, *names: str) -> float:
        """Resident memory of the named parts together."""
        total = 0
        for name in names:
            status = Path(f"/proc/{self.pids[name]}/status").read_text()
            total += int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
        return total / 1024


def _berth(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cli", *arguments]


@contextmanager
def berth_up(data_dir: Path, **settings: str) -> Iterator[Up]:
    """Start Berth on `data_dir`, with these variables; everything of it is gone afterwards."""
    process = subprocess.Popen(
        _berth("up", "--data-dir", str(data_dir), "--json"),
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        token = (data_dir / "token").read_text().strip()
        yield Up(ready["url"], token, data_dir, ready["temporal_address"], ready["pids"])
    finally:
        process.terminate()
        process.communicate(timeout=60)
        subprocess.run(_berth("down", "--data-dir", str(data_dir), "--purge", "--yes"), check=True, timeout=60)


@contextmanager
def bare_worker(address: str) -> Iterator[None]:
    """The floor's worker, in a process of its own like Berth's."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.bare_worker", address, "default"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.terminate()
        process.wait(30)


@asynccontextmanager
async def clients(up: Up) -> AsyncIterator[tuple[httpx2.AsyncClient, Client]]:
    """One HTTP client and one Temporal client, both kept open as a real client would."""
    headers = {"Authorization": f"Bearer {up.token}"}
    temporal = await connect(up.temporal_address, "default")
    async with httpx2.AsyncClient(base_url=f"{up.url}/api/v1", headers=headers, timeout=60) as http:
        yield http, temporal


async def one_bare(temporal: Client) -> float:
    """Seconds from the start call to the result of one bare run."""
    began = time.perf_counter()
    await temporal.execute_workflow(
        BareWorkflow.run, OperationInput("bench", "bare"), id=f"bare-{uuid.uuid4()}", task_queue=QUEUE
    )
    return time.perf_counter() - began


async def one_cycle(http: httpx2.AsyncClient, name: str) -> dict[str, float]:
    """Seconds from click to settled of each operation in the life of one simulated instance."""
    taken: dict[str, float] = {}
    body: dict[str, Any] = {"name": name, "blueprint": "web", "provider": "simulated"}
    taken["create"] = await _settled(http, "POST", "/instances", body)
    taken["stop"] = await _settled(http, "POST", f"/instances/{name}/actions", {"action": "stop"})
    taken["start"] = await _settled(http, "POST", f"/instances/{name}/actions", {"action": "start"})
    taken["delete"] = await _settled(http, "DELETE", f"/instances/{name}", None)
    return taken


async def _settled(http: httpx2.AsyncClient, method: str, path: str, body: dict[str, Any] | None) -> float:
    began = time.perf_counter()
    answer = await http.request(method, path, json=body)
    answer.raise_for_status()
    operation = answer.json()["operation"]
    while not operation["done"]:
        shown = await http.get(f"/operations/{operation['id']}", params={"wait": 30})
        operation = shown.raise_for_status().json()
    if operation["status"] != "succeeded":
        raise RuntimeError(f"{method} {path} ended {operation['status']}: {operation['error']}")
    return time.perf_counter() - began


async def lanes(count: int, each: int, work: Any) -> tuple[list[Any], float]:
    """Run `work(lane, n)` `each` times in each of `count` lanes; returns results and seconds."""

    async def lane(number: int) -> list[Any]:
        return [await work(number, n) for n in range(each)]

    began = time.perf_counter()
    results = await asyncio.gather(*(lane(number) for number in range(count)))
    return [item for batch in results for item in batch], time.perf_counter() - began
