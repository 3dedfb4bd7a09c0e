"""One Berth without its API, made of real parts: a database, a Temporal namespace, workers as subprocesses.

Tests ask through the services, as the API does, and look at the records (`tests.support.looking`), at the
workflow histories and at what the simulated provider really holds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cryptography.fernet import Fernet

from db.direct import direct
from db.models import OperationRow
from db.session import Tx, open_database
from db.vault import Vault
from domain.lifecycle import Operation
from domain.operations import OperationStatus
from domain.specs import Accepted, Ask, Caller, NewDeployment, Spec
from domain.work import Identity
from providers.simulated import SimulatedProvider
from providers.simulated_faults import Fault, FaultKind, Verb
from services.places.hosts import server_id
from services.requests import changes, repeats, withdrawals
from settings import psycopg2_url
from tests.support.looking import Looking
from tests.support.temporal import TemporalServer
from tests.support.workers import WorkerProcess, wait_for

T = TypeVar("T")
ME = Ask(Caller("tester"))
_ROOT = Path(__file__).parents[2]
NEVER = 3600.0
"""Seconds after which a fault would end by itself: no test lives so long, so it ends when the test says so."""
# Short, so that a test need not wait for what takes minutes in service.
QUICK = {
    "BERTH_KEEPER_INTERVAL_SECONDS": "0.2",
    "BERTH_GONE_LOOK_SECONDS": "0.5",
    "BERTH_RUN_HOLD_SECONDS": "1",
    "BERTH_PARK_SECONDS": "60",
    # Its looks would use up the faults that a test has scripted for others; tests/monitor turns it on.
    "BERTH_MONITOR": "0",
}


@dataclass
class Spine(Looking):
    """The parts, and the words in which tests speak to them."""

    folder: Path
    database_url: str
    temporal: TemporalServer
    namespace: str
    settings: dict[str, str] = field(default_factory=lambda: dict(QUICK))
    workers: list[WorkerProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        keys = self.folder / "keys"
        if not keys.exists():
            keys.write_text(Fernet.generate_key().decode())
        self.database = open_database(psycopg2_url(self.database_url), pool_size=5)
        self.vault = Vault.open(keys)
        with self.database.begin() as tx:
            self.server_id = server_id(tx)
        self.provider = SimulatedProvider(self.folder / "simulated.db", self.server_id, verify=self._verify)
        self._names = iter(range(1, 10_000))

    # --- processes

    def start_worker(self, *, module: str = "worker", **settings: str) -> WorkerProcess:
        """Start a worker and wait until it is ready."""
        worker = self.launch_worker(module=module, **settings)
        worker.wait_until("worker ready")
        return worker

    def launch_worker(
        self, *, module: str = "worker", options: Sequence[str] = (), **settings: str
    ) -> WorkerProcess:
        log = self.folder / f"worker-{len(self.workers)}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *options],
                env=self.environment() | settings,
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )
        self.workers.append(WorkerProcess(process, log))
        return self.workers[-1]

    def environment(self) -> dict[str, str]:
        """Of every process of this Berth."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "LANG": "C.UTF-8",
            "HOME": os.environ.get("HOME", "/"),
            "DATABASE_URL": self.database_url,
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_NAMESPACE": self.namespace,
            "BERTH_DATA_DIR": str(self.folder),
            "BERTH_TEMPORAL_FRESH": "1",
            **self.settings,
        }

    def close(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
        self.provider.close()
        self.database.engine.dispose()

    # --- asking, as the API does

    def create(self, name: str | None = None, *, provider: str = "simulated", **spec: Any) -> Accepted:
        """Accept a create; `simulate={verb: fault}` and the fields of `Spec` go into the spec."""
        host, blueprint = spec.pop("host_id", None), spec.pop("blueprint", "web")
        wanted = NewDeployment(name or self.new_name(), blueprint, provider, a_spec(**spec))
        return self.write(lambda tx: changes.create(tx, ME, wanted, host))

    def create_done(self, name: str | None = None, **spec: Any) -> Accepted:
        """Create, and wait until it has succeeded."""
        accepted = self.create(name, **spec)
        self.succeeded(accepted)
        return accepted

    def act(self, operation: Operation, deployment_id: str, instance_id: str | None = None) -> Accepted:
        return self.write(lambda tx: changes.act(tx, ME, operation, deployment_id, instance_id))

    def modify(self, deployment_id: str, **spec: Any) -> Accepted:
        return self.write(lambda tx: changes.modify(tx, ME, deployment_id, a_spec(**spec)))

    def delete(self, deployment_id: str, instance_id: str | None = None) -> Accepted:
        return self.write(lambda tx: withdrawals.delete(tx, ME, deployment_id, instance_id))

    def cancel(self, operation_id: str) -> None:
        self.write(lambda tx: withdrawals.cancel(tx, ME, operation_id))

    def retry(self, operation_id: str) -> Accepted:
        return self.write(lambda tx: repeats.retry(tx, ME, operation_id))

    def write(self, change: Callable[[Tx], T]) -> T:
        with self.database.begin() as tx:
            return change(tx)

    def end_connection(self, name: str) -> None:
        """What a broken network does to a connection of that name (`%` for anything) to the database."""
        connection = direct(self.database.engine, "berth-test")()
        with connection.cursor() as cursor:
            cursor.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name like %s and datname = current_database()",
                (name,),
            )
            assert cursor.fetchall() == [(True,)]
        connection.close()

    def new_name(self) -> str:
        return f"shop{next(self._names)}"

    # --- waiting

    def wait_done(self, accepted: Accepted | str, seconds: float = 20.0) -> OperationRow:
        """The operation once it is final."""
        return self.wait_operation(accepted, lambda row: row.status.done, seconds)

    def wait_operation(
        self, accepted: Accepted | str, reached: Callable[[OperationRow], bool], seconds: float = 20.0
    ) -> OperationRow:
        operation_id = accepted if isinstance(accepted, str) else accepted.operation_id
        wait_for(
            lambda: reached(self.operation(operation_id)),
            seconds,
            lambda: f"operation did not get there: {self.story(operation_id)}",
        )
        return self.operation(operation_id)

    def succeeded(self, accepted: Accepted | str, seconds: float = 20.0) -> OperationRow:
        return self.ended(accepted, OperationStatus.SUCCEEDED, seconds)

    def failed(self, accepted: Accepted | str, seconds: float = 20.0) -> OperationRow:
        return self.ended(accepted, OperationStatus.FAILED, seconds)

    def cancelled(self, accepted: Accepted | str, seconds: float = 20.0) -> OperationRow:
        return self.ended(accepted, OperationStatus.CANCELLED, seconds)

    def ended(self, accepted: Accepted | str, wanted: OperationStatus, seconds: float) -> OperationRow:
        row = self.wait_done(accepted, seconds)
        assert row.status is wanted, self.story(row.id)
        return row

    def wait_call(self, deployment_id: str, verb: str, times: int = 1, seconds: float = 15.0) -> None:
        """Wait until the provider has been called so often for the deployment."""
        ids = [row.id for row in self.instances(deployment_id)]
        wait_for(
            lambda: sum(self.provider.calls(i).get(verb, 0) for i in ids) >= times,
            seconds,
            f"the provider was not called: {verb}",
        )

    # --- faults

    def fault(
        self, verb: str, kind: str, times: int = 1, seconds: float | None = None, instance: str = "*"
    ) -> None:
        """Make the provider misbehave from now on, for one instance by name or id, or for all."""
        self.provider.set_fault(Fault(Verb(verb), FaultKind(kind), times, seconds, instance))

    def settles(self, *deployment_ids: str) -> None:
        """From now on the provider shows what it has only accepted so far (fault `unconfirmed`)."""
        now = "update objects set settles_at = 0 where deployment_id = ? and settles_at is not null"
        with self.provider._store.transaction() as store:
            store.executemany(now, [(deployment_id,) for deployment_id in deployment_ids])

    def _verify(self, found: Identity) -> bool:
        parts = (found.server_id, found.project, found.deployment_id, found.instance_id, str(found.generation))
        return self.vault.verify(found.signature, *parts)


def a_spec(**spec: Any) -> Spec:
    """`simulate` and `greeting` become parameters; the rest are fields of `Spec`."""
    params = dict(spec.pop("params", {}))
    params |= {name: spec.pop(name) for name in ("simulate", "greeting") if name in spec}
    return Spec(params=params, **spec)
