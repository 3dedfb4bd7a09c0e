"""How each part of a real `berth up` is broken for its section of the runbook, and what tells it is mended."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg2

from keeper.namespace import KEY as NAMESPACE
from tests.eyes.standing import AGENT, Standing
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


def _hang(**more: Any) -> dict[str, Any]:
    return {"fault": "hang", "times": 1, "seconds": 120, **more}


def launching(s: Standing, **simulate: Any) -> dict[str, str]:
    names = s.launched(None, **simulate)
    wait_for(lambda: s.ask("GET", f"/operations/{names['OP']}")["status"] == "running", 20, "it did not begin")
    return names


def past_its_deadline(s: Standing, names: dict[str, str]) -> None:
    """Instead of minutes of waiting."""
    s.sql(f"update operations set deadline_at = now() - interval '1 second' where id = '{names['OP']}'")


def _counted(s: Standing, metric: str) -> None:
    wait_for(lambda: s.shell.run(f"metric {metric}").code == 0, 30, f"{metric} is not counted")


@contextmanager
def slow_launch(s: Standing) -> Iterator[Broken]:
    names = s.launched(create={"fault": "slow", "seconds": 2})
    _counted(s, "launch_duration_sum")
    yield Broken(names, ("simulated create", "launch_duration_sum"))


@contextmanager
def slow_end(s: Standing) -> Iterator[Broken]:
    names = s.acted(s.launched(delete={"fault": "slow", "seconds": 2}), "delete", "succeeded")
    _counted(s, "termination_duration_sum")
    yield Broken(names, ("simulated delete",))


@contextmanager
def stuck_launch(s: Standing) -> Iterator[Broken]:
    names = launching(s, create=_hang())
    yield Broken(names, (names["NAME"], "CreateWorkflow"), s.is_in(names, "running"))


@contextmanager
def stuck_end(s: Standing) -> Iterator[Broken]:
    names = s.acted(s.launched(delete=_hang()), "delete")
    past_its_deadline(s, names)
    yield Broken(names, (names["OP"],), s.is_in(names, "gone"))


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
        if part == "temporal":
            wait_for(lambda: not s.ready(), 30, "nobody noticed")
        yield Broken({}, shows, mended)
    finally:
        if not ended:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def worker_hangs(s: Standing) -> Iterator[dict[str, Broken]]:
    """What a worker that hangs breaks, one after the other; killed at the end, as the page says."""
    with stopped(s, "worker") as broken:
        s.sql("update provider_places set checked_at = now() - interval '5 minutes'")  # instead of a minute's wait
        names = s.launched(None)
        s.launched(None)
        time.sleep(7)
        yield {
            "BerthKeeperSilent": Broken(
                {}, (r"berth_keeper_lag_seconds ([5-9]|\d\d)", r"pid +\| +client_addr", "\\(1 row")
            ),
            "BerthQueueOld": Broken(names, ("pending", "berth_operations_pending")),
            "BerthLedgerLag": Broken({}, (r"berth_ledger_lag_events [1-9]",)),
            "BerthObserverSilent": Broken({}, (r'lag_seconds{scope="simulated"} ([5-9]|\d\d)', r"trouble\s+-")),
            "BerthNoWorker": Broken(
                {}, ("berth_workers_live 0", "worker"), lambda: broken.mended() and s.status(names) == "running"
            ),
        }


@contextmanager
def records_away(s: Standing) -> Iterator[Broken]:
    name = s.database_url.partition("?")[0].rpartition("/")[2] or "berth"
    beside = psycopg2.connect(s.database_url.replace(f"/{name}?", "/postgres?"), connect_timeout=30)
    beside.autocommit = True
    with beside.cursor() as cursor:
        cursor.execute(f"alter database {name} with allow_connections false")
        cursor.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))

    def back() -> None:
        with beside.cursor() as cursor:
            cursor.execute(f"alter database {name} with allow_connections true")

    def mended() -> bool:
        back()
        return s.ready()

    try:
        wait_for(lambda: not s.ready(), 30, "nobody noticed")
        yield Broken({}, ('"name":"database","ok":false',), mended)
    finally:
        back()
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
def feed_lag(s: Standing) -> Iterator[Broken]:
    yield Broken({}, ("berth_feed_lag_events", "berth_feed_lag_seconds"))


@contextmanager
def provider_outage(s: Standing) -> Iterator[Broken]:
    """A worker of its own leads to a Docker daemon that does not answer."""
    agent = s.agent()
    away = f'available{{agent="{AGENT}",provider="docker"}} 0'
    wait_for(lambda: away in s.shell.run("metric berth_provider_available").said, 60, agent.log.read_text)
    yield Broken({}, (away, "docker.sock"))
    agent.kill()  # from here on its host falls silent


@contextmanager
def host_silent(s: Standing) -> Iterator[Broken]:
    """The worker of a host is killed, as a lost machine looks."""
    agent = s.agent()
    wait_for(lambda: AGENT in hosts(s), 60, agent.log.read_text)
    agent.kill()
    wait_for(lambda: hosts(s)[AGENT], 60, "it is not silent")
    yield Broken({}, ("silent",), lambda: AGENT not in hosts(s))


def hosts(s: Standing) -> dict[str, bool]:
    """Whether each is silent."""
    return {str(host["name"]): bool(host["silent"]) for host in s.ask("GET", "/hosts")["items"]}


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
    dead = "update notifications set state = 'dead', finished_at = now(), last_error = 'answered 500'"
    wait_for(lambda: s.sql(dead) > 0, 30, "nobody is told of anything")
    yield Broken({}, ("dead_letters", "answered 500", r"UPDATE [1-9]"))


@contextmanager
def as_it_is(s: Standing) -> Iterator[Broken]:
    yield Broken({}, ("berth_disk_free_ratio",))


def of(part: str, *shows: str) -> Callable[[Standing], AbstractContextManager[Broken]]:
    return lambda s: stopped(s, part, *shows)


BREAKS: dict[str, Callable[[Standing], AbstractContextManager[Broken]]] = {
    "BerthProviderOutage": provider_outage,  # its worker is killed, and silent until its host is looked at
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
    "BerthRecordsAway": records_away,
    "BerthTemporalAway": of("temporal", '"name":"temporal","ok":false', "no answer"),
    "BerthNotReady": not_ready,
    "BerthFeedLag": feed_lag,
    "BerthDiskLow": as_it_is,
    "BerthErrors": errors,
    "BerthWebhooksRefused": webhooks_refused,
    "BerthNotificationsDead": notifications_dead,
    "BerthHostSilent": host_silent,
}
BY_A_WORKER_THAT_HANGS = (
    "BerthKeeperSilent",
    "BerthQueueOld",
    "BerthLedgerLag",
    "BerthObserverSilent",
    "BerthNoWorker",
)
