"""The live feed: one reader per API process, resumed at a cursor, over server-sent events and over sockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from api.live import sockets
from db.models import Meta
from tests.support.api import TOKEN, Api, running_api
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.servers
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@contextmanager
def socket(api: Api, headers: dict[str, str] | None = BEARER, path: str = "/ws") -> Iterator[ClientConnection]:
    url = api.url.replace("http://", "ws://") + path
    opened = connect(url, additional_headers=headers, open_timeout=60, compression=None)
    with opened:
        yield opened


def frame(opened: ClientConnection) -> Any:
    return json.loads(opened.recv(timeout=60))


def events_on(opened: ClientConnection, count: int) -> list[Any]:
    """The next events of the log, without S2's retold ones."""
    found: list[Any] = []
    while len(found) < count:
        form = frame(opened)
        found += [e for e in form.get("items", [form]) if "time" in e]
    return found


def emit(api: Api, count: int, instance_id: str = "ins_x", project: str = "default") -> None:
    for number in range(count):
        with api.database.begin() as tx:
            tx.emit(
                project=project,
                event_type="LAUNCH_CONFIRMED",
                instance_id=instance_id,
                deployment_id="dep_x",
                operation_id=None,
                version=number,
                status="running",
                from_status="creating",
                to_status="running",
                source="backend",
                reason=None,
                confirmation_method=None,
                actor="tester",
                cloud_instance_id="i-1",
                data={"launch_duration_seconds": 2.5},
            )


def subscribe(opened: ClientConnection, **message: Any) -> None:
    opened.send(json.dumps({"type": "subscribe", **message}))


def test_who_says_a_moment_later_from_where_is_told_nothing_from_elsewhere_before(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "FIRST_WORD_SECONDS", 60.0)
    start = api.get("/events?limit=1")["next"]
    emit(api, 2, "ins_late")
    with socket(api) as opened:
        assert frame(opened)["type"] == "hello"
        emit(api, 2, "ins_late")
        subscribe(opened, after=start, instance_id="ins_late")
        again = frame(opened)
        assert (again["type"], again["cursor"]) == ("hello", start)
        assert [event["version"] for event in events_on(opened, 4)] == [0, 1, 0, 1]


def test_a_socket_tells_what_happens_and_retells_it_in_the_older_form(api: Api) -> None:
    with socket(api) as opened:
        assert frame(opened)["type"] == "hello"
        emit(api, 1)
        told, retold = frame(opened), frame(opened)
    assert (told["event_type"], told["instance_id"], told["version"]) == ("LAUNCH_CONFIRMED", "ins_x", 0)
    assert retold["event_type"] == "INSTANCE_RUNNING"
    assert (retold["status"], retold["cloud_instance_id"]) == ("RUNNING", "i-1")
    assert retold["launch_duration_seconds"] == 2.5
    assert retold["cursor"] == told["cursor"]
    assert told in api.get("/events?limit=1")["items"]


def test_a_socket_goes_on_where_another_was_cut(api: Api) -> None:
    with socket(api) as opened:
        frame(opened)
        emit(api, 3)
        seen = events_on(opened, 2)
    emit(api, 3)
    with socket(api, path=f"/api/v1/ws?after={seen[-1]['cursor']}") as opened:
        assert frame(opened)["cursor"] == seen[-1]["cursor"]
        rest = events_on(opened, 4)
    assert [e["version"] for e in rest] == [2, 0, 1, 2]


def test_a_new_subscription_on_the_same_socket_starts_elsewhere_and_filters(api: Api) -> None:
    start = api.get("/events?limit=1")["next"]
    with socket(api) as opened:
        frame(opened)
        emit(api, 2, "ins_a")
        emit(api, 2, "ins_b")
        events_on(opened, 4)
        subscribe(opened, after=start, instance_id="ins_b", batch=True)
        hello = next(form for form in iter(lambda: frame(opened), None) if "type" in form)
        assert (hello["type"], hello["cursor"]) == ("hello", start)
        found = events_on(opened, 2)
    assert [e["instance_id"] for e in found] == ["ins_b", "ins_b"]


def test_a_ticket_opens_one_socket_and_only_one(api: Api) -> None:
    made = api.ask("POST", "/ws-tickets")
    assert made.status_code == 201
    ticket = made.json()["ticket"]
    with socket(api, headers=None) as opened:
        subscribe(opened, ticket=ticket)
        assert frame(opened)["type"] == "hello"
    with socket(api, headers=None) as opened:
        subscribe(opened, ticket=ticket)
        assert frame(opened)["type"] == "error"
        with pytest.raises(ConnectionClosed) as closed:
            opened.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


def test_a_page_from_elsewhere_opens_no_socket(api: Api) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "http://127.0.0.1:1"}):
        with pytest.raises(InvalidStatus), socket(api, headers=BEARER | headers):
            pass


@pytest.mark.parametrize(
    "message", ["not json", '{"type":"subscribe","after":5}', '{"type":"subscribe","x":1}', "x" * 5000]
)
def test_a_message_that_is_not_agreed_is_told_so_and_closes(api: Api, message: str) -> None:
    with socket(api) as opened:
        frame(opened)
        opened.send(message)
        assert frame(opened)["type"] == "error"
        with pytest.raises(ConnectionClosed) as closed:
            opened.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_nothing_of_another_project_is_told(api: Api) -> None:
    with socket(api) as opened:
        frame(opened)
        emit(api, 1, "ins_other", project="other")
        emit(api, 1, "ins_mine")
        assert frame(opened)["instance_id"] == "ins_mine"


def test_writers_side_by_side_lose_nothing_and_keep_the_order(api: Api) -> None:
    with socket(api) as opened:
        frame(opened)
        subscribe(opened, batch=True)
        frame(opened)
        writers = [threading.Thread(target=emit, args=(api, 25, f"ins_{n}")) for n in range(8)]
        for writer in writers:
            writer.start()
        found = events_on(opened, 200)
        for writer in writers:
            writer.join()
    for n in range(8):
        assert [e["version"] for e in found if e["instance_id"] == f"ins_{n}"] == list(range(25))
    assert len({e["cursor"] for e in found}) == 200


def test_a_restored_database_and_a_foreign_cursor_ask_for_a_snapshot(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    with running_api(tmp_path / "feed", postgres_server.new_database()) as api:
        emit(api, 1)
        with socket(api, path="/ws?after=bm9uc2Vuc2U") as opened:
            kinds = {frame(opened)["type"], frame(opened)["type"]}
            assert kinds == {"hello", "snapshot_required"}
            with api.database.begin() as tx:
                tx.session.execute(update(Meta).where(Meta.key == "epoch").values(value="another"))
                tx.session.execute(text("notify berth_events"))
            # The feed may read the first event only now: then it is told, before the numbering changes.
            before = next(form for form in iter(lambda: frame(opened), None) if "event_type" not in form)
            assert before["type"] == "snapshot_required"
            emit(api, 1)
            assert frame(opened)["event_type"] == "LAUNCH_CONFIRMED"


def test_what_was_missed_for_long_is_read_from_the_records(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    database = postgres_server.new_database()
    with running_api(tmp_path / "first", database) as api:
        start = api.get("/events?limit=1")["next"]
        emit(api, 1200)
    with running_api(tmp_path / "second", database) as api, socket(api, path=f"/ws?after={start}") as opened:
        frame(opened)
        assert [e["version"] for e in events_on(opened, 1200)] == list(range(1200))


def test_a_login_code_gives_the_token_once(api: Api) -> None:
    code = api.ask("POST", "/login-codes").json()["code"]
    path = "/api/v1/login-codes:exchange"
    given = api.client.post(path, json={"code": code}, headers={"Authorization": ""})
    again = api.client.post(path, json={"code": code}, headers={"Authorization": ""})
    assert (given.status_code, given.json()) == (200, {"token": TOKEN})
    assert (again.status_code, again.json()["code"]) == (401, "code-refused")
    assert api.client.post("/api/v1/login-codes", headers={"Authorization": ""}).status_code == 401


def test_a_socket_ticket_is_no_login_code(api: Api) -> None:
    ticket = api.ask("POST", "/ws-tickets").json()["ticket"]
    assert api.ask("POST", "/login-codes:exchange", {"code": ticket}).status_code == 401
