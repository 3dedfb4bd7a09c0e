"""How each part of a real `berth up` is broken for its section of the runbook, and what tells it is mended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg2

from keeper.namespace import KEY as NAMESPACE
from tests.support.workers import wait_for

_ROOT = Path(__file__).parents[2]
SETTINGS = {
    "BERTH_KEEPER_INTERVAL_SECONDS": "0.3",
    "BERTH_GONE_LOOK_SECONDS": "0.5",
    "BERTH_RUN_HOLD_SECONDS": "1",
    "BERTH_NOTIFY_URL": "http://127.0.0.1:1",
    "BERTH_NOTIFY_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


@dataclass(frozen=True)
class Broken:
    """What the page's placeholders stand for, what its commands must show, and when it is whole again."""

    names: dict[str, str] = field(default_factory=dict)
    shows: tuple[str, ...] = ()
    mended: Callable[[], bool] = lambda: True


@dataclass
class Standing:
    """A running `berth up`, as an operator has it."""

    data_dir: Path
    url: str
    database_url: str = ""
    _number: int = 0

    @property
    def pids(self) -> dict[str, int]:
        told = json.loads(self.shell("berth status --json").stdout)
        return {name: int(pid) for name, pid in told["pids"].items()}

    def shell(self, script: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        bin_dir = Path(sys.executable).parent
        return subprocess.run(
            ["bash", "-c", script],
            env={
                "PATH": f"{bin_dir}:/usr/local/bin:/usr/bin:/bin",
                "HOME": str(self.data_dir),
                "LANG": "C.UTF-8",
                "BERTH_DATA_DIR": str(self.data_dir),
            },
            cwd=self.data_dir,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {(self.data_dir / 'token').read_text().strip()}"}
        answer = httpx2.request(
            method, f"{self.url}/api/v1{path}", json=body, headers=headers, trust_env=False, timeout=40
        )
        assert answer.status_code < 300, answer.text
        return answer.json()

    def ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/readyz", trust_env=False, timeout=5).status_code == 200
        except httpx2.HTTPError:
            time.sleep(0.2)
            return False

    def sql(self, statement: str) -> None:
        connection = psycopg2.connect(self.database_url, connect_timeout=5)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    def launched(self, wanted: str | None = "succeeded", **simulate: Any) -> dict[str, str]:
        """A simulated instance; the placeholders that name it."""
        self._number += 1
        params = {"simulate": simulate} if simulate else {}
        name = f"thing-{self._number}"
        made = self.ask(
            "POST", "/instances", {"name": name, "blueprint": "web", "provider": "simulated", "params": params}
        )
        names = {
            "NAME": name,
            "OP": made["operation"]["id"],
            "D": made["instance"]["deployment_id"],
            "INSTANCE": made["instance"]["id"],
        }
        names |= {"deployment-D": f"deployment-{names['D']}"}
        if wanted is not None:
            self.ended(names["OP"], wanted)
        return names

    def ended(self, operation: str, wanted: str) -> None:
        told = self.ask("GET", f"/operations/{operation}?wait=30")
        assert told["status"] == wanted, told

    def acted(self, names: dict[str, str], action: str, wanted: str | None = None) -> dict[str, str]:
        """The placeholders, with the operation of this action."""
        made = self.ask("POST", f"/instances/{names['NAME']}/actions", {"action": action})
        if wanted is not None:
            self.ended(made["operation"]["id"], wanted)
        else:
            wait_for(lambda: self.status(names) not in ("running", "stopped"), 20, "it did not begin")
        return {**names, "OP": made["operation"]["id"]}

    def status(self, names: dict[str, str]) -> str:
        """Of the instance; `gone` when it has ended."""
        rows = self.ask("GET", "/instances")["items"]
        return next((str(row["status"]) for row in rows if row["name"] == names["NAME"]), "gone")

    def is_in(self, names: dict[str, str], status: str) -> Callable[[], bool]:
        return lambda: self.status(names) == status


def _hang(**more: Any) -> dict[str, Any]:
    return {"fault": "hang", "times": 1, "seconds": 120, **more}


def launching(s: Standing, **simulate: Any) -> dict[str, str]:
    names = s.launched(None, **simulate)
    wait_for(lambda: s.ask("GET", f"/operations/{names['OP']}")["status"] == "running", 20, "it did not begin")
    return names


@contextmanager
def slow_launch(s: Standing) -> Iterator[Broken]:
    names = s.launched(create={"fault": "slow", "seconds": 2})
    time.sleep(1.5)
    yield Broken(names, ("simulated create", "launch_duration_sum"))


@contextmanager
def slow_end(s: Standing) -> Iterator[Broken]:
    names = s.acted(s.launched(delete={"fault": "slow", "seconds": 2}), "delete", "succeeded")
    time.sleep(1.5)
    yield Broken(names, ("simulated delete",))


@contextmanager
def stuck_launch(s: Standing) -> Iterator[Broken]:
    names = launching(s, create=_hang())
    yield Broken(names, (names["NAME"], "CreateWorkflow"), s.is_in(names, "running"))


@contextmanager
def stuck_end(s: Standing) -> Iterator[Broken]:
    names = s.acted(s.launched(delete=_hang()), "delete")
    yield Broken(names, ("deleting",), s.is_in(names, "gone"))


@contextmanager
def stuck_otherwise(s: Standing) -> Iterator[Broken]:
    names = s.acted(s.launched(restart=_hang()), "restart")
    yield Broken(names, ("restart",), s.is_in(names, "running"))


@contextmanager
def failed_launches(s: Standing) -> Iterator[Broken]:
    names = s.launched("failed", create={"fault": "no_capacity", "times": 1})
    yield Broken(names, ("no-capacity", "LAUNCH_FAILED"), s.is_in(names, "running"))


@contextmanager
def failed_ends(s: Standing) -> Iterator[Broken]:
    names = s.acted(s.launched(delete={"fault": "invalid", "times": 1}), "delete", "failed")
    yield Broken(names, ("invalid",), s.is_in(names, "gone"))


@contextmanager
def past_deadline(s: Standing) -> Iterator[Broken]:
    names = s.acted(s.launched(restart=_hang()), "restart")
    yield Broken(names, (names["OP"],), s.is_in(names, "running"))


@contextmanager
def parked(s: Standing) -> Iterator[Broken]:
    names = s.launched("failed", create={"fault": "invalid", "times": 1})
    operation = f"/operations/{names['OP']}"
    wait_for(lambda: s.ask("GET", operation)["phase"] == "awaiting_operator", 10, "it does not listen")
    yield Broken(names, ("listening for retry",), lambda: s.ask("GET", operation)["parked_until"] is None)
    s.ask("DELETE", f"/instances/{names['NAME']}")


@contextmanager
def orphaned(s: Standing) -> Iterator[Broken]:
    names = s.acted(s.launched(restart={"fault": "invalid", "times": 1}), "restart", "failed")
    s.ask("POST", f"/instances/{names['NAME']}/actions", {"action": "forget"})

    def swept() -> bool:
        return names["INSTANCE"] not in json.dumps(s.ask("GET", "/providers/simulated/inventory"))

    yield Broken(names, ("finished life",), swept)


@contextmanager
def stopped(s: Standing, part: str, *shows: str) -> Iterator[Broken]:
    """SIGSTOP: it is there and does nothing, as what hangs; nobody starts it again. Then it is killed."""
    pid = s.pids[part]
    os.kill(pid, signal.SIGSTOP)
    ended = False

    def mended() -> bool:
        nonlocal ended
        if not ended:
            os.kill(pid, signal.SIGKILL)  # `kill -9 PID`, as the page says
            ended = True
        return s.ready()

    try:
        yield Broken({}, shows, mended)
    finally:
        if not ended:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def no_worker(s: Standing) -> Iterator[Broken]:
    with stopped(s, "worker", "berth_workers_live 0", "worker") as broken:
        s.sql("update provider_places set checked_at = now() - interval '5 minutes'")
        time.sleep(6)
        yield broken


@contextmanager
def records_away(s: Standing) -> Iterator[Broken]:
    name = s.database_url.partition("?")[0].rpartition("/")[2] or "berth"
    beside = psycopg2.connect(s.database_url.replace(f"/{name}?", "/postgres?"), connect_timeout=5)
    beside.autocommit = True
    with beside.cursor() as cursor:
        cursor.execute(f"alter database {name} with allow_connections false")
        cursor.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))

    def mended() -> bool:
        with beside.cursor() as cursor:
            cursor.execute(f"alter database {name} with allow_connections true")
        return s.ready()

    yield Broken({}, ('"name":"database","ok":false',), mended)
    beside.close()


@contextmanager
def not_ready(s: Standing) -> Iterator[Broken]:
    """The records know another Temporal; `mended` leads back to the right one."""
    s.sql(f"insert into meta select 'kept', value from meta where key = '{NAMESPACE}'")
    s.sql(f"update meta set value = 'another' where key = '{NAMESPACE}'")
    wait_for(lambda: not s.ready(), 30, "nobody noticed")
    back = f"update meta set value = (select value from meta where key = 'kept') where key = '{NAMESPACE}'"

    def mended() -> bool:
        s.sql(back)
        return s.ready()

    yield Broken({}, ('"name":"namespace","ok":false', "temporal_swapped"), mended)
    s.sql("delete from meta where key = 'kept'")


@contextmanager
def keeper_silent(s: Standing) -> Iterator[Broken]:
    with stopped(
        s, "worker", r"berth_keeper_lag_seconds ([5-9]|\d\d)", r"pid +\| +client_addr", "\\(1 row"
    ) as broken:
        time.sleep(7)
        yield broken


@contextmanager
def queue_old(s: Standing) -> Iterator[Broken]:
    with stopped(s, "worker", "pending", "berth_operations_pending") as broken:
        names = s.launched(None)
        time.sleep(6)
        yield Broken(names, broken.shows, lambda: broken.mended() and s.status(names) == "running")


@contextmanager
def observer_silent(s: Standing) -> Iterator[Broken]:
    watch = "now() - interval '1 hour'"
    columns = "scope, holder, epoch, taken_at, renewed_at"
    s.sql(f"insert into observers ({columns}) values ('lost-place', 'gone', 1, {watch}, {watch})")
    time.sleep(6)
    yield Broken({}, (r'lag_seconds{scope="lost-place"} 36',))
    s.sql("delete from observers where scope = 'lost-place'")


@contextmanager
def ledger_lag(s: Standing) -> Iterator[Broken]:
    with stopped(s, "worker", r"berth_ledger_lag_events [1-9]") as broken:
        for _ in range(2):
            s.launched(None)
        time.sleep(6)
        yield broken


@contextmanager
def feed_lag(s: Standing) -> Iterator[Broken]:
    yield Broken({}, ("berth_feed_lag_events", "berth_feed_lag_seconds"))


@contextmanager
def provider_outage(s: Standing) -> Iterator[Broken]:
    place = "'ec2', 'elsewhere', 'agent-ec2', true, false, 'no answer', now()"
    s.sql(
        "insert into provider_places (provider, host_id, agent, configured, available, reason, checked_at) "
        f"values ({place})"
    )
    time.sleep(6)
    yield Broken({}, (r'available{agent="agent-ec2",provider="ec2"} 0',))
    s.sql("delete from provider_places where agent = 'agent-ec2'")


@contextmanager
def host_silent(s: Standing) -> Iterator[Broken]:
    long_ago = "now() - interval '1 hour'"
    s.sql(
        "insert into hosts (id, name, providers, first_seen_at, last_seen_at) "
        f"values ('host_00000000000000000000000000', 'silent', '{{}}', {long_ago}, {long_ago})"
    )
    yield Broken({}, ("silent",), lambda: "silent" not in [h["name"] for h in s.ask("GET", "/hosts")["items"]])


@contextmanager
def errors(s: Standing) -> Iterator[Broken]:
    s.sql("alter table instance_runs rename column name to no_name")
    httpx2.get(
        f"{s.url}/api/v1/runs",
        headers={"Authorization": f"Bearer {(s.data_dir / 'token').read_text().strip()}"},
        trust_env=False,
    )
    try:
        yield Broken({}, ('route="/api/v1/runs",status="500"', '"kind": "ProgrammingError"'))
    finally:
        s.sql("alter table instance_runs rename column no_name to name")


@contextmanager
def webhooks_refused(s: Standing) -> Iterator[Broken]:
    httpx2.post(f"{s.url}/api/v1/webhooks/billing", json={"type": "forged"}, trust_env=False)
    yield Broken({}, (r'webhooks/billing",status="4',))


@contextmanager
def notifications_dead(s: Standing) -> Iterator[Broken]:
    s.launched()
    time.sleep(1)
    s.sql("update notifications set state = 'dead', finished_at = now(), last_error = 'answered 500'")
    yield Broken({}, ("dead_letters", "answered 500", r"UPDATE [1-9]"))


@contextmanager
def as_it_is(s: Standing) -> Iterator[Broken]:
    yield Broken({}, ("berth_disk_free_ratio",))


def of(part: str, *shows: str) -> Callable[[Standing], AbstractContextManager[Broken]]:
    return lambda s: stopped(s, part, *shows)


BREAKS: dict[str, Callable[[Standing], AbstractContextManager[Broken]]] = {
    "BerthLaunchSlow": slow_launch,
    "BerthTerminationSlow": slow_end,
    "BerthStuckLaunching": stuck_launch,
    "BerthStuckTerminating": stuck_end,
    "BerthStuckOtherwise": stuck_otherwise,
    "BerthLaunchFailures": failed_launches,
    "BerthTerminationFailures": failed_ends,
    "BerthPastDeadline": past_deadline,
    "BerthParked": parked,
    "BerthOrphans": orphaned,
    "BerthDown": of("api", "no answer"),
    "BerthNoWorker": no_worker,
    "BerthRecordsAway": records_away,
    "BerthTemporalAway": of("temporal", '"name":"temporal","ok":false', "no answer"),
    "BerthNotReady": not_ready,
    "BerthKeeperSilent": keeper_silent,
    "BerthQueueOld": queue_old,
    "BerthObserverSilent": observer_silent,
    "BerthLedgerLag": ledger_lag,
    "BerthFeedLag": feed_lag,
    "BerthProviderOutage": provider_outage,
    "BerthHostSilent": host_silent,
    "BerthDiskLow": as_it_is,
    "BerthErrors": errors,
    "BerthWebhooksRefused": webhooks_refused,
    "BerthNotificationsDead": notifications_dead,
}
