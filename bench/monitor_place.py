"""Where the monitor is measured: records with instances that exist, at a provider that holds them, and their end.

The rows and the simulated objects are written directly; the processes are real ones, made by the provider.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import func, select, text

from activities.parts import Parts
from activities.wakes import Wakes
from blueprints.registry import BLUEPRINTS
from db.direct import direct
from db.migrate import upgrade
from db.models import Instance, LifecycleEvent, Observer
from db.session import Database, open_database
from db.vault import Vault
from domain.work import Identity
from embedded import cluster, postgres
from embedded.down import down
from embedded.installation import open_installation, prepare_directory
from providers.entry import Setup
from providers.process.members import all_signed
from providers.registry import PROVIDERS
from services.places.hosts import server_id
from services.watching.orphans import Spot
from settings import psycopg2_url
from system import processes

HOST = "host_bench"
_FILL = """
insert into deployments (id, project, name, blueprint, provider, host_id, params, resources, members, labels,
                         restart_policy, timeouts, created_at, updated_at)
select 'dep_bench' || n, 'default', 'bench-' || n, 'web', :provider, :host, '{}', '{}', 1, '{}', 'never', '{}',
       now(), now()
from generate_series(1, :count) n;
insert into instances_runtime (id, deployment_id, project, name, ordinal, role, blueprint, provider, host_id,
                               labels, status, provisioning_status, billing_status, applied_spec, port, health,
                               created_at, updated_at)
select 'ins_bench' || n, 'dep_bench' || n, 'default', 'bench-' || n, 1, 'standalone', 'web', :provider, :host,
       '{}', 'running', 'completed', 'trial', '{"params": {}, "resources": {}}',
       case when cast(:host as text) is null then null else :port + n end, 'unknown', now(), now()
from generate_series(1, :count) n;
"""


class Unhindered:
    """`domain.work.Call` of somebody whom nobody stops."""

    attempt = None

    def guard(self) -> None:
        """Nothing speaks against it."""

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def progress(self, message: str) -> None:
        """Nobody asks."""


@dataclass
class Place:
    """Records of their own, and one provider."""

    folder: Path
    database_url: str
    provider: str

    def __post_init__(self) -> None:
        self.database: Database = open_database(self.database_url, pool_size=10)
        self.vault = Vault.open(self.folder / "keys")
        with self.database.begin() as tx:
            self.server_id = server_id(tx)

    @property
    def spot(self) -> Spot:
        return Spot(self.provider, HOST if PROVIDERS[self.provider].on_host else None)

    def parts(self) -> Parts:
        """What a worker would be composed of."""
        root = Path("/var/lib/berth-bench") if os.geteuid() == 0 else self.folder
        setup = Setup({}, self.folder, root / "instances", self.server_id, HOST, self._verify)
        provider = PROVIDERS[self.provider].open(setup)
        pool = ThreadPoolExecutor(4)
        wakes = Wakes(direct(self.database.engine, "berth-bench-wakes"))
        providers = {self.provider: provider}
        return Parts(self.database, self.vault, self.server_id, providers, BLUEPRINTS, [], pool, pool, wakes)

    def fill(self, count: int, port: int = 0) -> None:
        """So many running instances in the records."""
        given = {"provider": self.provider, "host": self.spot.host_id, "count": count, "port": port}
        with self.database.engine.begin() as connection:
            for statement in filter(None, (one.strip() for one in _FILL.split(";\n"))):
                connection.execute(text(statement), given)
        with self.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("vacuum analyze instances_runtime, deployments"))

    def rows(self) -> list[Any]:
        with self.database.engine.connect() as connection:
            return list(connection.execute(select(Instance.id, Instance.status, Instance.health)))

    def was_compared(self) -> bool:
        """Whether the observer has compared everything, and every health is fresh."""
        with self.database.engine.connect() as connection:
            full = connection.scalar(select(func.count()).where(Observer.last_full_at.is_not(None)))
            stale = connection.scalar(select(func.count()).where(Instance.health_checked_at.is_(None)))
        return bool(full) and not stale

    def observed(self) -> dict[str, float]:
        """When each change was written that a monitor has seen, by instance."""
        query = select(LifecycleEvent.instance_id, LifecycleEvent.time).where(
            LifecycleEvent.event_type == "OBSERVED"
        )
        with self.database.engine.connect() as connection:
            return {row.instance_id: row.time.timestamp() for row in connection.execute(query)}

    def _verify(self, found: Identity) -> bool:
        parts = (found.server_id, found.project, found.deployment_id, found.instance_id, str(found.generation))
        return self.vault.verify(found.signature, *parts)


def hold_simulated(place: Place) -> sqlite3.Connection:
    """An object for every row, and the hand that changes them."""
    place.parts().wakes.close()  # made for the file that it makes
    store = sqlite3.connect(place.folder / "simulated.db", isolation_level=None, timeout=20)
    sign, server = place.vault.sign, place.server_id
    objects = []
    for row in place.rows():
        number = row.id.removeprefix("ins_bench")
        signature = sign(server, "default", f"dep_bench{number}", row.id, "1")
        objects.append((row.id, server, f"dep_bench{number}", signature, f"bench-{number}"))
    store.execute("begin")
    store.executemany(
        "insert into objects values (?, ?, 'default', ?, 1, ?, ?, 'running', null, null, '{}')", objects
    )
    store.execute("commit")
    return store


def hit_simulated(place: Place, store: sqlite3.Connection, times: int, seconds: float) -> dict[str, float]:
    """Stop so many at random moments; when each was stopped."""
    chosen = random.Random(7).sample([row.id for row in place.rows()], times)
    hit = {}
    for instance_id in chosen:
        time.sleep(random.uniform(0, 2 * seconds / times))
        hit[instance_id] = time.time()
        store.execute("update objects set state = 'stopped' where instance_id = ?", (instance_id,))
    return hit


def hit_processes(place: Place, seconds: float) -> dict[str, float]:
    """Kill the main process of each instance at random moments."""
    found = [m for m in all_signed(place.server_id) if m.identity is not None]
    pids = {member.facts.id.pid for member in found}
    mains = [member for member in found if member.facts.parent not in pids]
    hit = {}
    for member in mains:
        time.sleep(random.uniform(0, 2 * seconds / len(mains)))
        assert member.identity is not None
        hit[member.identity.instance_id] = time.time()
        processes.send_signal(member.facts.id, member.facts.uid, signal.SIGKILL)
    return hit


@contextmanager
def own_records(folder: Path) -> Iterator[str]:
    """A PostgreSQL of its own, migrated."""
    prepare_directory(folder / "data")
    installation = open_installation(folder / "data")
    try:
        postgres.start(cluster.prepare(installation))
        url = psycopg2_url(cluster.database_url(installation))
        upgrade(url)
        yield url
    finally:
        down(installation, purge=True, say=lambda _: None)


def make_keys(folder: Path) -> None:
    (folder / "keys").write_text(Fernet.generate_key().decode())


@contextmanager
def observing(place: Place) -> Iterator[subprocess.Popen[str]]:
    """A process that is composed as a worker; it says `bare`, waits for a line, and then observes."""
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.monitor_process", str(place.folder), place.provider],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": place.database_url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        said = json.loads(child.stdout.readline())
        assert said == {"event": "bare"}, said
        yield child
    finally:
        child.terminate()
        child.wait(20)
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.close()
        child.stdout.close()


def clear(place: Place) -> None:
    place.database.engine.dispose()
    shutil.rmtree("/var/lib/berth-bench/instances", ignore_errors=True)
