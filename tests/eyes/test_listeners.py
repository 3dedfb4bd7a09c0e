"""What a worker serves of itself where it is told to: its own figures, and those of Temporal's SDK."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from domain.metrics import ACTIVITY_SECONDS, PROVIDER_CALL_SECONDS
from tests.eyes.scrape import Scrape
from tests.support.ports import free_ports
from tests.support.whole import MakeWhole, Whole

pytestmark = pytest.mark.servers


@dataclass(frozen=True)
class Listening:
    """A Berth whose worker serves both."""

    whole: Whole
    own: str
    temporal: str


@pytest.fixture(scope="module")
def listening(make_whole: MakeWhole) -> Listening:
    own, temporal = (f"127.0.0.1:{port}" for port in free_ports(2))
    return Listening(make_whole(BERTH_WORKER_METRICS=own, BERTH_TEMPORAL_METRICS=temporal), own, temporal)


def read(address: str) -> Scrape:
    """As Prometheus does: without a token."""
    answer = httpx2.get(f"http://{address}/metrics", trust_env=False, timeout=10)
    assert answer.status_code == 200, answer.text
    return Scrape(answer.text)


def counted(scrape: Scrape, sample: str, **labels: str) -> float:
    """Of every sample that has these labels among its own."""
    lines = re.findall(rf"^{sample}{{(.*)}} (\S+)$", scrape.text, re.MULTILINE)
    wanted = {f'{key}="{value}"' for key, value in labels.items()}
    return sum(float(value) for told, value in lines if wanted <= set(told.split(",")))


def test_a_workers_own_figures_count_its_activities_and_its_calls_of_providers(listening: Listening) -> None:
    calls = f"{PROVIDER_CALL_SECONDS.name}_count"
    before = counted(read(listening.own), calls, provider="simulated", verb="create", outcome="ok")
    made = listening.whole.create(name="seen", blueprint="web", provider="simulated")
    listening.whole.done(made)
    found = read(listening.own)
    assert counted(found, calls, provider="simulated", verb="create", outcome="ok") == before + 1
    assert counted(found, f"{ACTIVITY_SECONDS.name}_count", outcome="ok") >= 1
    assert "process_cpu_seconds" in found.families
    assert made["instance"]["id"] not in found.text


def test_temporals_sdk_tells_of_its_polls_and_tasks(listening: Listening) -> None:
    listening.whole.done(listening.whole.create(name="polled", blueprint="web", provider="simulated"))
    found = read(listening.temporal)
    assert counted(found, "temporal_long_request_total", operation="PollWorkflowTaskQueue") >= 1
    assert counted(found, "temporal_workflow_completed_total") >= 1
    assert {
        "temporal_activity_execution_latency",
        "temporal_worker_task_slots_available",
    } <= found.families


def test_addresses_in_use_are_said_and_the_worker_works_without(make_whole: MakeWhole) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        whole = make_whole(BERTH_WORKER_METRICS=address, BERTH_TEMPORAL_METRICS=address)
        said = whole.spine.workers[0].log.read_text()
        assert "metrics are not served" in said
        assert "metrics of temporal are not served" in said
        whole.done(whole.create(name="unseen", blueprint="web", provider="simulated"))


def test_without_an_address_a_worker_listens_nowhere(make_whole: MakeWhole) -> None:
    assert _listening(make_whole().spine.workers[0].pid) == set()


def _listening(pid: int) -> set[str]:
    """The TCP sockets on which this process listens."""
    own = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in own}
