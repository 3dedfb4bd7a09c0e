"""Every alert fires once: a real Prometheus scrapes a real API whose records are in trouble, and then away."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, insert, text

from db.models import Notification, Observer, ProviderPlace, Pulse
from db.session import Tx
from domain.lifecycle import Status
from domain.operations import OperationStatus
from services.operations.acceptance import new_id
from services.upkeep.ledger import fold
from tests.eyes.alerting import RULES, program, quickened, rules
from tests.support.api import TOKEN, Api, add_host, running_api
from tests.support.ports import free_ports
from tests.support.postgres import PostgresServer
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers
_SECONDS = 90


@dataclass
class Prometheus:
    """A running one."""

    url: str

    def firing(self) -> set[str]:
        answer = httpx2.get(f"{self.url}/api/v1/alerts", trust_env=False, timeout=60).json()
        return {a["labels"]["alertname"] for a in answer["data"]["alerts"] if a["state"] == "firing"}

    def wait(self, *alerts: str) -> None:
        """Until all of them have fired."""
        seen: set[str] = set()

        def reached() -> bool:
            time.sleep(0.3)
            seen.update(self.firing())
            return set(alerts) <= seen

        wait_for(reached, _SECONDS, lambda: f"did not fire: {sorted(set(alerts) - seen)}")


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    """With the rules in their quick form, looking every second."""
    (folder / "rules.yml").write_text(quickened(RULES.read_text()))
    (folder / "token").write_text(TOKEN)
    scrape = {
        "job_name": "berth-api",
        "authorization": {"credentials_file": str(folder / "token")},
        "static_configs": [{"targets": [target]}],
    }
    pace = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config = {"global": pace, "rule_files": ["rules.yml"], "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    address = f"127.0.0.1:{free_ports(1)[0]}"
    words = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program("prometheus"), *words, f"--web.listen-address={address}"], stdout=log, stderr=log
        )
    made = Prometheus(f"http://{address}")
    try:
        wait_for(lambda: _ready(made.url), 30, (folder / "log").read_text)
        yield made
    finally:
        process.terminate()
        process.wait(60)


def _ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/-/ready", trust_env=False, timeout=5).status_code == 200
    except httpx2.HTTPError:
        time.sleep(0.1)
        return False


def event(tx: Tx, made: Any, kind: str, to: str, data: dict[str, Any]) -> None:
    tx.emit(
        project="default",
        event_type=kind,
        instance_id=made["instance"]["id"],
        deployment_id=made["instance"]["deployment_id"],
        operation_id=made["operation"]["id"],
        version=2,
        status=to,
        from_status="creating",
        to_status=to,
        source="backend",
        reason=None,
        confirmation_method=None,
        actor="me",
        cloud_instance_id=None,
        data=data,
    )


@contextmanager
def going_on(act: Callable[[], None]) -> Iterator[None]:
    """`act` twice a second, so that rates have something to grow by."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(0.5):
            act()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(60)


def in_trouble(api: Api) -> None:
    """Everything that the records can tell of trouble, but for workers."""
    for status in (Status.CREATING, Status.DELETING, Status.RESTARTING):
        api.an_instance(status)
    failed = api.create()["operation"]["id"]
    api.end(failed, OperationStatus.FAILED)
    waiting = api.create()["operation"]["id"]
    old = "now() - interval '1 hour'"
    with api.database.begin() as tx:
        for statement in (
            f"update operations set started_at = {old}, deadline_at = {old} where status = 'running'",
            f"update operations set parked_until = now() + interval '1 hour' where id = '{failed}'",
            f"update operations set created_at = {old} where id = '{waiting}'",
            "insert into meta values ('temporal_swapped', 'other')",
        ):
            tx.session.execute(text(statement))
        long_ago = tx.session.scalar(text(f"select {old}"))
        add_host(tx, "silent", last_seen_at=long_ago)
        watch = {"scope": "docker", "holder": "me", "epoch": 1, "taken_at": long_ago, "renewed_at": long_ago}
        tx.run(insert(Observer).values(**watch, orphans=2))
        tx.run(insert(Pulse).values(name="keeper", at=long_ago))
        note = {"project": "default", "type": "x", "cause": "y", "payload": {}, "state": "dead"}
        tx.run(insert(Notification).values(**note, id=new_id("msg"), created_at=long_ago, next_at=long_ago))
        place = {"provider": "docker", "host_id": "h", "agent": "a", "configured": True, "available": False}
        tx.run(insert(ProviderPlace).values(**place, reason="away", checked_at=func.now()))


@pytest.mark.timeout(600)
def test_every_alert_fires(tmp_path: Path, postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()
    (tmp_path / "prometheus").mkdir()
    with ExitStack() as served:
        api = served.enter_context(running_api(tmp_path, url))
        with prometheus(tmp_path / "prometheus", api.url.removeprefix("http://")) as watcher:
            trouble_that_the_records_tell(api, watcher)
            name = url.rpartition("/")[2].partition("?")[0]
            postgres_server._execute("postgres", f"alter database {name} with allow_connections false")
            api.database.engine.dispose()
            ended = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
            postgres_server._execute("postgres", ended)
            watcher.wait("BerthRecordsAway")
            served.close()
            watcher.wait("BerthDown")


def trouble_that_the_records_tell(api: Api, watcher: Prometheus) -> None:
    made = api.create()

    def goes_wrong() -> None:
        with api.database.begin() as tx:
            for _ in range(3):
                event(tx, made, "LAUNCH_FAILED", "error", {"error": {"code": "transient"}})
                event(tx, made, "TERMINATE_FAILED", "error", {"error": {"code": "timed-out"}})
            event(tx, made, "LAUNCH_CONFIRMED", "running", {"launch_duration_seconds": 900})
            event(tx, made, "TERMINATE_CONFIRMED", "terminated", {"termination_duration_seconds": 3000})
        with api.database.begin() as tx:
            fold(tx, notify=False)
        api.client.get("/api/v1/runs")
        for _ in range(3):
            api.client.post("/api/v1/webhooks/billing", json={"type": "forged"})

    in_trouble(api)
    with api.database.begin() as tx:
        tx.session.execute(text("alter table instance_runs rename column name to no_name"))
    later = {"BerthRecordsAway", "BerthDown", "BerthNoWorker", "BerthLedgerLag"}
    with going_on(goes_wrong):
        watcher.wait(*(set(rules()) - later))
    with api.database.begin() as tx:
        tx.session.execute(text("update provider_places set checked_at = now() - interval '5 minutes'"))
        for _ in range(1100):
            event(tx, made, "STOP_REQUESTED", "running", {})
    watcher.wait("BerthNoWorker", "BerthLedgerLag")
