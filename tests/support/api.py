"""The real API on a real socket and a real database, in this process; and rows in whatever status a test needs."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from cryptography.fernet import Fernet
from sqlalchemy import insert, update

from api.app import create_app
from db.models import Deployment, Host, Instance, OperationInstance, OperationRow
from db.session import Database, Tx, open_database
from db.vault import Vault
from domain.lifecycle import IN_PROGRESS, BillingStatus, Operation, ProvisioningStatus, Role, Status
from domain.operations import ErrorOrigin, OperationStatus, RestartPolicy
from embedded.serving import OPTIONS
from services.operations.acceptance import new_id, workflow_id
from settings import Settings, psycopg2_url
from tests.support.patience import busy
from tests.support.roles import as_application

TOKEN = "token-of-tests"
NOWHERE = "127.0.0.1:1"
_START_SECONDS = 20.0


@dataclass
class Api:
    """A running API and the ways to ask it."""

    url: str
    database: Database
    vault: Vault
    client: httpx2.Client
    names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def name(self) -> str:
        """A name that nobody has."""
        return f"thing-{next(self.names)}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        """One request below the prefix; `headers` with `_` for `-`."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        if body is not None:
            return self.client.request(method, f"/api/v1{path}", json=body, headers=named)
        return self.client.request(method, f"/api/v1{path}", headers=named)

    def get(self, path: str) -> Any:
        """A read that must work."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def create(self, **body: Any) -> Any:
        """Make something simulated; returns `{instance, operation}`."""
        body = {"name": self.name(), "blueprint": "web", "provider": "simulated", **body}
        answer = self.ask("POST", "/instances", body)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def act(self, key: str, action: str, **more: Any) -> httpx2.Response:
        """An action on one instance."""
        return self.ask("POST", f"/instances/{key}/actions", {"action": action, **more})

    def an_instance(self, status: Status = Status.RUNNING, **columns: Any) -> str:
        """A row in `status`, with the operation that such a status has; returns the instance's name."""
        name = columns.pop("name", None) or self.name()
        with self.database.begin() as tx:
            add_instance(tx, name, status, **columns)
        return name

    def end(self, operation_id: str, status: OperationStatus = OperationStatus.SUCCEEDED) -> None:
        """End an operation as its workflow would."""
        error = {"code": "transient", "message": "it broke"} if status is OperationStatus.FAILED else None
        with self.database.begin() as tx:
            tx.session.execute(
                update(OperationRow)
                .where(OperationRow.id == operation_id)
                .values(status=status, finished_at=tx.now, phase="done", error=error)
            )
            tx.wake("berth_operations", operation_id)


def add_instance(tx: Tx, name: str, status: Status, **columns: Any) -> str:
    """A deployment of one member in `status`; in progress with its operation, in error with the failed one."""
    deployment_id = add_deployment(tx, name)
    return add_member(tx, deployment_id, name, status, **columns)


def add_deployment(tx: Tx, name: str, members: int = 1) -> str:
    """A deployment without members."""
    deployment_id = new_id("dep")
    tx.session.execute(
        insert(Deployment).values(
            id=deployment_id,
            project="default",
            name=name,
            blueprint="web",
            provider="simulated",
            params={},
            resources={},
            members=members,
            labels={},
            restart_policy=RestartPolicy.NEVER,
            timeouts={},
            created_at=tx.now,
            updated_at=tx.now,
        )
    )
    return deployment_id


def add_member(tx: Tx, deployment_id: str, name: str, status: Status, **columns: Any) -> str:
    """One member with the operation that its status has."""
    instance_id = new_id("ins")
    operation_id = None
    if status in IN_PROGRESS:
        operation_id = add_operation(tx, deployment_id, name, instance_id, OperationStatus.RUNNING)
    elif status is Status.ERROR:
        operation_id = add_operation(tx, deployment_id, name, instance_id, OperationStatus.FAILED)
    in_error = {"error_code": "transient", "error_message": "it broke", "error_origin": ErrorOrigin.OPERATION}
    values: dict[str, Any] = {
        "id": instance_id,
        "deployment_id": deployment_id,
        "project": "default",
        "name": name,
        "ordinal": 1,
        "role": Role.STANDALONE,
        "blueprint": "web",
        "provider": "simulated",
        "labels": {},
        "status": status,
        "provisioning_status": ProvisioningStatus.COMPLETED,
        "billing_status": BillingStatus.TRIAL,
        "applied_spec": {"params": {}, "resources": {}},
        "operation_id": operation_id,
        "created_at": tx.now,
        "updated_at": tx.now,
        **(in_error if status is Status.ERROR else {}),
        **columns,
    }
    tx.session.execute(insert(Instance).values(values))
    return instance_id


def add_operation(
    tx: Tx, deployment_id: str, name: str, instance_id: str, status: OperationStatus, **columns: Any
) -> str:
    """An operation of one instance: a restart, so that a repeat of it is legal."""
    operation_id = new_id("op")
    ended = status.done
    values: dict[str, Any] = {
        "id": operation_id,
        "project": "default",
        "kind": Operation.RESTART,
        "deployment_id": deployment_id,
        "deployment_name": name,
        "blueprint": "web",
        "provider": "simulated",
        "instance_ids": [instance_id],
        "status": status,
        "phase": "done" if ended else "acting",
        "actor": "tester",
        "source": "user",
        "spec": {"params": {}, "resources": {}},
        "error": {"code": "transient", "message": "it broke"} if status is OperationStatus.FAILED else None,
        "workflow_id": workflow_id(deployment_id),
        "created_at": tx.now,
        "finished_at": tx.now if ended else None,
        **columns,
    }
    tx.session.execute(insert(OperationRow).values(values))
    tx.session.execute(
        insert(OperationInstance).values(
            operation_id=operation_id,
            instance_id=instance_id,
            instance_name=name,
            verb="restart",
            before="running",
            during="restarting",
            done="running",
            failed="error",
            cancelled="as_observed",
        )
    )
    return operation_id


def add_host(tx: Tx, name: str = "here", **columns: Any) -> str:
    """A host that offers `process`."""
    host_id = new_id("host")
    values = {
        "id": host_id,
        "name": name,
        "providers": ["process"],
        "first_seen_at": tx.now,
        "last_seen_at": tx.now,
    }
    tx.session.execute(insert(Host).values(**{**values, **columns}))
    return host_id


@contextmanager
def running_api(folder: Path, database_url: str, **settings: Any) -> Iterator[Api]:
    """Serve on a free port until the block ends, as the application's role; the test itself is the owner."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "token").write_text(TOKEN + "\n")
    keys = folder / "keys"
    if not keys.exists():
        keys.write_text(Fernet.generate_key().decode())
    known = Settings(
        data_dir=folder,
        DATABASE_URL=as_application(database_url),
        **{"TEMPORAL_ADDRESS": NOWHERE, **settings},
    )
    database = open_database(psycopg2_url(database_url), pool_size=5)
    # The protocol is named, or asyncio does not turn off the delay of small packets on what it accepts.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(200)
        with _served(known, listening), _asking(listening, known, database, keys) as api:
            yield api
    database.engine.dispose()


_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Whom a client on the loopback believes: reading all authorities is a good part of a small test's time."""


def http_client(url: str, headers: Mapping[str, str], **options: Any) -> httpx2.Client:
    return httpx2.Client(
        base_url=url, headers=dict(headers), timeout=60, trust_env=False, verify=_NOBODY, **options
    )


@contextmanager
def _asking(listening: socket.socket, settings: Settings, database: Database, keys: Path) -> Iterator[Api]:
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    headers = {"Authorization": f"Bearer {(settings.data_dir / 'token').read_text().strip()}"}
    limits = httpx2.Limits(max_connections=200)
    with http_client(url, headers, limits=limits) as client:
        yield Api(url, database, Vault.open(keys), client)


@contextmanager
def _served(settings: Settings, listening: socket.socket) -> Iterator[None]:
    config = uvicorn.Config(
        create_app(settings),
        timeout_graceful_shutdown=2,
        **OPTIONS,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="api")
    thread.start()
    try:
        deadline = time.monotonic() + _START_SECONDS * busy()
        while not server.started:
            assert thread.is_alive(), "the API did not start"
            assert time.monotonic() < deadline, "the API took too long to start"
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join(60)
