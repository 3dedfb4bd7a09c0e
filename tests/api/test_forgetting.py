"""Forgetting what a lost host holds ends what waits for that host as Finish would, and nothing of it stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from db.models import Hold, Host, Instance, LifecycleEvent, OperationInstance, OperationRow, OperationStep
from domain.holds import HoldCause
from domain.lifecycle import Status
from domain.operations import OperationStatus, StepStatus
from services.operations.fence import Owner
from services.operations.planning import PlanRules, claim_and_plan
from services.requests.suspension import astray
from tests.support.api import Api, add_deployment, add_host, add_member

pytestmark = pytest.mark.servers


def a_pair(api: Api, status: Status, *holds: HoldCause) -> tuple[str, str]:
    """(deployment's id, name of its first member): two members on a host that is still there."""
    name = api.name()
    with api.database.begin() as tx:
        deployment_id, host_id = add_deployment(tx, name, members=2), add_host(tx, f"host-of-{name}")
        for ordinal, member in enumerate([name, f"{name}-2"], start=1):
            add_member(tx, deployment_id, member, status, ordinal=ordinal, host_id=host_id)
        for cause in holds:
            tx.run(insert(Hold).values(deployment_id=deployment_id, cause=cause, actor="ana", since=tx.now))
    return deployment_id, name


def asked(api: Api, deployment: str, action: str) -> str:
    answer = api.ask("POST", f"/deployments/{deployment}/actions", {"action": action})
    assert answer.status_code == 202, answer.text
    operation_id: str = answer.json()["operation"]["id"]
    return operation_id


def begun(api: Api, operation_id: str) -> None:
    with api.database.begin() as tx:
        claim_and_plan(tx, Owner(operation_id, "run"), "run", PlanRules(0))


def lost(api: Api, deployment_id: str) -> None:
    with api.database.begin() as tx:
        hosts = select(Instance.host_id).where(Instance.deployment_id == deployment_id)
        long_ago = datetime.now(UTC) - timedelta(minutes=10)
        tx.run(update(Host).where(Host.id.in_(hosts)).values(last_seen_at=long_ago))


def test_an_unsuspension_on_a_lost_host_is_over_and_its_hold_is_enforced_again(api: Api) -> None:
    deployment_id, name = a_pair(api, Status.SUSPENDED, HoldCause.ADMIN)
    operation_id = asked(api, name, "unsuspend")
    begun(api, operation_id)
    lost(api, deployment_id)

    assert api.act(f"{name}-2", "forget").status_code == 202

    form = api.get(f"/operations/{operation_id}")
    assert (form["status"], form["done"], form["error"]["code"]) == ("cancelled", True, "cancelled")
    with api.database.read() as session:
        open_steps = select(OperationStep.name).where(
            OperationStep.operation_id == operation_id,
            OperationStep.status.in_([StepStatus.PENDING, StepStatus.RUNNING]),
        )
        assert session.scalars(open_steps).all() == []
        events = select(LifecycleEvent.event_type).where(LifecycleEvent.operation_id == operation_id)
        assert "OPERATION_CANCELLED" in session.scalars(events).all()
        assert session.scalars(select(Hold.lifting).where(Hold.deployment_id == deployment_id)).all() == [None]
    assert api.get(f"/instances/{name}")["status"] == "suspended"


@pytest.mark.parametrize("state", ["pending", "overdue"])
def test_a_suspension_that_ends_with_its_lost_host_leaves_the_hold(api: Api, state: str) -> None:
    deployment_id, name = a_pair(api, Status.RUNNING)
    operation_id = asked(api, name, "suspend")
    if state == "overdue":
        begun(api, operation_id)
        with api.database.begin() as tx:
            overdue = {"deadline_at": tx.now, "cancel_requested_at": tx.now}
            tx.run(update(OperationRow).where(OperationRow.id == operation_id).values(**overdue))
    lost(api, deployment_id)

    assert api.act(f"{name}-2", "forget").status_code == 202

    shown = api.get(f"/instances/{name}")
    assert [hold["cause"] for hold in shown["holds"]] == ["admin"], "nobody who owns it has taken it back"
    if state == "pending":
        with api.database.begin() as tx:
            assert deployment_id in astray(tx)
    else:
        assert (shown["status"], shown["error_code"]) == ("error", "cancelled")


def test_what_its_delete_has_removed_already_is_gone_by_that_delete(api: Api) -> None:
    deployment_id, name = a_pair(api, Status.RUNNING)
    operation_id = api.ask("DELETE", f"/deployments/{name}").json()["operation"]["id"]
    begun(api, operation_id)
    with api.database.begin() as tx:
        moves = update(OperationInstance).where(OperationInstance.operation_id == operation_id)
        tx.run(moves.values(outcome="confirmed"))
    lost(api, deployment_id)

    answer = api.act(name, "forget")

    assert answer.status_code == 202, answer.text
    assert answer.json()["operation"]["id"] == operation_id
    assert answer.json()["operation"]["status"] == OperationStatus.SUCCEEDED
    assert api.ask("GET", f"/deployments/{deployment_id}").status_code == 404
