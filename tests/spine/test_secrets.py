"""No secret leaves the records: the whole life of a real PostgreSQL server, and every place written to."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from db.models import Secret
from domain.lifecycle import Operation, Status
from providers.process.members import all_signed
from tests.support.allocations import DEDICATED, SHARED, credentials
from tests.support.leaks import forms, leaks, of_files, of_processes, of_records, of_temporal
from tests.support.process_spine import ProcessSpine
from workflows.connection import connect

pytestmark = pytest.mark.processes


@activity.defn
async def careless(given: str) -> str:
    return f"connected as postgresql://app:{given}@127.0.0.1/app"


@workflow.defn
class CarelessWorkflow:
    """What must never be written: an activity whose result holds a password."""

    @workflow.run
    async def run(self, password_file: str) -> int:
        timeout = timedelta(seconds=5)
        return len(await workflow.execute_activity(careless, password_file, start_to_close_timeout=timeout))


def secrets_of(spine: ProcessSpine) -> set[str]:
    with spine.database.begin() as tx:
        ids = set(tx.session.scalars(select(Secret.instance_id)))
        return {value for instance_id in ids for value in spine.vault.get(tx, instance_id).values()}


async def every_place(spine: ProcessSpine, client: Client, root: Path) -> list[tuple[str, bytes]]:
    logs = [worker.log for worker in spine.workers] + sorted(root.glob("*/**/*.log"))
    uids = {member.facts.uid for member in all_signed(spine.server_id)} | {os.getuid()}
    places = await of_temporal(client, spine.temporal.folder)
    return [*places, *of_records(spine), *of_files(logs), *of_processes(uids)]


def live_a_full_life(spine: ProcessSpine) -> set[str]:
    """Success, change, crash, failure, retry, cancel and delete; returns every secret that existed on the way."""
    made = spine.on_host()
    spine.succeeded(made, seconds=60)
    known = secrets_of(spine)
    spine.succeeded(spine.modify(made.deployment_id, params={"max_connections": 150}), seconds=60)
    for operation in (Operation.STOP, Operation.START, Operation.RESTART):
        spine.succeeded(spine.act(operation, made.deployment_id), seconds=60)
    row = spine.instance(made.deployment_id)
    data = next(Path(spine.settings["BERTH_INSTANCE_ROOT"]).glob(f"*{row.id}*/data"))
    for member in all_signed(spine.server_id):
        os.kill(member.facts.id.pid, signal.SIGKILL)
    (data / "PG_VERSION").rename(data / "PG_VERSION.away")
    failed = spine.failed(spine.act(Operation.RESTART, made.deployment_id), seconds=90)
    assert spine.instance(made.deployment_id).status is Status.ERROR
    (data / "PG_VERSION.away").rename(data / "PG_VERSION")
    spine.succeeded(spine.retry(failed.id), seconds=60)
    cancelled = spine.on_host()
    spine.wait_operation(cancelled, lambda op: op.started_at is not None)
    spine.cancel(cancelled.operation_id)
    spine.wait_done(cancelled, seconds=60)
    known |= secrets_of(spine)
    spine.succeeded(spine.delete(made.deployment_id), seconds=60)
    return known


async def test_no_secret_is_written_anywhere_and_the_search_would_find_one(process_spine: ProcessSpine) -> None:
    spine = process_spine
    spine.start_worker(BERTH_LOG_LEVEL="DEBUG")
    known = live_a_full_life(spine)
    assert len(known) >= 2
    client = await connect(spine.temporal.address, spine.namespace)
    root = Path(spine.settings["BERTH_INSTANCE_ROOT"])
    assert leaks(await every_place(spine, client, root), known) == []

    secret = sorted(known)[0]
    worker = Worker(
        client,
        task_queue="careless",
        workflows=[CarelessWorkflow],
        activities=[careless],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        await client.execute_workflow(CarelessWorkflow.run, secret, id="careless", task_queue="careless")
    found = leaks(await every_place(spine, client, root), known)
    assert {"raw history of careless", "history of careless", "decoded history of careless"} <= set(found)
    assert [name for name in found if name.endswith(("temporal.db", "temporal.db-wal"))] != []
    assert [name for name in found if "careless" not in name and "temporal.db" not in name] == []


def allocated_databases(spine: ProcessSpine) -> set[str]:
    """Both kinds of a database, through failure, retry and delete; returns every secret that existed."""
    spine.fault("create", "invalid", instance="own")
    own = spine.create("own", database=DEDICATED)
    failed = spine.failed(own)
    shared = spine.on_host("common", blueprint="web", database=SHARED)
    apart = spine.on_host("apart", blueprint="web", database=DEDICATED)
    for made in (shared, apart):
        spine.succeeded(made, seconds=60)
    known = secrets_of(spine) | {credentials(spine, shared).password, credentials(spine, apart).password}
    spine.succeeded(spine.retry(failed.id))
    spine.succeeded(spine.act(Operation.RESTART, shared.deployment_id), seconds=60)
    for made in (own, shared, apart):
        spine.succeeded(spine.delete(made.deployment_id), seconds=60)
    return known


async def test_no_password_of_an_allocated_database_is_written_anywhere(process_spine: ProcessSpine) -> None:
    spine = process_spine
    spine.start_worker(BERTH_LOG_LEVEL="DEBUG")
    known = allocated_databases(spine)
    assert len(known) >= 5
    client = await connect(spine.temporal.address, spine.namespace)
    root = Path(spine.settings["BERTH_INSTANCE_ROOT"])
    assert leaks(await every_place(spine, client, root), known) == []


def test_the_search_knows_a_secret_in_each_of_its_forms() -> None:
    secret = "aB3-_x/+%9'\"é"
    assert leaks([("here", f"url=postgresql://app:{secret}@h".encode())], [secret]) == ["here"]
    for form in forms(secret):
        assert leaks([("there", b"..." + form + b"...")], [secret]) == ["there"]
    assert leaks([("elsewhere", b"nothing to see")], [secret]) == []
