"""The monitor with the whole of Berth on simulated instances: what happens out of band is followed and told."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from db.models import Instance, LifecycleEvent, Observer
from domain.health import STALE_AFTER, shown
from domain.lifecycle import Health, Status
from tests.support.spine import Spine
from tests.support.spines import MakeSpine
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers


@pytest.fixture
def spine(make_spine: MakeSpine) -> Spine:
    made = make_spine(BERTH_MONITOR="1", BERTH_SIMULATED_GLANCE_SECONDS="0.2")
    made.start_worker()
    return made


def by_hand(spine: Spine, statement: str, *values: object) -> None:
    """What somebody does at the provider itself."""
    db = sqlite3.connect(spine.folder / "simulated.db", timeout=10.0)
    with db:
        db.execute(statement, values)
    db.close()


def stop_by_hand(spine: Spine, instance_id: str) -> None:
    by_hand(spine, "update objects set state = 'stopped' where instance_id = ?", instance_id)


def start_by_hand(spine: Spine, instance_id: str) -> None:
    by_hand(spine, "update objects set state = 'running' where instance_id = ?", instance_id)


def remove_by_hand(spine: Spine, instance_id: str) -> None:
    by_hand(spine, "delete from objects where instance_id = ?", instance_id)


def told(spine: Spine, instance_id: str) -> list[str]:
    query = select(LifecycleEvent).where(
        LifecycleEvent.instance_id == instance_id, LifecycleEvent.source == "monitor"
    )
    return [event.event_type for event in spine.rows(query.order_by(LifecycleEvent.seq))]


def becomes(spine: Spine, deployment_id: str, seconds: float = 15.0, **wanted: Any) -> Instance:
    def reached() -> bool:
        row = spine.instance(deployment_id)
        return all(getattr(row, name) == value for name, value in wanted.items())

    def story() -> str:
        row = spine.instance(deployment_id)
        log = spine.workers[-1].log.read_text()[-2000:]
        return f"{ {name: getattr(row, name) for name in wanted} } is not {wanted}: {told(spine, row.id)}\n{log}"

    wait_for(reached, seconds, story)
    return spine.instance(deployment_id)


def test_an_instance_becomes_healthy_and_its_health_stays_fresh(spine: Spine) -> None:
    made = spine.create_done()
    row = becomes(spine, made.deployment_id, health=Health.HEALTHY)
    assert row.health_checked_at is not None
    assert told(spine, row.id) == ["HEALTH_CHANGED"]
    wait_for(lambda: observer(spine).last_full_at is not None, 10, "nothing was compared")
    assert (observer(spine).epoch, observer(spine).streaming) == (1, False)


def test_a_stop_a_start_and_a_removal_by_hand_are_followed_and_told(spine: Spine) -> None:
    made = spine.create_done()
    row = becomes(spine, made.deployment_id, health=Health.HEALTHY)
    asked = row.changed_at
    assert (row.changed_by, asked <= row.updated_at) == ("tester", True), "its health is no change of it"
    stop_by_hand(spine, row.id)
    row = becomes(spine, made.deployment_id, status=Status.STOPPED)
    assert (row.changed_by, row.changed_at > asked) == ("berth", True)
    start_by_hand(spine, row.id)
    becomes(spine, made.deployment_id, status=Status.RUNNING, health=Health.HEALTHY)
    remove_by_hand(spine, row.id)
    row = becomes(spine, made.deployment_id, status=Status.ERROR)
    assert row.error_message == f"{row.name} is absent at its provider"
    assert row.error_origin == "monitor"
    assert told(spine, row.id)[:3] == ["HEALTH_CHANGED", "OBSERVED", "OBSERVED"]
    spine.succeeded(spine.delete(made.deployment_id))
    spine.invariants()


def test_a_killed_observer_is_succeeded_and_its_health_is_unknown_by_age_meanwhile(spine: Spine) -> None:
    made = spine.create_done()
    row = becomes(spine, made.deployment_id, health=Health.HEALTHY)
    first = observer(spine)
    spine.workers[-1].kill()
    assert row.health_checked_at is not None
    later = row.health_checked_at + STALE_AFTER + timedelta(seconds=1)
    assert shown(row.health, row.health_checked_at, row.status, later) is Health.UNKNOWN, "nobody has to say so"
    stop_by_hand(spine, row.id)
    spine.start_worker()
    becomes(spine, made.deployment_id, 40, status=Status.STOPPED)
    assert observer(spine).epoch == first.epoch + 1
    assert observer(spine).holder != first.holder


def test_most_of_a_listing_gone_at_once_is_an_outage_and_no_status_follows(spine: Spine) -> None:
    made = [spine.create_done() for _ in range(4)]
    rows = [becomes(spine, one.deployment_id, health=Health.HEALTHY) for one in made]
    ids = [row.id for row in rows]
    away = "update objects set server_id = ? where instance_id in (?, ?, ?)"
    by_hand(spine, away, "elsewhere", *ids[:3])
    wait_for(lambda: "lacks 3 of 4" in (observer(spine).trouble or ""), 20, "no outage was seen")
    for one in made:
        becomes(spine, one.deployment_id, status=Status.RUNNING, health=Health.UNKNOWN)
    by_hand(spine, away, spine.server_id, *ids[:3])
    wait_for(lambda: observer(spine).trouble is None, 20, "the outage did not end")
    for one in made:
        becomes(spine, one.deployment_id, status=Status.RUNNING, health=Health.HEALTHY)
    told_of = spine.rows(select(LifecycleEvent).where(LifecycleEvent.event_type.in_(["OUTAGE", "OUTAGE_OVER"])))
    assert sorted(event.event_type for event in told_of) == ["OUTAGE", "OUTAGE_OVER"]


def observer(spine: Spine) -> Observer:
    (found,) = [one for one in spine.rows(select(Observer)) if one.scope == "simulated"]
    assert isinstance(found, Observer)
    return found
