"""Every (operation, status) pair through HTTP: accepted exactly where the table says, else refused."""

from __future__ import annotations

from typing import Any

import pytest

from blueprints.registry import BLUEPRINTS
from domain.actions import OF_EVERY_BLUEPRINT
from domain.lifecycle import IN_PROGRESS, Operation, Status, allowed_operations
from domain.operations import AVAILABLE
from tests.support.api import Api

pytestmark = pytest.mark.servers
LIVING = [status for status in Status if status is not Status.TERMINATED]


def is_legal(operation: Operation, status: Status) -> bool:
    """What the table, this version and the blueprint say together."""
    if operation is Operation.DELETE:
        return True  # pre-empts what runs; on a delete in progress it answers with that delete's own acceptance
    if status in IN_PROGRESS or operation not in AVAILABLE:
        return False
    offered = operation in OF_EVERY_BLUEPRINT or operation in BLUEPRINTS["web"].operations
    return offered and operation in allowed_operations(status)


@pytest.mark.parametrize("status", LIVING)
@pytest.mark.parametrize("operation", Operation)
def test_an_operation_is_accepted_exactly_where_the_table_allows_it(
    api: Api, operation: Operation, status: Status
) -> None:
    name = api.an_instance(status)
    more: dict[str, Any] = {"params": {"params": {"greeting": "Hi"}}} if operation is Operation.MODIFY else {}

    answer = api.act(name, operation, **more)

    assert (answer.status_code == 202) == is_legal(operation, status), answer.text
    if answer.status_code == 202:
        assert answer.json()["operation"]["kind"] in {operation, "restart"}
        assert answer.headers["Operation-Location"].endswith(answer.json()["operation"]["id"])
        return
    problem = answer.json()
    assert answer.status_code == 409
    assert answer.headers["Content-Type"] == "application/problem+json"
    record = api.get(f"/instances/{name}")
    assert record["status"] == status, "a refusal changes nothing"
    if problem["code"] == "operation-in-progress":
        assert problem["operation"]["id"] == record["current_operation"]["id"]
    else:
        enabled = [row["action"] for row in record["allowed_actions"] if row["enabled"]]
        assert problem["current_status"] == status
        assert problem["allowed_actions"] == enabled


@pytest.mark.parametrize("status", LIVING)
def test_allowed_actions_say_what_the_doors_do(api: Api, status: Status) -> None:
    rows = {row["action"]: row for row in api.get(f"/instances/{api.an_instance(status)}")["allowed_actions"]}

    assert set(rows) == {*Operation, "cancel"}
    for operation in Operation:
        assert rows[operation]["enabled"] == is_legal(operation, status), rows[operation]
        assert rows[operation]["enabled"] or rows[operation]["reason"]
    assert rows["cancel"]["enabled"] == (status in IN_PROGRESS)


def test_a_synonym_stands_for_its_operation(api: Api) -> None:
    stopped, running = api.an_instance(Status.STOPPED), api.an_instance(Status.RUNNING)

    assert api.act(stopped, "launch").json()["operation"]["kind"] == "start"
    assert api.act(running, "terminate").json()["operation"]["kind"] == "delete"


def test_while_an_operation_waits_to_begin_everything_but_delete_and_cancel_names_it(api: Api) -> None:
    name = api.an_instance(Status.RUNNING)
    operation_id = api.act(name, "stop").json()["operation"]["id"]

    record = api.get(f"/instances/{name}")

    assert record["status"] == "running"
    assert record["current_operation"]["status"] == "pending"
    enabled = {row["action"] for row in record["allowed_actions"] if row["enabled"]}
    assert enabled == {"delete", "cancel"}
    restart = next(row for row in record["allowed_actions"] if row["action"] == "restart")
    assert operation_id in restart["reason"]


def test_an_error_that_a_monitor_set_cannot_be_retried_but_started(api: Api) -> None:
    name = api.an_instance(Status.ERROR, error_origin="monitor", operation_id=None)

    refused = api.act(name, "retry")

    assert refused.status_code == 409
    assert "use start" in refused.json()["detail"]
    assert api.act(name, "start").status_code == 202


def test_half_deleted_data_can_only_be_deleted_retried_or_forgotten(api: Api) -> None:
    name = api.an_instance(Status.ERROR, termination_requested_at="2026-01-01T00:00:00Z")

    enabled = {r["action"] for r in api.get(f"/instances/{name}")["allowed_actions"] if r["enabled"]}

    assert enabled == {"delete", "retry", "forget"}
    assert api.act(name, "start").status_code == 409
