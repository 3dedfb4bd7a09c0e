"""Who may observe, and what a late observer may write: nothing. On a real PostgreSQL, without waiting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Select, select, text, update

from db.models import Instance, LifecycleEvent, Observer, OperationRow
from domain.glimpses import Glimpse
from domain.lifecycle import Health, Status
from domain.operations import ErrorOrigin
from domain.work import Observation, Seen
from monitor.lens import Lens
from monitor.tenure import Tenure
from providers.base import Provider
from services.requests.suspension import stop_suspended
from services.watching.fleets import read_rows
from services.watching.observers import Lease, Report, freshen, note_outage, note_stray, release, renew, take
from tests.monitor.seams import SIMULATED, Gaze, Steps, lease_of, parts_of
from tests.support.spine import Spine

pytestmark = pytest.mark.servers


@pytest.fixture
def spine(module_spine: Spine) -> Spine:
    with module_spine.database.begin() as tx:
        tx.run(text("delete from observers"))
    return module_spine


def a_running_one(spine: Spine) -> tuple[str, str]:
    """(deployment, instance), through the transactions of a create."""
    made = spine.create()
    instance_id = spine.instance(made.deployment_id).id
    steps = Steps(spine, made.deployment_id, instance_id, "create")
    steps.adopt(made)
    for move in (steps.plan, steps.begin, steps.call, steps.settle, steps.finish):
        move()
    return made.deployment_id, instance_id


def lens_of(spine: Spine, lease: Lease) -> Lens:
    parts = parts_of(spine)
    parts.wakes.close()
    return Lens(parts, lease, stop_suspended)


def grow_old(spine: Spine) -> None:
    """As after the sudden death of whoever holds the scope."""
    with spine.database.begin() as tx:
        tx.run(update(Observer).values(renewed_at=text("now() - interval '1 minute'")))


def events(spine: Spine, instance_id: str) -> list[LifecycleEvent]:
    query = select(LifecycleEvent).where(
        LifecycleEvent.instance_id == instance_id, LifecycleEvent.source == "monitor"
    )
    return spine.rows(query.order_by(LifecycleEvent.seq))


def test_a_scope_has_one_observer_until_it_dies_or_lets_go(spine: Spine) -> None:
    first = lease_of(spine, holder="one")
    assert spine.write(lambda tx: take(tx, SIMULATED, "two")) is None
    grow_old(spine)
    second = lease_of(spine, holder="two")
    assert (first.epoch, second.epoch) == (1, 2)
    assert not spine.write(lambda tx: renew(tx, first, Report()))
    assert spine.write(lambda tx: renew(tx, second, Report(streaming=True, full=True, watched=3)))
    (row,) = spine.rows(select(Observer))
    assert (row.holder, row.streaming, row.watched, row.last_full_at is not None) == ("two", True, 3, True)
    spine.write(lambda tx: release(tx, second))
    assert lease_of(spine, holder="three").epoch == 3


def test_a_late_observer_of_an_older_epoch_writes_nothing(spine: Spine) -> None:
    deployment_id, instance_id = a_running_one(spine)
    late = lens_of(spine, old := lease_of(spine, holder="late"))
    gaze = Gaze(late, instance_id, Observation(Seen.CRASHED, "exited"))
    gaze.read()
    gaze.look()
    grow_old(spine)
    lease_of(spine, holder="new")
    before = spine.instance(deployment_id)
    gaze.note()
    assert gaze.written is not None
    assert not gaze.written.stood
    spine.write(lambda tx: freshen(tx, old, "", ()))
    spine.write(lambda tx: note_outage(tx, old, "late words", ()))
    after = spine.instance(deployment_id)
    kept = ("status", "version", "health", "health_checked_at", "health_reason")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert events(spine, instance_id) == []


def test_of_two_looks_at_the_same_version_one_counts(spine: Spine) -> None:
    deployment_id, instance_id = a_running_one(spine)
    lens = lens_of(spine, lease_of(spine))
    gazes = [Gaze(lens, instance_id, Observation(seen, "exited")) for seen in (Seen.DOWN, Seen.CRASHED)]
    for gaze in gazes:
        gaze.read()
        gaze.look()
    for gaze in gazes:
        gaze.note()
    assert [gaze.written.stood for gaze in gazes if gaze.written is not None] == [True, False]
    assert spine.instance(deployment_id).status is Status.STOPPED
    assert [event.event_type for event in events(spine, instance_id)] == ["OBSERVED"]


def test_an_operations_error_is_kept_and_the_difference_is_told_once(spine: Spine) -> None:
    deployment_id, instance_id = a_running_one(spine)
    broken = {"status": Status.ERROR, "error_message": "it failed", "error_origin": ErrorOrigin.OPERATION}
    with spine.database.begin() as tx:
        tx.run(update(Instance).where(Instance.id == instance_id).values(**broken, version=Instance.version + 1))
    lens = lens_of(spine, lease_of(spine))
    for _ in range(3):
        Gaze(lens, instance_id).all()
    row = spine.instance(deployment_id)
    assert (row.status, row.error_message, row.drift) == (Status.ERROR, "it failed", "up")
    assert [event.event_type for event in events(spine, instance_id)] == ["DRIFT"]


def test_a_suspended_instance_that_runs_raises_an_alert_and_is_stopped_again(spine: Spine) -> None:
    deployment_id, instance_id = a_running_one(spine)
    with spine.database.begin() as tx:
        held = {"status": Status.SUSPENDED, "version": Instance.version + 1}
        tx.run(update(Instance).where(Instance.id == instance_id).values(**held))
    lens = lens_of(spine, lease_of(spine))
    gaze = Gaze(lens, instance_id)
    written = gaze.all()
    assert gaze.sighting is not None
    assert gaze.found is not None
    assert written is not None
    assert lens.follow_up(gaze.sighting, written, gaze.found)
    row = spine.instance(deployment_id)
    assert row.status is Status.SUSPENDED
    assert events(spine, instance_id)[0].event_type == "SUSPENDED_RUNNING"
    (asked,) = [one for one in spine.rows(operations_of(deployment_id)) if one.actor == "berth"]
    assert (asked.kind, asked.status) == ("suspend", "pending")


def operations_of(deployment_id: str) -> Select[Any]:
    return select(OperationRow).where(OperationRow.deployment_id == deployment_id)


def test_freshness_raises_no_version_and_tells_nothing(spine: Spine) -> None:
    deployment_id, instance_id = a_running_one(spine)
    lease = lease_of(spine)
    Gaze(lens_of(spine, lease), instance_id).all()
    before = spine.instance(deployment_id)
    assert before.health is Health.HEALTHY
    spine.write(lambda tx: freshen(tx, lease, "", ()))
    after = spine.instance(deployment_id)
    assert (after.version, after.updated_at) == (before.version, before.updated_at)
    assert before.health_checked_at is not None
    assert after.health_checked_at is not None
    assert after.health_checked_at > before.health_checked_at
    assert len(events(spine, instance_id)) == 1


def test_an_observer_waits_for_nobody_who_is_writing(spine: Spine) -> None:
    deployment_id, instance_id = a_running_one(spine)
    lease = lease_of(spine)
    Gaze(lens_of(spine, lease), instance_id).all()
    before = spine.instance(deployment_id)
    with spine.database.engine.connect() as other, other.begin():
        other.execute(select(Instance.id).where(Instance.id == instance_id).with_for_update())
        spine.write(lambda tx: freshen(tx, lease, "", ()))
        spine.write(lambda tx: note_outage(tx, lease, "its listing lacks 5 of 6", []))
    after = spine.instance(deployment_id)
    assert (after.health, after.health_checked_at) == (Health.HEALTHY, before.health_checked_at)


def test_an_outage_makes_every_health_unknown_and_is_told_once_per_project(spine: Spine) -> None:
    deployment_id, instance_id = a_running_one(spine)
    lease = lease_of(spine)
    Gaze(lens_of(spine, lease), instance_id).all()
    spine.write(lambda tx: note_outage(tx, lease, "its listing lacks 5 of 6", ["default"]))
    row = spine.instance(deployment_id)
    assert (row.status, row.health, row.health_reason) == (
        Status.RUNNING,
        Health.UNKNOWN,
        "its listing lacks 5 of 6",
    )
    (told,) = spine.rows(select(LifecycleEvent).where(LifecycleEvent.event_type == "OUTAGE"))
    assert (told.source, told.data["why"]) == ("monitor", "its listing lacks 5 of 6")


def test_an_object_without_a_record_is_told_once_and_one_with_a_record_never(spine: Spine) -> None:
    _, instance_id = a_running_one(spine)
    lease = lease_of(spine)
    stray = Glimpse("ins_gone", Seen.UP, "running", "sim-ins_gone", 1)
    assert [spine.write(lambda tx: note_stray(tx, lease, stray)) for _ in range(2)] == [True, False]
    own = replace_id(stray, instance_id)
    assert not spine.write(lambda tx: note_stray(tx, lease, own))
    assert [event.event_type for event in events(spine, "ins_gone")] == ["ORPHAN_SEEN"]


def replace_id(glimpse: Glimpse, instance_id: str) -> Glimpse:
    return glimpse._replace(instance_id=instance_id)


def test_only_what_was_written_since_is_read_again(spine: Spine) -> None:
    _, first = a_running_one(spine)
    whole = spine.write(lambda tx: read_rows(tx, SIMULATED, None))
    assert first in {row.id for row in whole.known}
    _, second = a_running_one(spine)
    later = spine.write(lambda tx: read_rows(tx, SIMULATED, whole.at))
    assert second in {row.id for row in later.known}
    other = replace(SIMULATED, provider="docker", host_id="host_x")
    assert spine.write(lambda tx: read_rows(tx, other, None)).known == []


def tenure_of(spine: Spine, provider: Provider | None = None, trouble: str | None = None) -> Tenure:
    """An observer without its loop: its moves are made by hand."""
    parts = parts_of(spine, {"simulated": provider or spine.provider})
    parts.wakes.close()
    return Tenure(parts, lease_of(spine), stop_suspended, trouble)


def told_of_outages(spine: Spine) -> list[str]:
    query = select(LifecycleEvent).where(LifecycleEvent.event_type.startswith("OUTAGE"))
    return [event.event_type for event in spine.rows(query.order_by(LifecycleEvent.seq))]


def test_a_listing_does_not_freshen_what_a_direct_look_could_not_see(spine: Spine) -> None:
    deployment_id, instance_id = a_running_one(spine)
    tenure = tenure_of(spine)
    tenure.look(instance_id)
    spine.fault("observe", "error", instance=instance_id)
    tenure.look(instance_id)
    before = spine.instance(deployment_id)
    assert before.health is Health.HEALTHY

    tenure.compare()
    assert spine.instance(deployment_id).health_checked_at == before.health_checked_at
    tenure.look(instance_id)
    after = spine.instance(deployment_id)
    assert after.health_checked_at is not None
    assert before.health_checked_at is not None
    assert after.health_checked_at > before.health_checked_at


class Unreadable:
    """A provider with a bug in its listing."""

    def __init__(self, inner: Provider) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def glance(self) -> list[Glimpse]:
        raise KeyError("State")


def test_a_bug_in_a_listing_is_said_and_looks_go_on(spine: Spine) -> None:
    deployment_id, instance_id = a_running_one(spine)
    tenure = tenure_of(spine, Unreadable(spine.provider))
    tenure.compare()
    tenure.look(instance_id)
    tenure.renew()
    (row,) = spine.rows(select(Observer))
    assert (row.trouble, row.last_full_at) == ("its listing cannot be read (KeyError)", None)
    assert spine.instance(deployment_id).health is Health.HEALTHY


def test_the_successor_of_an_observer_knows_of_its_outage_and_tells_the_end_of_it(spine: Spine) -> None:
    for _ in range(4):
        a_running_one(spine)
    with spine.database.begin() as tx:
        tx.run(text("delete from instance_lifecycle_events where event_type like 'OUTAGE%'"))
    shown = Away(spine.provider)
    shown.all_gone = True
    first = tenure_of(spine, shown)
    first.compare()
    first.renew()
    grow_old(spine)
    (row,) = spine.rows(select(Observer))

    second = tenure_of(spine, shown, row.trouble)
    second.compare()
    assert told_of_outages(spine) == ["OUTAGE"]
    shown.all_gone = False
    second.compare()
    assert told_of_outages(spine) == ["OUTAGE", "OUTAGE_OVER"]


class Away(Unreadable):
    """A provider whose listing is empty for a while."""

    all_gone = False

    def glance(self) -> list[Glimpse]:
        return [] if self.all_gone else list(self._inner.glance())
