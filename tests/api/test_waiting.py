"""Waiting without polling: operations, the feed and its stream."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from api.live import wakeups
from domain.lifecycle import Status
from domain.operations import OperationStatus
from tests.support.api import TOKEN, Api, running_api
from tests.support.patience import busy

pytestmark = pytest.mark.servers


def later(seconds: float, call: Callable[[], Any]) -> threading.Timer:
    """`call` in a moment."""
    timer = threading.Timer(seconds, call)
    timer.start()
    return timer


@pytest.fixture
def told(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """An API that learns of an end only where it is told: it does not look by itself."""
    monkeypatch.setattr(wakeups, "_LOOK_SECONDS", 3600.0)
    with running_api(tmp_path / "told", database_url) as running:
        yield running


@pytest.mark.parametrize("status", [OperationStatus.SUCCEEDED, OperationStatus.FAILED])
def test_a_long_poll_returns_within_100_ms_of_the_end_whatever_it_is(told: Api, status: OperationStatus) -> None:
    took = [_after_the_end(told, status) for _ in range(3)]

    assert max(took) < 10, "somebody was not told"
    assert min(took) < 0.1 * busy()


def _after_the_end(api: Api, status: OperationStatus) -> float:
    """Seconds from the end of an operation to the answer of who waits for it."""
    operation_id = api.create(name=f"told-{time.monotonic_ns()}")["operation"]["id"]
    ended: list[float] = []

    def end() -> None:
        api.end(operation_id, status)
        ended.append(time.monotonic())

    timer = later(0.3, end)
    form = api.get(f"/operations/{operation_id}?wait=20")
    answered = time.monotonic()
    timer.join()
    assert (form["status"], form["done"]) == (status, True)
    return answered - ended[0]


def test_a_long_poll_gives_up_after_its_time(api: Api) -> None:
    operation_id = api.create()["operation"]["id"]

    begun = time.monotonic()
    answer = api.ask("GET", f"/operations/{operation_id}?wait=0.5")

    assert 0.5 <= time.monotonic() - begun < 10 * busy(), "it waited as long as others may"
    assert answer.json()["done"] is False
    assert answer.headers["Retry-After"] == "2"


def test_an_end_without_a_notification_is_seen_within_a_second(api: Api) -> None:
    operation_id = api.create()["operation"]["id"]
    silent = text("update operations set status = 'succeeded', finished_at = now() where id = :id")

    def end() -> None:
        with api.database.begin() as tx:
            tx.session.execute(silent, {"id": operation_id})

    timer = later(0.2, end)
    begun = time.monotonic()
    assert api.get(f"/operations/{operation_id}?wait=20")["done"]
    timer.join()

    assert time.monotonic() - begun < 10 * busy(), "nobody looked before the wait was over"


def test_a_hundred_waiters_share_one_database_connection(api: Api) -> None:
    operation_id = api.create()["operation"]["id"]
    count = text(
        "select count(*) from pg_stat_activity where application_name like 'berth%' and state is not null"
    )

    with ThreadPoolExecutor(100) as pool:
        waiting = [pool.submit(api.get, f"/operations/{operation_id}?wait=20") for _ in range(100)]
        time.sleep(1.5)
        with api.database.read() as session:
            connections = session.scalar(count)
        api.end(operation_id)
        assert all(future.result(60)["done"] for future in waiting)
    assert connections is not None
    assert connections < 50


def test_listening_goes_on_after_the_connection_was_lost(api: Api) -> None:
    operation_id = api.create()["operation"]["id"]
    kill = text(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'berth-api-wakeups'"
    )
    with api.database.begin() as tx:
        tx.session.execute(kill)

    timer = later(1.5, lambda: api.end(operation_id))
    assert api.get(f"/operations/{operation_id}?wait=20")["done"]
    timer.join()


def test_a_client_that_leaves_in_the_middle_of_a_body_changes_nothing(api: Api) -> None:
    host, _, port = api.url.removeprefix("http://").partition(":")
    before = api.get("/operations")["counts"]
    body = json.dumps({"name": api.name(), "blueprint": "web", "provider": "simulated"})
    head = (
        f"POST /api/v1/instances HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body) + 1}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall((head + body).encode())
    time.sleep(0.3)

    assert api.get("/operations")["counts"] == before


def test_the_feed_is_read_from_a_cursor_to_the_next(api: Api) -> None:
    start = api.get("/events")["next"]
    name = api.an_instance(Status.RUNNING)
    api.act(name, "stop")
    api.act(name, "cancel")

    first = api.get(f"/events?after={start}&limit=1")
    rest = api.get(f"/events?after={first['next']}")
    end = api.get(f"/events?after={rest['next']}")

    types = [e["event_type"] for e in first["items"] + rest["items"]]
    assert types == ["STOP_REQUESTED", "OPERATION_CANCELLED"]
    assert first["next"] == first["items"][0]["cursor"]
    assert (end["items"], end["next"], end["snapshot_required"]) == ([], rest["next"], False)


def test_without_a_cursor_the_latest_events_come(api: Api) -> None:
    for _ in range(3):
        api.create()

    form = api.get("/events?limit=2")

    assert len(form["items"]) == 2
    assert api.get(f"/events?after={form['next']}")["items"] == []


@pytest.mark.parametrize("cursor", ["nonsense", "!!", "YWJjLjE", "x" * 200])
def test_a_cursor_of_another_life_or_none_asks_for_a_snapshot(api: Api, cursor: str) -> None:
    form = api.get(f"/events?after={cursor}")

    assert (form["items"], form["snapshot_required"]) == ([], True)
    assert api.get(f"/events?after={form['next']}")["snapshot_required"] is False


def test_events_are_found_by_what_they_are_about(api: Api) -> None:
    made = api.create()
    instance_id, operation_id = made["instance"]["id"], made["operation"]["id"]

    for query in (
        f"instance_id={instance_id}",
        f"operation_id={operation_id}",
        f"deployment_id={made['instance']['deployment_id']}",
        f"event_type=LAUNCH_REQUESTED&instance_id={instance_id}",
    ):
        items = api.get(f"/events?{query}")["items"]
        assert [e["event_type"] for e in items] == ["LAUNCH_REQUESTED"], query
    assert items[0]["lifecycle_state"] == "LAUNCHING"
    assert items[0]["source"] == "user"


def test_a_reader_of_the_feed_is_woken_by_news(api: Api) -> None:
    after = api.get("/events")["next"]
    timer = later(0.5, api.create)

    begun = time.monotonic()
    form = api.get(f"/events?after={after}&wait=20")
    timer.join()

    assert [e["event_type"] for e in form["items"]] == ["LAUNCH_REQUESTED"]
    assert time.monotonic() - begun < 10 * busy(), "nobody was woken"


def test_no_event_is_missed_or_reordered_while_many_write(api: Api) -> None:
    after = api.get("/events")["next"]
    seen: list[str] = []
    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(api.create) for _ in range(60)]
        while len(seen) < 60 and not all(w.done() for w in writers):
            form = api.get(f"/events?after={after}&limit=7&wait=1")
            seen += [e["instance_id"] for e in form["items"]]
            after = form["next"]
    while form := api.get(f"/events?after={after}&limit=7"):
        if not form["items"]:
            break
        seen += [e["instance_id"] for e in form["items"]]
        after = form["next"]

    assert sorted(seen) == sorted(w.result()["instance"]["id"] for w in writers)


def test_the_stream_goes_on_where_it_was_left(api: Api) -> None:
    after = api.get("/events")["next"]
    first = api.create()["instance"]["id"]
    timer = later(0.5, api.create)

    events = []
    with api.client.stream("GET", f"/api/v1/events/stream?after={after}") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data:"):
                events.append(json.loads(line[5:]))
            if len(events) == 2:
                break
    timer.join()
    assert events[0]["instance_id"] == first
    with api.client.stream(
        "GET", "/api/v1/events/stream", headers={"Last-Event-ID": events[0]["cursor"]}
    ) as answer:
        line = next(line for line in answer.iter_lines() if line.startswith("data:"))
    assert json.loads(line[5:]) == events[1]


def test_history_by_name_covers_all_lives_and_pages(api: Api) -> None:
    name = api.an_instance(Status.ERROR)
    first_id = api.get(f"/instances/{name}")["id"]
    api.act(name, "forget")
    second_id = api.create(name=name)["instance"]["id"]

    by_name = api.get(f"/instances/{name}/history")
    by_id = api.get(f"/instances/{first_id}/history?page_size=1")

    assert {e["instance_id"] for e in by_name["items"]} == {first_id, second_id}
    assert by_name["items"] == by_name["events"]
    assert [e["event_type"] for e in by_id["items"]] == ["FORGET_CONFIRMED"]
    older = api.get(f"/instances/{first_id}/history?page_size=1&page_token={by_id['next_page_token']}")
    assert [e["event_type"] for e in older["items"]] == ["FORGET_REQUESTED"]
