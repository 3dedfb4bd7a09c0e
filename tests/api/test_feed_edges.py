"""The feed where things are not in order: a process behind another, no records at all, records that come back."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from api.live import feed as feeds
from api.live.feed import Feed, Place
from api.live.records import Records
from api.live.wakeups import Wakeups
from db.queries.events import EventFilter, bounds
from db.session import Database, open_database
from services.views.common import TemporalLinks
from services.views.events import cursor
from services.views.instances import InstanceForms
from services.views.operations import OperationForms
from services.views.usual import UsualTimes
from tests.support.access import in_role
from tests.support.api import TOKEN, Api, running_api
from tests.support.events import emit_observed
from tests.support.patience import busy
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.servers
WANTED = EventFilter("default")


def emit(database: Database, version: int) -> int:
    """The number of the event."""
    with database.begin() as tx:
        emit_observed(tx, "ins_edge", version, {})
    with database.read() as session:
        return bounds(session)[1]


@contextmanager
def deaf_feed(database: Database) -> Iterator[Feed]:
    """One that nobody wakes: it reads at its start, and then seconds later."""

    def nobody() -> Any:
        raise OSError("not asked to listen")

    forms = InstanceForms(OperationForms(TemporalLinks("", ""), UsualTimes()))
    wakeups = Wakeups(nobody)
    yield Feed(database, wakeups, Records(database, forms))
    wakeups.close()


def test_a_cursor_that_another_process_gave_is_no_gap_where_it_is_not_read_yet(database_url: str) -> None:
    database = open_database(database_url, pool_size=2)
    first = emit(database, 1)

    async def go_on(feed: Feed) -> tuple[Place, Place, Place]:
        feed.start()
        begun = await feed.open(None)
        ahead = emit(database, 2)
        assert feed.tail == first < ahead
        place = await feed.open(cursor(begun.epoch, ahead))
        _, taken = await feed.take(place, WANTED)
        future = await feed.open(cursor(begun.epoch, ahead + 1))
        await feed.close()
        return place, taken, future

    with deaf_feed(database) as feed:
        place, taken, future = asyncio.run(go_on(feed))
    database.engine.dispose()
    assert not place.gap
    assert taken == place
    assert future.gap


def test_without_records_a_stream_is_refused_soon_and_not_kept_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "_FIRST_LOOK_SECONDS", 0.3)
    nowhere = f"postgresql://berth@/berth?host={tmp_path}"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with running_api(tmp_path / "data", nowhere) as api:
        answer = httpx2.get(f"{api.url}/api/v1/events/stream", headers=headers, timeout=60, trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        with connect(f"{api.url.replace('http', 'ws', 1)}/ws", additional_headers=headers, proxy=None) as socket:
            assert json.loads(socket.recv(60))["type"] == "error"
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


def test_a_reader_that_waits_is_not_woken_by_what_it_did_not_ask_for(api: Api) -> None:
    after = api.get("/events")["next"]

    def others() -> None:
        with in_role(api, "operator", "others") as other:
            other.create()
        api.create()
        time.sleep(0.7)
        with api.database.begin() as tx:
            emit_observed(tx, "ins_mine", 7, {})

    writer = threading.Timer(0.3, others)
    writer.start()
    begun = time.monotonic()
    form = api.get(f"/events?after={after}&wait=30&instance_id=ins_mine")
    writer.join()
    assert [event["version"] for event in form["items"]] == [7]
    assert time.monotonic() - begun < 25 * busy(), "nobody was woken"


def test_a_feed_whose_connections_are_all_cut_goes_on_without_a_gap(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    cut = (
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )
    with running_api(tmp_path, postgres_server.new_database()) as api:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with connect(f"{api.url.replace('http', 'ws', 1)}/ws", additional_headers=headers, proxy=None) as socket:
            assert json.loads(socket.recv(60))["type"] == "hello"
            seen: list[int] = []
            for version in range(1, 7):
                with api.database.begin() as tx:
                    if version % 2:
                        tx.session.execute(text(cut))
                    emit_observed(tx, "ins_cut", version, {})
            while len(seen) < 6:
                form = json.loads(socket.recv(60))
                assert form.get("type") != "snapshot_required"
                seen += [form["version"]] if "time" in form else []
    assert seen == list(range(1, 7))


def test_a_client_that_says_much_is_heard_at_a_pace(api: Api) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with connect(f"{api.url.replace('http', 'ws', 1)}/ws", additional_headers=headers, proxy=None) as socket:
        assert json.loads(socket.recv(60))["type"] == "hello"
        begun = time.monotonic()
        for _ in range(29):
            socket.send(json.dumps({"type": "subscribe"}))
        # Several may be answered at once; the last one, answered in another way, is heard last.
        socket.send(json.dumps({"type": "subscribe", "after": "bm9uc2Vuc2U"}))
        while json.loads(socket.recv(60))["type"] == "hello":
            pass
        heard = time.monotonic()
    assert heard - begun > 0.8
