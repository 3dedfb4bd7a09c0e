"""After a start with thousands of records, nobody knows any health: a listing tells it, page by page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import func, select, text, update

from bench.monitor_place import Place, hold_simulated
from db.models import Instance, LifecycleEvent
from domain.lifecycle import Health
from monitor.monitor import Monitor
from services.requests.suspension import stop_suspended
from services.watching.first_health import note_first_health
from services.watching.fleets import read_rows
from services.watching.observers import Lease, take
from tests.monitor.saying import say
from tests.monitor.seams import SIMULATED
from tests.support.patience import busy
from tests.support.spine import Spine
from tests.support.spines import MakeSpine
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers
_MANY = 3000


@pytest.fixture
def place(make_spine: MakeSpine) -> Iterator[Place]:
    spine: Spine = make_spine()
    made = Place(spine.folder, spine.database_url, "simulated")
    yield made
    made.database.engine.dispose()


def taken(place: Place, holder: str = "test") -> Lease:
    with place.database.begin() as tx:
        lease = take(tx, SIMULATED, holder)
    assert lease is not None
    return lease


def changes(place: Place) -> int:
    query = select(func.count()).where(LifecycleEvent.event_type == "HEALTH_CHANGED")
    with place.database.begin() as tx:
        return int(tx.run(query).scalar_one())


def test_a_page_of_them_is_healthy_at_once_and_each_is_told_once(place: Place) -> None:
    place.fill(5)
    lease = taken(place)
    with place.database.begin() as tx:
        rows = read_rows(tx, SIMULATED, None).known
        tx.run(update(Instance).where(Instance.id == rows[0].id).values(version=Instance.version + 1))
    for wanted in (4, 0):
        with place.database.begin() as tx:
            written = note_first_health(tx, lease, "running", rows)
        assert len(written) == wanted, "what was written since it was read is left to the next listing"
    with place.database.begin() as tx:
        now = {row.id: row for row in read_rows(tx, SIMULATED, None).known}
    assert [now[row.id].health for row in rows] == [Health.UNKNOWN, *[Health.HEALTHY] * 4]
    assert [now[row.id].version - row.version for row in rows] == [1] * 5
    assert changes(place) == 4


def test_an_observer_whose_scope_another_has_taken_tells_no_first_health(place: Place) -> None:
    place.fill(2)
    lease = taken(place)
    late = replace(lease, epoch=lease.epoch - 1)
    with place.database.begin() as tx:
        rows = read_rows(tx, SIMULATED, None).known
        assert note_first_health(tx, late, "running", rows) == {}
    assert changes(place) == 0


@pytest.mark.timeout(120)
def test_thousands_are_known_after_the_first_listing_without_a_look_at_each(place: Place) -> None:
    place.fill(_MANY)
    store = hold_simulated(place)
    store.execute("update objects set state = 'stopped' where instance_id = 'ins_bench7'")
    parts = place.parts()
    monitor = Monitor(parts, "test", lambda: [place.spot], stop_suspended)
    began = time.monotonic()
    monitor.start()
    try:
        wait_for(lambda: unknown(place) == 1, 60, lambda: f"{unknown(place)} are not known yet")
        seconds = time.monotonic() - began
        wait_for(lambda: "ins_bench7" in place.observed(), 20, "the stopped one was not looked at")
    finally:
        monitor.stop()
        parts.wakes.close()
        store.close()
    say(f"the health of {_MANY} instances was known after {seconds:.1f} s")
    assert changes(place) == _MANY - 1
    assert seconds < 30 * busy()


def unknown(place: Place) -> int:
    with place.database.begin() as tx:
        return int(tx.run(text("select count(*) from instances_runtime where health = 'unknown'")).scalar_one())
