"""What billing wants and has not got is told: in the history, in the forms, and among what needs somebody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from db.models import Instance, LifecycleEvent, OperationRow
from db.queries import deployments as deployment_queries
from db.queries import events
from db.queries import instances as queries
from db.queries.instances import InstanceFilter
from db.queries.pages import Record
from db.session import FixedClock
from domain.lifecycle import Status
from domain.operations import OperationStatus
from domain.specs import Accepted
from services.views.common import JsonObject, TemporalLinks
from services.views.deployments import DeploymentForms
from services.views.instances import InstanceForms
from services.views.operations import OperationForms
from services.views.usual import UsualTimes
from tests.billing.test_consequences import (
    clock,
    keeper,
    operations,
    reaches,
    story,
    tell,
    timed,
    unpaid_until_now,
)
from tests.support.api import Api
from tests.support.billing import Sender
from tests.support.holds import holds, settle
from tests.support.spine import Spine
from tests.support.spines import make_spine
from tests.support.workers import wait_for

__all__ = ["clock", "make_spine", "timed"]
pytestmark = pytest.mark.servers
FORMS = InstanceForms(OperationForms(TemporalLinks("", ""), UsualTimes()))


def shown(spine: Spine, made: Accepted) -> JsonObject:
    """The instance, as `berth get` and the list have it."""
    with spine.database.read() as session:
        row = queries.of_deployments(session, [made.deployment_id])[0]
        now = session.scalars(select(spine.database.clock.now())).one()
        whole, brief = FORMS.one(session, row, now), FORMS.rows(session, [row], now)[0]
        found = deployment_queries.find(session, "default", made.deployment_id)
        assert found is not None
        deployment = DeploymentForms(FORMS).one(session, found, now)
    for field in ("subscription", "notice", "deletion_protection"):
        assert whole[field] == brief[field] == deployment[field], field
    return whole


def needing(spine: Spine) -> tuple[int, int]:
    """How many need somebody: those listed, and those counted."""
    with spine.database.read() as session:
        rows, _ = queries.page(session, InstanceFilter("default", needs_you=True), None, 50)
        calm, _ = queries.page(session, InstanceFilter("default", needs_you=False), None, 50)
        counts = queries.counts(session, InstanceFilter("default"))
        assert len(rows) + len(calm) == sum(counts.values()) - counts["needs_you"]
    return len(rows), counts["needs_you"]


def told(spine: Spine, instance_id: str, size: int = 50) -> Sequence[Record]:
    """All of its history, read in pages of `size`."""
    found: list[Record] = []
    before: int | None = None
    with spine.database.read() as session:
        while True:
            rows, before = events.history(session, [instance_id], before, size)
            found += rows
            if before is None:
                return found
            assert len(rows) == size


def protected_and_cancelled(spine: Spine, clock: FixedClock) -> Accepted:
    made = spine.create(deletion_protection=True)
    settle(spine, made, Status.RUNNING)
    clock.at += timedelta(seconds=60)
    tell(spine, made, "subscription.cancelled", clock.at)
    keeper(spine, spine.database).records()
    return made


def test_an_instances_history_tells_what_billing_wanted_of_its_deployment(timed: Spine, clock: FixedClock) -> None:
    made = protected_and_cancelled(timed, clock)
    other = timed.create()
    mine = timed.instance(made.deployment_id).id

    found = told(timed, mine)

    assert {"SUBSCRIPTION_CHANGED", "BILLING_REFUSED"} <= {row.event_type for row in found}
    assert {row.deployment_id for row in found} == {made.deployment_id}
    seqs = [row.seq for row in found]
    assert seqs == sorted(seqs, reverse=True)
    for size in (1, 2, 3):
        assert [row.seq for row in told(timed, mine, size)] == seqs, f"in pages of {size}"
    assert all(row.instance_id is not None for row in told(timed, timed.instance(other.deployment_id).id))


def test_what_happened_before_a_member_lived_is_not_its_history(timed: Spine, clock: FixedClock) -> None:
    made = protected_and_cancelled(timed, clock)
    later = clock.at + timedelta(seconds=1)

    timed.write(
        lambda tx: tx.run(
            update(Instance).where(Instance.deployment_id == made.deployment_id).values(created_at=later)
        )
    )

    found = told(timed, timed.instance(made.deployment_id).id)
    assert found
    assert all(row.instance_id is not None for row in found)


def test_a_cancellation_behind_protection_is_seen_and_needs_somebody(timed: Spine, clock: FixedClock) -> None:
    calm = timed.create()
    settle(timed, calm, Status.RUNNING)
    assert (shown(timed, calm)["subscription"], shown(timed, calm)["notice"]) == (None, None)
    assert needing(timed) == (0, 0)

    made = protected_and_cancelled(timed, clock)

    form = shown(timed, made)
    assert form["subscription"] == "cancelled"
    assert form["notice"] == (
        "billing cancelled its subscription; only deletion protection keeps it: "
        "it is deleted with its data as soon as that is turned off"
    )
    assert needing(timed) == (1, 1)
    version, deployment_version = form["version"], form["deployment_version"]
    clock.at += timedelta(seconds=1)
    tell(timed, made, "subscription.activated", clock.at)
    form = shown(timed, made)
    assert (form["subscription"], form["notice"]) == ("active", None)
    assert form["version"] > version, "who keeps the record by its version would not see it"
    assert form["deployment_version"] > deployment_version, "who read it before must not lift protection unawares"
    assert needing(timed) == (0, 0)


def unsuspend_failed(spine: Spine, clock: FixedClock) -> Accepted:
    """It has paid in the last moment, and what lifts the hold has failed."""
    made = unpaid_until_now(spine, clock)
    clock.at -= timedelta(seconds=10)
    tell(spine, made, "payment.succeeded", clock.at)
    keeper(spine, spine.database).records()
    fail_last(spine, made)
    return made


def fail_last(spine: Spine, made: Accepted) -> None:
    last = operations(spine, made)[-1]
    assert last.kind.value == "unsuspend"

    def fail(tx: Any) -> None:
        error = {"code": "port_taken", "message": "port 15001 is taken"}
        values = {"status": OperationStatus.FAILED, "finished_at": tx.now, "error": error}
        tx.run(update(OperationRow).where(OperationRow.id == last.id).values(**values))
        tx.run(
            update(Instance).where(Instance.deployment_id == made.deployment_id).values(status=Status.SUSPENDED)
        )

    spine.write(fail)


def test_one_who_has_paid_is_not_told_to_pay(timed: Spine, clock: FixedClock) -> None:
    made = unsuspend_failed(timed, clock)

    form = shown(timed, made)

    words = (
        "it is paid: Berth lifts billing's hold and tries again every 60 s; "
        "the last try failed: port 15001 is taken"
    )
    assert (form["status"], form["billing_status"]) == ("suspended", "paid")
    assert form["notice"] == form["hold"]["note"] == form["holds"][0]["note"] == words
    assert form["hold"]["deletes_at"] is None
    start = next(row for row in form["allowed_actions"] if row["action"] == "start")
    assert start["reason"] == f"billing suspended it (billing); {words}"
    assert "when a payment succeeds" not in str(form)
    assert needing(timed) == (1, 1)


def test_a_hold_that_a_payment_will_lift_says_so_before_the_first_try(timed: Spine, clock: FixedClock) -> None:
    made = unpaid_until_now(timed, clock)
    assert shown(timed, made)["hold"]["note"] == "payment due"

    tell(timed, made, "payment.succeeded", clock.at)

    form = shown(timed, made)
    assert form["hold"]["note"] == "it is paid: Berth lifts billing's hold"
    assert (form["hold"]["deletes_at"], form["notice"]) == (None, None)
    assert needing(timed) == (0, 0)


def test_no_deadline_deletes_what_is_paid_however_often_its_unsuspension_fails(
    timed: Spine, clock: FixedClock
) -> None:
    made = unsuspend_failed(timed, clock)
    clock.at += timedelta(seconds=7200)

    keeper(timed, timed.database).records()
    fail_last(timed, made)

    assert [kind for kind, *_ in story(timed, made)] == ["create", "suspend", "unsuspend", "unsuspend"]


def test_a_payment_that_fails_anew_gives_the_whole_time_again(timed: Spine, clock: FixedClock) -> None:
    """Billing's hold stands still, and the deadline of the debt that was paid is over."""
    made = unsuspend_failed(timed, clock)
    clock.at += timedelta(seconds=7200)
    tell(timed, made, "payment.failed", clock.at)

    keeper(timed, timed.database).records()

    assert story(timed, made)[-1][0] == "unsuspend", "deleted at once for a debt that was paid"
    (hold,) = holds(timed, made.deployment_id)
    assert (hold.since, hold.deletes_at) == (clock.at, clock.at + timedelta(seconds=3600))
    placed = timed.rows(
        select(LifecycleEvent).where(
            LifecycleEvent.deployment_id == made.deployment_id, LifecycleEvent.event_type == "HOLD_PLACED"
        )
    )
    assert len(placed) == 2
    assert shown(timed, made)["hold"]["note"] == "payment due"
    clock.at += timedelta(seconds=3601)
    keeper(timed, timed.database).records()
    assert story(timed, made)[-1][0] == "delete"


def test_a_paid_customer_whose_start_fails_is_told_why_and_not_to_pay(
    spine: Spine, whole: Api, sender: Sender
) -> None:
    made = spine.create_done()
    sender.tell("payment.failed", deployment_id=made.deployment_id)
    reaches(spine, made, Status.SUSPENDED)
    row = spine.instance(made.deployment_id)
    spine.fault("start", "invalid", instance=row.id)
    sender.tell("payment.succeeded", deployment_id=made.deployment_id)
    wait_for(lambda: operations(spine, made)[-1].status is OperationStatus.FAILED, 60, "it did not fail")
    wait_for(lambda: whole.get(f"/instances/{row.name}")["notice"], 30, "nobody is told")

    shown = whole.get(f"/instances/{row.name}")
    error = operations(spine, made)[-1].error
    assert error is not None
    assert (shown["status"], shown["billing_status"]) == ("suspended", "paid")
    assert shown["notice"].endswith(f"tries again every 60 s; the last try failed: {error['message']}")
    assert shown["hold"]["deletes_at"] is None
    refused = whole.act(row.name, "start").json()
    assert (refused["code"], "it is paid" in refused["detail"]) == ("on-hold", True)
    assert row.name in [one["name"] for one in whole.get("/instances?needs_you=true")["items"]]
    assert [e["event_type"] for e in whole.get(f"/instances/{row.name}/history")["items"]].count(
        "HOLD_PLACED"
    ) == 1


def test_a_finished_life_tells_why_billing_ended_it(spine: Spine, whole: Api, sender: Sender) -> None:
    made = spine.create_done()
    row = spine.instance(made.deployment_id)

    sender.tell("subscription.cancelled", deployment_id=made.deployment_id)
    wait_for(lambda: not spine.instances(made.deployment_id), 90, "not deleted")

    for key in (row.id, row.name):
        found = [event["event_type"] for event in whole.get(f"/instances/{key}/history")["items"]]
        assert found.count("SUBSCRIPTION_CHANGED") == 1
        assert found.index("TERMINATE_CONFIRMED") < found.index("SUBSCRIPTION_CHANGED")
