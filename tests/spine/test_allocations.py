"""A database of one's own: a managed server beside its consumer, through failure, retry, cancel and delete."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from db.models import Instance
from domain.errors import InvalidInput, NameTaken, OperationNotAllowed
from domain.lifecycle import Operation, ProvisioningStatus, Status
from services.requests import forgetting
from tests.support.allocations import (
    DEDICATED,
    SHARED,
    allocated,
    allocation,
    deployment,
    operations_of,
    server,
)
from tests.support.spine import ME, NEVER, Spine

pytestmark = pytest.mark.servers


def test_a_create_makes_the_server_first_and_records_name_it(spine: Spine) -> None:
    made = spine.create(database=DEDICATED)
    done = spine.succeeded(made)
    row, beside = spine.instance(made.deployment_id), server(spine, made)
    assert (beside.name, beside.blueprint, beside.provider) == (f"{row.name}-db", "postgres", "simulated")
    assert (row.db_type, row.db_server_id) == ("dedicated", beside.id)
    assert [step.name for step in spine.steps(done.id)] == ["plan", "allocate", "create", "finish"]
    assert allocated(spine, made).state == "ready"
    assert allocated(spine, made).ciphertext is None
    assert "DATABASE_ALLOCATED" in spine.event_types(done.id)
    (made_by,) = {operation.actor for operation in operations_of(spine, beside.name)}
    assert made_by == "berth"


def test_a_failed_create_keeps_the_database_and_its_retry_uses_the_same(spine: Spine) -> None:
    made = spine.create(database=DEDICATED, simulate={"create": {"fault": "no_capacity"}})
    failed = spine.failed(made)
    row, beside = spine.instance(made.deployment_id), server(spine, made)
    assert (row.status, row.provisioning_status) == (Status.ERROR, ProvisioningStatus.FAILED)
    assert row.db_server_id == beside.id
    assert failed.error is not None
    assert f"database app on server {row.name}-db with its credentials" in failed.error["kept"]
    assert failed.error["cleaned"] == [f"the simulated object of {row.name}"]
    assert spine.inventory(made.deployment_id) == []
    assert beside.status is Status.RUNNING

    spine.succeeded(spine.retry(failed.id))
    assert server(spine, made).id == beside.id
    assert len(operations_of(spine, beside.name)) == 1
    assert spine.calls(beside.id)["create"] == 1


def test_deleting_the_last_member_deletes_the_server_after_it(spine: Spine) -> None:
    made = spine.create_done(database=DEDICATED, members=2)
    beside = server(spine, made)
    first, second = spine.instances(made.deployment_id)
    spine.succeeded(spine.delete(made.deployment_id, second.id))
    assert allocated(spine, made).state == "ready"
    gone = spine.delete(made.deployment_id)
    steps = spine.steps(spine.succeeded(gone).id)
    assert [step.name for step in steps] == ["plan", "delete", "release", "finish"]
    assert allocation(spine, made) is None
    assert deployment(spine, beside.name) is None
    assert spine.inventory(beside.deployment_id) == spine.inventory(made.deployment_id) == []
    (of_consumer,) = [run for run in spine.runs(made.deployment_id) if run.instance_id == first.id]
    (of_server,) = spine.runs(beside.deployment_id)
    assert of_consumer.termination_confirmed_at is not None
    assert of_server.termination_confirmed_at is not None


def test_a_release_that_fails_keeps_the_record_and_a_retry_finishes_it(spine: Spine) -> None:
    made = spine.create_done(database=DEDICATED)
    beside = server(spine, made)
    spine.fault("delete", "invalid", instance=beside.id)
    failed = spine.failed(spine.delete(made.deployment_id))
    row = spine.instance(made.deployment_id)
    assert (row.status, row.error_code) == (Status.ERROR, "delete-unfinished")
    assert "not released" in str(row.error_message)
    assert failed.error is not None
    assert failed.error["code"] == "database-server-failed"
    assert "simulated invalid in delete" in failed.error["message"]
    assert [s.status for s in spine.steps(failed.id) if s.name == "release"] == ["failed"]
    assert allocated(spine, made).state == "releasing"

    spine.succeeded(spine.retry(failed.id))
    assert spine.instances(made.deployment_id) == spine.instances(beside.deployment_id) == []


def test_a_server_that_fails_fails_its_consumer_with_its_words_and_is_tried_again_by_the_retry(
    spine: Spine,
) -> None:
    name = spine.new_name()
    spine.fault("create", "no_capacity", instance=f"{name}-db")
    failed = spine.failed(spine.create(name, database=DEDICATED))
    assert failed.error is not None
    assert failed.error["code"] == "database-server-failed"
    assert f"simulated no_capacity in create of {name}-db" in failed.error["message"]
    assert f"database app on server {name}-db, still being made, with its credentials" in failed.error["kept"]
    assert spine.calls(spine.instance(failed.deployment_id).id).get("create", 0) == 0

    again = spine.retry(failed.id)
    spine.succeeded(again)
    assert [operation.kind for operation in operations_of(spine, f"{name}-db")] == [Operation.CREATE] * 2
    assert server(spine, again).status is Status.RUNNING


def test_a_stopped_server_is_started_for_its_consumer(spine: Spine) -> None:
    failed = spine.failed(spine.create(database=DEDICATED, simulate={"create": {"fault": "invalid"}}))
    beside = spine.instances(str(allocated_server(spine, failed.deployment_id)))[0]
    spine.succeeded(spine.act(Operation.STOP, beside.deployment_id))
    spine.succeeded(spine.retry(failed.id))
    assert spine.instance(beside.deployment_id).status is Status.RUNNING


@pytest.mark.parametrize("verb", [Operation.RESTART, Operation.MODIFY, Operation.START])
def test_what_logs_in_anew_finds_its_stopped_server_started(spine: Spine, verb: Operation) -> None:
    made = spine.create_done(database=DEDICATED)
    beside = server(spine, made)
    if verb is Operation.START:
        spine.succeeded(spine.act(Operation.STOP, made.deployment_id))
    spine.succeeded(spine.act(Operation.STOP, beside.deployment_id))
    if verb is Operation.MODIFY:
        asked = spine.modify(made.deployment_id, greeting="two", database=DEDICATED)
    else:
        asked = spine.act(verb, made.deployment_id)
    done = spine.succeeded(asked)
    name = spine.instance(made.deployment_id).name
    assert [step.title for step in spine.steps(done.id)][1] == f"Check the database of {name}"
    assert spine.instance(beside.deployment_id).status is Status.RUNNING


def test_a_database_that_was_lost_is_never_replaced_by_an_empty_one(make_spine: Callable[..., Spine]) -> None:
    spine = make_spine()
    spine.start_worker()
    made = spine.create_done(database=DEDICATED)
    name, beside = spine.instance(made.deployment_id).name, server(spine, made)
    forget_lost(spine, beside)
    failed = spine.failed(spine.act(Operation.RESTART, made.deployment_id))
    assert failed.error is not None
    assert failed.error["code"] == "database-lost"
    assert f"The database of {name} was lost with {name}-db on simulated" in failed.error["message"]
    again = spine.failed(spine.retry(failed.id))
    assert again.error is not None
    assert again.error["code"] == "database-lost"
    assert deployment(spine, f"{name}-db") is None
    assert spine.calls(spine.instance(made.deployment_id).id).get("restart", 0) == 0
    spine.succeeded(spine.delete(made.deployment_id))
    spine.succeeded(spine.delete(spine.create_done(name, database=DEDICATED).deployment_id))


def test_what_was_never_made_gets_another_server_for_a_lost_one(make_spine: Callable[..., Spine]) -> None:
    spine = make_spine()
    spine.start_worker()
    failed = spine.failed(spine.create(database=DEDICATED, simulate={"create": {"fault": "invalid"}}))
    beside = spine.instances(str(allocated_server(spine, failed.deployment_id)))[0]
    forget_lost(spine, beside)
    again = spine.retry(failed.id)
    spine.succeeded(again)
    assert server(spine, again).id != beside.id


def forget_lost(spine: Spine, beside: Instance) -> None:
    """Its object vanishes, and somebody declares it lost."""
    spine.fault("restart", "gone", instance=beside.id)
    spine.failed(spine.act(Operation.RESTART, beside.deployment_id))
    spine.write(lambda tx: forgetting.forget(tx, ME, beside.id, host_lost=False))


def allocated_server(spine: Spine, deployment_id: str) -> str | None:
    row = spine.instance(deployment_id)
    return deployment(spine, f"{row.name}-db").id  # type: ignore[union-attr]


def test_a_cancel_while_the_server_is_made_keeps_it_and_says_so(spine: Spine) -> None:
    name = spine.new_name()
    spine.fault("create", "unconfirmed", seconds=NEVER, instance=f"{name}-db")
    made = spine.create(name, database=DEDICATED)
    spine.wait_operation(made, lambda row: allocation(spine, made) is not None)
    spine.cancel(made.operation_id)
    cancelled = spine.cancelled(made)
    row = spine.instance(made.deployment_id)
    assert (row.status, row.error_code) == (Status.ERROR, "cancelled")
    assert f"Kept for a retry: database app on server {name}-db" in str(row.error_message)
    assert spine.calls(row.id).get("observe", 0) == 0
    beside = server(spine, made).deployment_id
    spine.wait_call(beside, "observe")
    spine.settles(beside)
    spine.succeeded(spine.retry(cancelled.id))
    assert len(operations_of(spine, f"{name}-db")) == 1


def test_a_delete_while_the_server_is_made_removes_both(spine: Spine) -> None:
    name = spine.new_name()
    spine.fault("create", "hang", instance=f"{name}-db")
    made = spine.create(name, database=DEDICATED)
    spine.wait_operation(made, lambda row: allocation(spine, made) is not None)
    beside = server(spine, made)
    spine.wait_call(beside.deployment_id, "create")
    spine.succeeded(spine.delete(made.deployment_id), 30)
    assert deployment(spine, name) is deployment(spine, f"{name}-db") is None
    assert spine.inventory(beside.deployment_id) == []


def test_a_server_goes_only_with_its_consumer(spine: Spine) -> None:
    made = spine.create_done(database=DEDICATED)
    beside, name = server(spine, made), spine.instance(made.deployment_id).name
    with pytest.raises(OperationNotAllowed, match=f"it holds the database of {name}; delete that first"):
        spine.delete(beside.deployment_id)


def test_the_name_of_the_server_is_taken_from_the_moment_of_acceptance(spine: Spine) -> None:
    name = spine.new_name()
    with pytest.raises(InvalidInput, match="too long"):
        spine.create("a" * 61, database=DEDICATED)
    spine.fault("create", "slow", seconds=1, instance=f"{name}-db")
    made = spine.create(name, database=DEDICATED)
    with pytest.raises(NameTaken):
        spine.create(f"{name}-db")
    spine.succeeded(made)
    other = spine.new_name()
    spine.create_done(f"{other}-db")
    with pytest.raises(NameTaken, match=f"{other}-db"):
        spine.create(other, database=DEDICATED)


def test_a_worker_goes_on_without_the_shared_server_whose_address_is_malformed(
    make_spine: Callable[..., Spine],
) -> None:
    spine = make_spine(BERTH_SHARED_DATABASE_URL="postgresql://admin:hunter2/x@db.example:5432/postgres")
    spine.start_worker()
    with pytest.raises(InvalidInput, match="not configured: BERTH_SHARED_DATABASE_URL must look like") as refused:
        spine.create(database=SHARED)
    spine.create_done()
    assert "hunter2" not in str(refused.value) + spine.workers[0].log.read_text()


def test_a_worker_without_its_keys_ends_with_one_sentence(make_spine: Callable[..., Spine]) -> None:
    spine = make_spine()
    (spine.folder / "keys").unlink()
    worker = spine.launch_worker()
    assert worker.process.wait(20) == 1
    told = worker.log.read_text().strip().splitlines()
    assert told == [f"berth-worker: The key file {spine.folder / 'keys'} is missing; restore it from a backup."]


def test_a_shared_database_is_refused_where_no_server_is_reached(spine: Spine) -> None:
    with pytest.raises(InvalidInput, match="set BERTH_SHARED_DATABASE_URL"):
        spine.create(database=SHARED)
