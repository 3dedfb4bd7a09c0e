"""What follows from deliveries, through the whole: suspended, back as before, deleted; by the keeper alone."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, update
from temporalio.exceptions import ApplicationError

from activities.contracts import OwnerInput, PlanInput
from activities.records import RecordActivities
from db.models import BillingRecord, Hold, Instance, LifecycleEvent, OperationRow
from db.session import Database, FixedClock
from domain.billing import SubjectKind
from domain.holds import HoldCause
from domain.lifecycle import Operation, Status
from domain.operations import OperationStatus
from domain.specs import Accepted
from keeper.upkeep import Upkeep
from services.billing.duties import BillingRules, candidates, carry_out
from services.billing.messages import Message, receive
from services.operations.planning import PlanRules
from tests.support.api import Api
from tests.support.billing import Sender
from tests.support.holds import holds, settle, suspended
from tests.support.postgres import PostgresServer
from tests.support.spine import Spine
from tests.support.spines import make_spine
from tests.support.workers import wait_for

__all__ = ["make_spine"]
pytestmark = pytest.mark.servers


def made_for(spine: Spine, **spec: Any) -> Accepted:
    return spine.create_done(**spec)


def reaches(spine: Spine, made: Accepted, status: Status) -> None:
    def there() -> bool:
        rows = spine.instances(made.deployment_id)
        return bool(rows) and all(row.status is status for row in rows) and free(spine, made)

    wait_for(there, 90, lambda: f"not {status}: {[(r.status, r.error_message) for r in rows_of(spine, made)]}")


def rows_of(spine: Spine, made: Accepted) -> Any:
    return spine.instances(made.deployment_id)


def free(spine: Spine, made: Accepted) -> bool:
    return all(row.status.done for row in operations(spine, made))


def operations(spine: Spine, made: Accepted) -> list[OperationRow]:
    query = select(OperationRow).where(OperationRow.deployment_id == made.deployment_id)
    return spine.rows(query.order_by(OperationRow.created_at, OperationRow.id))


def story(spine: Spine, made: Accepted) -> list[tuple[str, str, str | None]]:
    return [(row.kind.value, row.source, row.reason) for row in operations(spine, made)]


def test_failed_then_paid_suspends_and_brings_back_what_ran(spine: Spine, whole: Api, sender: Sender) -> None:
    made = made_for(spine)
    sender.tell("payment.failed", deployment_id=made.deployment_id)
    reaches(spine, made, Status.SUSPENDED)
    name = spine.instance(made.deployment_id).name
    shown = whole.get(f"/instances/{name}")

    assert (shown["hold"]["cause"], shown["hold"]["by"]) == ("billing", "billing")
    days = datetime.fromisoformat(shown["hold"]["deletes_at"]) - datetime.fromisoformat(shown["hold"]["since"])
    assert days == timedelta(days=30)
    assert shown["billing_status"] == "payment_required"
    refused = whole.act(name, "start")
    assert (refused.status_code, refused.json()["code"]) == (409, "on-hold")
    assert "billing lifts it when a payment succeeds" in refused.json()["detail"]
    assert whole.act(name, "unsuspend").json()["code"] == "on-hold"

    sender.tell("payment.succeeded", deployment_id=made.deployment_id)
    reaches(spine, made, Status.RUNNING)
    assert story(spine, made)[1:] == [
        ("suspend", "billing", "payment_failed"),
        ("unsuspend", "billing", "payment_succeeded"),
    ]
    listed = whole.get("/webhooks?page_size=2")["items"]
    assert [row["operation_id"] for row in listed] == [o.id for o in reversed(operations(spine, made)[1:])]


def test_what_was_stopped_is_stopped_after_the_payment(spine: Spine, sender: Sender) -> None:
    made = made_for(spine)
    spine.succeeded(spine.act(Operation.STOP, made.deployment_id))
    sender.tell("payment.failed", deployment_id=made.deployment_id)
    reaches(spine, made, Status.SUSPENDED)

    sender.tell("payment.succeeded", deployment_id=made.deployment_id)

    reaches(spine, made, Status.STOPPED)


def test_a_cancelled_subscription_deletes(spine: Spine, sender: Sender) -> None:
    made = made_for(spine, members=2)

    sender.tell("subscription.cancelled", deployment_id=made.deployment_id)

    wait_for(lambda: not spine.instances(made.deployment_id) and free(spine, made), 90, "not deleted")
    assert story(spine, made)[-1] == ("delete", "billing", "subscription_cancelled")
    assert {run.termination_reason for run in spine.runs(made.deployment_id)} == {"subscription_cancelled"}


def test_while_somebody_works_on_it_the_keeper_waits(spine: Spine, sender: Sender) -> None:
    made = made_for(spine)
    spine.fault("restart", "slow", seconds=2, instance=spine.instance(made.deployment_id).id)
    restart = spine.act(Operation.RESTART, made.deployment_id)
    sender.tell("payment.failed", deployment_id=made.deployment_id)

    spine.succeeded(restart, 60)
    reaches(spine, made, Status.SUSPENDED)

    first, second = operations(spine, made)[1:]
    assert first.finished_at is not None
    assert first.finished_at <= second.created_at


def test_an_administrators_hold_outlasts_a_payment(spine: Spine, sender: Sender) -> None:
    made = made_for(spine)
    spine.succeeded(suspended(spine, made.deployment_id))
    sender.tell("payment.failed", deployment_id=made.deployment_id)
    wait_for(lambda: len(holds(spine, made.deployment_id)) == 2, 60, "no second hold")
    sender.tell("payment.succeeded", deployment_id=made.deployment_id)
    wait_for(lambda: len(holds(spine, made.deployment_id)) == 1, 60, "billing's hold stands")

    assert holds(spine, made.deployment_id)[0].cause is HoldCause.ADMIN
    assert spine.instance(made.deployment_id).status is Status.SUSPENDED


def test_what_is_protected_is_not_deleted_but_told_once(spine: Spine, whole: Api, sender: Sender) -> None:
    made = made_for(spine, deletion_protection=True)
    sender.tell("subscription.cancelled", deployment_id=made.deployment_id)
    query = select(LifecycleEvent).where(
        LifecycleEvent.deployment_id == made.deployment_id, LifecycleEvent.event_type == "BILLING_REFUSED"
    )
    wait_for(lambda: bool(spine.rows(query)), 60, "not told")
    for _ in range(3):
        keeper(spine, spine.database).records()

    assert [event.data["code"] for event in spine.rows(query)] == ["deletion-protected"]
    assert spine.instance(made.deployment_id).status is Status.RUNNING
    name = spine.instance(made.deployment_id).name
    patched = whole.ask("PATCH", f"/instances/{name}", {"deletion_protection": False}, If_Match="*")
    assert patched.status_code == 202, patched.text
    wait_for(lambda: not spine.instances(made.deployment_id) and free(spine, made), 90, "not deleted afterwards")


# --- Deadlines, by a clock of the test's own, without a worker

NOON = datetime.fromisoformat("2030-01-01T12:00:00+00:00")


def keeper(spine: Spine, database: Database) -> Upkeep:
    async def nobody(_found: object) -> None:
        return None

    return Upkeep(database, BillingRules(delete_after_seconds=3600), nobody)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def timed(make_spine: Any, clock: FixedClock, postgres_server: PostgresServer) -> Spine:
    """A Berth without a worker whose records have this clock."""
    spine: Spine = make_spine()
    spine.database.clock = clock
    return spine


def unpaid_until_now(spine: Spine, clock: FixedClock) -> Accepted:
    """Suspended for an hour by billing, and the hour is over."""
    made = spine.create()
    settle(spine, made, Status.RUNNING)
    clock.at += timedelta(seconds=60)
    tell(spine, made, "payment.failed", clock.at)
    keeper(spine, spine.database).records()
    (operation,) = [o for o in operations(spine, made) if o.kind is Operation.SUSPEND]
    settle(spine, Accepted(operation.id, made.deployment_id), Status.SUSPENDED)
    clock.at += timedelta(seconds=3601)
    return made


def tell(spine: Spine, made: Accepted, kind: str, at: datetime) -> None:
    message = Message(f"msg-{kind}-{at.isoformat()}", kind, at, SubjectKind.DEPLOYMENT, made.deployment_id)
    assert spine.write(lambda tx: receive(tx, message)).verdict == "applied"


def test_reordered_deliveries_end_as_their_own_times_say(timed: Spine, clock: FixedClock) -> None:
    made = timed.create()
    settle(timed, made, Status.RUNNING)
    clock.at += timedelta(seconds=60)
    facts = [("payment.succeeded", 2), ("payment.failed", 30), ("subscription.activated", 3)]
    facts.append(("subscription.cancelled", 4))

    verdicts = []
    for number, (kind, seconds) in enumerate(facts):
        at = clock.at - timedelta(seconds=seconds)
        message = Message(f"late-{number}", kind, at, SubjectKind.DEPLOYMENT, made.deployment_id)
        verdicts.append(timed.write(partial(receive, message=message)).verdict)
    keeper(timed, timed.database).records()

    assert verdicts == ["applied", "superseded", "applied", "superseded"]
    assert len(operations(timed, made)) == 1


def test_an_unpaid_suspension_ends_in_a_delete_at_its_deadline(timed: Spine, clock: FixedClock) -> None:
    made = unpaid_until_now(timed, clock)

    keeper(timed, timed.database).records()

    assert story(timed, made)[-1] == ("delete", "billing", "payment_failed")


def test_before_its_deadline_nothing_is_deleted(timed: Spine, clock: FixedClock) -> None:
    made = unpaid_until_now(timed, clock)
    clock.at -= timedelta(seconds=2)

    keeper(timed, timed.database).records()

    assert story(timed, made)[-1][0] == "suspend"


def test_a_payment_in_the_last_moment_saves_it(timed: Spine, clock: FixedClock) -> None:
    made = unpaid_until_now(timed, clock)
    tell(timed, made, "payment.succeeded", clock.at)

    keeper(timed, timed.database).records()

    assert story(timed, made)[-1] == ("unsuspend", "billing", "payment_succeeded")


def test_a_payment_that_commits_while_the_delete_is_decided_is_seen(timed: Spine, clock: FixedClock) -> None:
    """The decision waits for the deployment's lock, and reads what billing said behind it."""
    made = unpaid_until_now(timed, clock)
    assert timed.write(candidates) == [made.deployment_id]
    decided: list[object] = []

    def decide() -> None:
        decided.append(timed.write(lambda tx: carry_out(tx, made.deployment_id, BillingRules())))

    message = Message("last", "payment.succeeded", clock.at, SubjectKind.DEPLOYMENT, made.deployment_id)
    with timed.database.begin() as tx:
        receive(tx, message)
        thread = threading.Thread(target=decide)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive(), "it decided without the lock"
    thread.join(60)
    assert decided

    assert story(timed, made)[-1][0] == "unsuspend"


def test_a_delete_that_has_not_begun_is_withdrawn_when_the_payment_comes(timed: Spine, clock: FixedClock) -> None:
    made = unpaid_until_now(timed, clock)
    keeper(timed, timed.database).records()
    clock.at += timedelta(seconds=1)
    tell(timed, made, "payment.succeeded", clock.at)

    keeper(timed, timed.database).records()
    keeper(timed, timed.database).records()

    kinds = [(o.kind.value, o.status.value) for o in operations(timed, made)]
    assert kinds[-2:] == [("delete", "cancelled"), ("unsuspend", "pending")]


def test_a_delete_asks_for_a_payment_once_more_as_it_begins(timed: Spine, clock: FixedClock) -> None:
    """Nobody withdrew it meanwhile: Temporal or the keeper was away."""
    made = unpaid_until_now(timed, clock)
    keeper(timed, timed.database).records()
    asked = operations(timed, made)[-1]
    clock.at += timedelta(seconds=1)
    tell(timed, made, "payment.succeeded", clock.at)

    plans = RecordActivities(timed.database, PlanRules(0.0)).plan_operation
    with pytest.raises(ApplicationError, match="a payment came before the delete began"):
        plans(PlanInput(OwnerInput(asked.id, "run-1"), "run-1"))

    assert operations(timed, made)[-1].status is OperationStatus.CANCELLED
    assert [row.status for row in timed.instances(made.deployment_id)] == [Status.SUSPENDED]


def test_what_failed_is_not_tried_again_at_once(timed: Spine, clock: FixedClock) -> None:
    made = timed.create()
    settle(timed, made, Status.RUNNING)
    clock.at += timedelta(seconds=60)
    tell(timed, made, "payment.failed", clock.at)
    keeper(timed, timed.database).records()
    suspension = operations(timed, made)[-1]

    def fail(tx: Any) -> None:
        tx.session.execute(
            update(OperationRow)
            .where(OperationRow.id == suspension.id)
            .values(
                status=OperationStatus.FAILED, finished_at=tx.now, error={"code": "transient", "message": "no"}
            )
        )
        tx.session.execute(
            update(Instance)
            .where(Instance.deployment_id == made.deployment_id)
            .values(status=Status.ERROR, error_message="no")
        )

    timed.write(fail)
    keeper(timed, timed.database).records()
    assert operations(timed, made)[-1].id == suspension.id
    clock.at += timedelta(seconds=61)
    keeper(timed, timed.database).records()
    assert story(timed, made)[-1] == ("suspend", "billing", "payment_failed")
    assert operations(timed, made)[-1].id != suspension.id
    assert len(timed.rows(select(Hold))) == len(timed.rows(select(BillingRecord))) == 1


def test_an_administrators_hold_can_have_a_deadline_too(timed: Spine, clock: FixedClock) -> None:
    made = timed.create()
    settle(timed, made, Status.RUNNING)
    settle(timed, suspended(timed, made.deployment_id, delete_after_seconds=60), Status.SUSPENDED)
    keeper(timed, timed.database).records()
    assert story(timed, made)[-1][0] == "suspend"
    clock.at += timedelta(seconds=61)

    keeper(timed, timed.database).records()

    assert story(timed, made)[-1] == ("delete", "berth", "cleanup")


def test_a_deadline_that_protection_forbids_is_told_once(timed: Spine, clock: FixedClock) -> None:
    made = timed.create(deletion_protection=True)
    settle(timed, made, Status.RUNNING)
    settle(timed, suspended(timed, made.deployment_id, delete_after_seconds=60), Status.SUSPENDED)
    clock.at += timedelta(seconds=61)

    for _ in range(3):
        keeper(timed, timed.database).records()

    told = timed.rows(select(LifecycleEvent).where(LifecycleEvent.event_type == "DEADLINE_REFUSED"))
    assert [(event.actor, event.data["code"]) for event in told] == [("berth", "deletion-protected")]
    assert story(timed, made)[-1][0] == "suspend"
