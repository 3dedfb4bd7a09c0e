"""One Berth without its API, made of real parts: a database, a Temporal namespace, workers as subprocesses.

Tests ask through the services, as the API does, and look at the records, at the workflow histories and at what
the simulated provider really holds. `invariants` is what must be true whenever nothing is under way.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Deployment, Instance, InstanceRun, LifecycleEvent, OperationRow, OperationStep
from db.session import Database, Tx, open_database
from db.vault import Vault
from domain.lifecycle import IN_PROGRESS, Operation, Status
from domain.operations import OperationStatus
from domain.specs import Accepted, Ask, Caller, NewDeployment, Spec
from domain.work import Identity, InventoryItem
from providers.simulated import SimulatedProvider
from providers.simulated_faults import Fault, FaultKind, Verb
from services import requests, withdrawals
from services.hosts import server_id
from settings import psycopg2_url
from tests.support.temporal import TemporalServer

ME = Ask(Caller("tester"))
_READY_SECONDS = 30.0
_TICK = 0.01
_ROOT = Path(__file__).parents[2]
# Short, so that a test need not wait for what takes minutes in service.
QUICK = {
    "BERTH_KEEPER_INTERVAL_SECONDS": "0.2",
    "BERTH_GONE_LOOK_SECONDS": "0.5",
    "BERTH_RUN_HOLD_SECONDS": "1",
    "BERTH_PARK_SECONDS": "60",
}


@dataclass
class WorkerProcess:
    """`python -m worker`, or another entry that wraps it."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until(self, said: str, seconds: float = _READY_SECONDS) -> None:
        """Wait until the worker has logged `said`."""
        wait_for(lambda: said in self.log.read_text(), seconds, f"worker did not say {said!r}", self._alive)

    def kill(self) -> None:
        """SIGKILL, as a lost machine looks."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.kill()
        return int(self.process.returncode)

    def _alive(self) -> None:
        assert self.process.poll() is None, f"the worker ended: {self.log.read_text()[-3000:]}"


@dataclass
class Spine:
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

    def launch_worker(self, *, module: str = "worker", **settings: str) -> WorkerProcess:
        log = self.folder / f"worker-{len(self.workers)}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", module],
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
        wanted = NewDeployment(name or self.new_name(), spec.pop("blueprint", "web"), provider, a_spec(**spec))
        host = spec.get("host_id")
        return self.write(lambda tx: requests.create(tx, ME, wanted, host))

    def create_done(self, name: str | None = None, **spec: Any) -> Accepted:
        """Create, and wait until it has succeeded."""
        accepted = self.create(name, **spec)
        self.succeeded(accepted)
        return accepted

    def act(self, operation: Operation, deployment_id: str, instance_id: str | None = None) -> Accepted:
        return self.write(lambda tx: requests.act(tx, ME, operation, deployment_id, instance_id))

    def modify(self, deployment_id: str, **spec: Any) -> Accepted:
        return self.write(lambda tx: requests.modify(tx, ME, deployment_id, a_spec(**spec)))

    def delete(self, deployment_id: str, instance_id: str | None = None) -> Accepted:
        return self.write(lambda tx: withdrawals.delete(tx, ME, deployment_id, instance_id))

    def cancel(self, operation_id: str) -> None:
        self.write(lambda tx: withdrawals.cancel(tx, ME, operation_id))

    def retry(self, operation_id: str) -> Accepted:
        return self.write(lambda tx: requests.retry(tx, ME, operation_id))

    def write(self, change: Callable[[Tx], Any]) -> Any:
        with self.database.begin() as tx:
            return change(tx)

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

    # --- looking

    def operation(self, operation_id: str) -> OperationRow:
        with Session(self.database.engine, expire_on_commit=False) as session:
            return session.get_one(OperationRow, operation_id)

    def rows(self, query: Any) -> list[Any]:
        with Session(self.database.engine, expire_on_commit=False) as session:
            return list(session.scalars(query))

    def instances(self, deployment_id: str) -> list[Instance]:
        return self.rows(
            select(Instance).where(Instance.deployment_id == deployment_id).order_by(Instance.ordinal)
        )

    def instance(self, deployment_id: str) -> Instance:
        """The only member."""
        (found,) = self.instances(deployment_id)
        return found

    def runs(self, deployment_id: str) -> list[InstanceRun]:
        return self.rows(select(InstanceRun).where(InstanceRun.deployment_id == deployment_id))

    def steps(self, operation_id: str) -> list[OperationStep]:
        query = select(OperationStep).where(OperationStep.operation_id == operation_id)
        return self.rows(query.order_by(OperationStep.position))

    def events(self, operation_id: str) -> list[LifecycleEvent]:
        query = select(LifecycleEvent).where(LifecycleEvent.operation_id == operation_id)
        return self.rows(query.order_by(LifecycleEvent.seq))

    def event_types(self, operation_id: str) -> list[str]:
        return [event.event_type for event in self.events(operation_id)]

    def inventory(self, deployment_id: str | None = None) -> Sequence[InventoryItem]:
        """What the simulated provider really holds."""
        found = self.provider.inventory()
        return [item for item in found if deployment_id in {None, item.deployment_id}]

    def calls(self, instance_id: str) -> Mapping[str, int]:
        return self.provider.calls(instance_id)

    def story(self, operation_id: str) -> str:
        """Everything about an operation, for the message of a failed test."""
        row = self.operation(operation_id)
        steps = [(s.name, s.status.value, s.attempts) for s in self.steps(operation_id)]
        members = [(i.name, i.status.value, i.error_message) for i in self.instances(row.deployment_id)]
        logs = "".join(worker.log.read_text()[-1500:] for worker in self.workers[-2:])
        return f"{row.kind} {row.status} {row.phase} error={row.error} steps={steps} members={members}\n{logs}"

    # --- faults

    def fault(
        self, verb: str, kind: str, times: int = 1, seconds: float | None = None, instance: str = "*"
    ) -> None:
        """Make the provider misbehave from now on, for one instance by name or id, or for all."""
        self.provider.set_fault(Fault(Verb(verb), FaultKind(kind), times, seconds, instance))

    # --- what must always be true at rest

    def invariants(self) -> None:
        """Nothing in progress, nothing holding, the inventory is the records, one object per instance."""
        with Session(self.database.engine) as session:
            rows = session.scalars(select(Instance)).all()
            owners = set(session.scalars(select(Deployment.id)))
            unfinished = session.scalars(select(OperationRow.id).where(OperationRow.finished_at.is_(None))).all()
        assert not unfinished, [self.story(operation_id) for operation_id in unfinished]
        assert not [row.name for row in rows if row.status in IN_PROGRESS]
        assert not [row.name for row in rows if row.deployment_id not in owners]
        held = [item.instance_id for item in self.inventory()]
        assert len(held) == len(set(held)), f"two objects for one instance: {held}"
        known = {row.id: row for row in rows if row.provider == "simulated"}
        assert set(held) <= set(known), f"objects without a row: {set(held) - set(known)}"
        states = {item.instance_id: item.state for item in self.inventory()}
        for row in known.values():
            if row.status in {Status.RUNNING, Status.STOPPED}:
                assert states.get(row.id) == row.status.value, f"{row.name}: {row.status} but {states.get(row.id)}"

    def _verify(self, found: Identity) -> bool:
        parts = (found.server_id, found.project, found.deployment_id, found.instance_id, str(found.generation))
        return self.vault.verify(found.signature, *parts)


def a_spec(**spec: Any) -> Spec:
    """`simulate` and `greeting` become parameters; the rest are fields of `Spec`."""
    params = dict(spec.pop("params", {}))
    params |= {name: spec.pop(name) for name in ("simulate", "greeting") if name in spec}
    spec.pop("host_id", None)
    return Spec(params=params, **spec)


def wait_for(
    reached: Callable[[], bool],
    seconds: float,
    otherwise: str | Callable[[], str],
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Wait for a condition, at most so long."""
    deadline = time.monotonic() + seconds
    while not reached():
        meanwhile()
        assert time.monotonic() < deadline, otherwise if isinstance(otherwise, str) else otherwise()
        time.sleep(_TICK)


def running_spine(spine: Spine) -> Iterator[Spine]:
    """`spine` with one worker, for fixtures; the invariants are checked at the end."""
    try:
        spine.start_worker()
        yield spine
    finally:
        spine.close()
