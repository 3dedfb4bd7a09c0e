"""A host that falls silent turns what its instances may be asked for: streams tell it, for no record does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from api.live.hosts_watch import REMOVED, THERE, Standing, turns
from api.schemas.stream import HostRecord
from db.models import Host
from domain.lifecycle import Status
from services.places.placement import LOST_AFTER, SILENT_AFTER
from tests.api.test_feed import socket, subscribe
from tests.api.test_records import records_on
from tests.support.api import Api

pytestmark = pytest.mark.servers
SILENT, LOST = Standing(silent=True, lost=False), REMOVED
_SECOND = timedelta(seconds=1)


def told(turned: list[dict[str, Any]]) -> dict[str, Standing]:
    return {form["id"]: Standing(form["silent"], form["lost"]) for form in turned}


def test_only_what_turned_is_told() -> None:
    before = {"a": THERE, "b": SILENT, "c": THERE, "d": LOST}
    now = {"a": THERE, "b": THERE, "c": SILENT, "d": LOST, "new": THERE, "newer": SILENT}
    assert told(turns(before, now)) == {"b": THERE, "c": SILENT, "newer": SILENT}
    assert told(turns(before, {})) == {"a": LOST, "b": LOST, "c": LOST}, "one that was removed is lost"
    assert turns(now, now) == []


@pytest.fixture
def host(api: Api) -> Iterator[str]:
    with api.database.begin() as tx:
        row = {"id": "host_turning", "name": "turning", "providers": ["simulated"]}
        tx.run(insert(Host).values(**row, first_seen_at=tx.now, last_seen_at=tx.now))
    yield "host_turning"
    with api.database.begin() as tx:
        tx.run(delete(Host).where(Host.id == "host_turning"))


def heard(api: Api, ago: timedelta) -> None:
    with api.database.begin() as tx:
        tx.run(update(Host).where(Host.id == "host_turning").values(last_seen_at=tx.now - ago))


def test_a_stream_is_told_each_turn_of_a_host_and_the_buttons_turn_with_it(api: Api, host: str) -> None:
    name = api.an_instance(Status.STOPPED, host_id=host)
    seen: list[tuple[Standing, bool]] = []
    with socket(api) as opened:
        subscribe(opened, records=True)
        items = (item for item in records_on(opened) if item["type"] == "host" and item["host"]["id"] == host)
        for ago in (SILENT_AFTER + _SECOND, LOST_AFTER + _SECOND, timedelta()):
            heard(api, ago)
            record = HostRecord.model_validate(next(items)).host
            seen.append((Standing(record.silent, record.lost), can_start(api, name)))
    assert seen == [(SILENT, False), (LOST, False), (THERE, True)]


def can_start(api: Api, name: str) -> bool:
    actions = {one["action"]: one["enabled"] for one in api.get(f"/instances/{name}")["allowed_actions"]}
    return bool(actions["start"])
