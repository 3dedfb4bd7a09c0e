"""API tokens, tickets and codes: what they open, and that nothing else does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, tzinfo
from typing import Any, Self

import httpx2
import pytest
from sqlalchemy import select, update
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from api.live import connections
from api.live.connections import LOOK_SECONDS
from db.models import ApiToken, AuditEntry, OneTimeCode
from db.session import Tx
from tests.support.access import bearing, in_role, new_token
from tests.support.api import TOKEN, Api
from tests.support.patience import busy

pytestmark = pytest.mark.servers


def status_of(api: Api, authorization: str | None) -> int:
    headers = {"Authorization": authorization} if authorization is not None else {}
    with bearing(api, None) as client:
        return client.get("/api/v1/me", headers=headers).status_code


def test_who_am_i_says_what_the_token_may(api: Api) -> None:
    assert api.get("/me") | {"rights": []} == {
        "principal": "admin",
        "kind": "local",
        "role": "admin",
        "rights": [],
        "project": "default",
        "projects": ["default"],
        "expires_at": None,
    }
    made = new_token(api, "viewer", "blue")
    with bearing(api, made["token"]) as client:
        me = client.get("/api/v1/me").json()
    assert (me["kind"], me["role"], me["project"], me["projects"]) == ("token", "viewer", "blue", ["blue"])
    assert me["principal"] == f"token:{made['name']}"
    assert me["expires_at"] == made["expires_at"]
    assert me["rights"] == ["read", "self"]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer berth_",
        "Bearer berth_" + "A" * 43,
        "Bearer " + "A" * 9000,
        "Bearer null",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
        f"Bearer {TOKEN}, Bearer {TOKEN}",
    ],
)
def test_what_is_no_token_opens_nothing(api: Api, authorization: str | None) -> None:
    assert status_of(api, authorization) == 401


def test_a_refusal_says_how_to_come_in(api: Api) -> None:
    with bearing(api, "berth_nonsense") as client:
        answer = client.get("/api/v1/me")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="berth", error="invalid_token"'
    assert answer.json()["code"] == "unauthorized"


def test_two_tokens_at_once_are_refused(api: Api) -> None:
    with bearing(api, None) as client:
        answer = client.get("/api/v1/me", headers=[("Authorization", f"Bearer {TOKEN}")] * 2)
    assert answer.status_code == 400


def test_the_value_of_a_token_is_shown_once_and_stored_nowhere(api: Api) -> None:
    made = new_token(api, "operator")
    value = made["token"]
    assert value.startswith("berth_")
    assert len(value) == len("berth_") + 43

    listed = next(item for item in api.get("/tokens")["items"] if item["id"] == made["id"])
    assert listed == {name: field for name, field in made.items() if name != "token"}
    with api.database.read() as session:
        row = session.get_one(ApiToken, made["id"])
        stored = json.dumps({c.key: str(getattr(row, c.key)) for c in ApiToken.__table__.columns})
        trail = [str(e.detail) for e in session.scalars(select(AuditEntry).where(AuditEntry.target == made["id"]))]
    assert value not in stored + " ".join(trail)
    assert value[12:] not in stored + " ".join(trail)


def test_a_revoked_token_opens_nothing_from_that_moment_on(api: Api) -> None:
    made = new_token(api, "operator")
    assert status_of(api, f"Bearer {made['token']}") == 200
    assert api.ask("DELETE", f"/tokens/{made['id']}").status_code == 204
    assert status_of(api, f"Bearer {made['token']}") == 401
    assert made["id"] not in [item["id"] for item in api.get("/tokens")["items"]]
    assert api.ask("DELETE", f"/tokens/{made['id']}").status_code == 404


def test_however_many_tokens_there_are_every_page_together_has_each_once(api: Api) -> None:
    made = [new_token(api, "viewer")["id"] for _ in range(5)]
    listed: list[str] = []
    token: str | None = ""
    while token is not None:
        page = api.get(f"/tokens?page_size=2{f'&page_token={token}' if token else ''}")
        listed += [item["id"] for item in page["items"]]
        token = page.get("next_page_token")
    assert listed[:5] == made[::-1]
    assert len(listed) == len(set(listed))


def test_an_expired_token_opens_nothing(api: Api) -> None:
    made = new_token(api, "viewer")
    with api.database.begin() as tx:
        tx.run(update(ApiToken).where(ApiToken.id == made["id"]).values(expires_at=tx.now - timedelta(seconds=1)))
    assert status_of(api, f"Bearer {made['token']}") == 401
    assert made["id"] not in [item["id"] for item in api.get("/tokens")["items"]]


def test_the_last_use_of_a_token_is_written_sparsely(api: Api) -> None:
    made = new_token(api, "viewer")
    for _ in range(3):
        assert status_of(api, f"Bearer {made['token']}") == 200
    used = _until(lambda: _last_used(api, made["id"]))
    time.sleep(0.5)
    assert status_of(api, f"Bearer {made['token']}") == 200
    time.sleep(1.5)
    assert _last_used(api, made["id"]) == used


def _last_used(api: Api, token_id: str) -> Any:
    with api.database.read() as session:
        return session.get_one(ApiToken, token_id).last_used_at


def _until(look: Any) -> Any:
    deadline = time.monotonic() + 60
    while (found := look()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x", "role": "god", "expires_in_seconds": 60},
        {"name": "x", "role": "viewer", "expires_in_seconds": 0},
        {"name": "x", "role": "viewer", "expires_in_seconds": 10**9},
        {"name": "x", "role": "viewer"},
        {"name": "UP", "role": "viewer", "expires_in_seconds": 60},
        {"name": "x", "role": "viewer", "expires_in_seconds": 60, "project": "../x"},
    ],
)
def test_a_token_without_sense_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert api.ask("POST", "/tokens", body).status_code == 422


def test_nobody_makes_a_token_stronger_than_an_administrator_says(api: Api) -> None:
    body = {"name": "mine", "role": "admin", "expires_in_seconds": 60}
    for role in ("viewer", "operator", "service"):
        with in_role(api, role) as weaker:
            assert weaker.ask("POST", "/tokens", body).status_code == 403


def socket_to(api: Api, token: str | None = None, **options: Any) -> Connection:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = api.url.replace("http://", "ws://") + "/ws"
    return connect(url, additional_headers=headers, open_timeout=60, proxy=None, **options)


def ticket(api: Api) -> str:
    answer = api.ask("POST", "/ws-tickets")
    assert answer.status_code == 201
    return str(answer.json()["ticket"])


def subscribe(socket: Connection, shown: str) -> Any:
    socket.send(json.dumps({"type": "subscribe", "ticket": shown}))
    return json.loads(socket.recv(60))


def test_a_ticket_opens_one_socket_once(api: Api) -> None:
    shown = ticket(api)
    with socket_to(api) as socket:
        assert subscribe(socket, shown)["type"] == "hello"
    with socket_to(api) as socket:
        assert subscribe(socket, shown)["type"] == "error"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


@pytest.mark.parametrize("kind", ["nonsense", "login code", "old", "of a revoked token", "token itself"])
def test_a_ticket_that_is_none_opens_no_socket(api: Api, kind: str) -> None:
    shown = _bad_ticket(api, kind)
    with socket_to(api) as socket:
        assert subscribe(socket, shown)["type"] == "error"
        with pytest.raises(ConnectionClosed):
            socket.recv(60)


def _bad_ticket(api: Api, kind: str) -> str:
    if kind == "login code":
        return str(api.ask("POST", "/login-codes").json()["code"])
    if kind == "old":
        shown = ticket(api)
        _age_codes(api)
        return shown
    if kind == "of a revoked token":
        made = new_token(api, "viewer")
        with bearing(api, made["token"]) as client:
            shown = str(client.post("/api/v1/ws-tickets").json()["ticket"])
        assert api.ask("DELETE", f"/tokens/{made['id']}").status_code == 204
        return shown
    return TOKEN if kind == "token itself" else "x" * 22


def _age_codes(api: Api) -> None:
    with api.database.begin() as tx:
        tx.run(update(OneTimeCode).values(expires_at=tx.now - timedelta(seconds=1)))


def test_a_wrong_token_does_not_open_a_socket_and_wait_for_a_ticket(api: Api) -> None:
    with pytest.raises(InvalidStatus):
        socket_to(api, "berth_wrong")


def test_who_waits_for_news_hears_none_once_the_token_is_revoked(api: Api) -> None:
    made = new_token(api, "viewer")
    operation = api.create()["operation"]["id"]  # nobody works on it
    latest = api.get("/events?limit=1")["next"]
    paths = (f"/operations/{operation}?wait=30", f"/events?instance_id=ins_nobody&after={latest}&wait=30")
    with bearing(api, made["token"]) as client, ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(client.get, f"/api/v1{path}", timeout=60) for path in paths]
        time.sleep(0.5)
        assert api.ask("DELETE", f"/tokens/{made['id']}").status_code == 204
        assert [one.result(60).status_code for one in waiting] == [401, 401]


@pytest.mark.parametrize("how", ["revoked", "revoked elsewhere", "expired"])
def test_a_socket_ends_with_the_token_that_opened_it(api: Api, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = new_token(api, "viewer", seconds=600)
    if how == "expired":
        monkeypatch.setattr(connections, "datetime", _LaterClock)
    with socket_to(api, made["token"]) as socket:
        assert json.loads(socket.recv(60))["type"] == "hello"
        if how == "revoked":
            assert api.ask("DELETE", f"/tokens/{made['id']}").status_code == 204
        if how == "revoked elsewhere":
            _change_token(api, made["id"], -1)
        with pytest.raises(ConnectionClosed) as closed:
            _drain(socket, LOOK_SECONDS + 60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


class _LaterClock(datetime):
    """Of what ends sockets: almost ten minutes ahead, so that none is late with opening one."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(seconds=598.5)


def _change_token(api: Api, token_id: str, seconds: float) -> None:
    def change(tx: Tx) -> None:
        late = tx.now + timedelta(seconds=seconds)
        tx.run(update(ApiToken).where(ApiToken.id == token_id).values(expires_at=late))

    with api.database.begin() as tx:
        change(tx)


def _drain(socket: Connection, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        socket.recv(deadline - time.monotonic())


def test_server_sent_events_end_with_the_token_that_opened_them(api: Api) -> None:
    made = new_token(api, "viewer")
    with bearing(api, made["token"]) as client, client.stream("GET", "/api/v1/events/stream") as answer:
        lines: Iterator[str] = answer.iter_lines()
        assert next(lines).startswith("retry")
        assert api.ask("DELETE", f"/tokens/{made['id']}").status_code == 204
        begun = time.monotonic()
        list(lines)
    assert time.monotonic() - begun < 25 * busy()


def test_a_login_code_is_good_once(api: Api) -> None:
    code = api.ask("POST", "/login-codes").json()["code"]
    with bearing(api, None) as client:
        first = client.post("/api/v1/login-codes:exchange", json={"code": code})
        again = client.post("/api/v1/login-codes:exchange", json={"code": code})
    assert first.json() == {"token": TOKEN}
    assert (again.status_code, again.json()["code"]) == (401, "code-refused")


def test_a_login_code_of_a_viewer_makes_a_viewer(api: Api) -> None:
    with in_role(api, "viewer", "blue") as viewer:
        code = viewer.ask("POST", "/login-codes").json()["code"]
    with bearing(api, None) as client:
        token = client.post("/api/v1/login-codes:exchange", json={"code": code}).json()["token"]
    assert token != TOKEN
    with bearing(api, token) as client:
        me = client.get("/api/v1/me").json()
    assert (me["role"], me["project"]) == ("viewer", "blue")


def test_a_browsers_session_ends_with_the_token_that_it_was_begun_with(api: Api) -> None:
    made = new_token(api, "operator")
    with bearing(api, made["token"]) as program:
        first = session_of(program)
    with bearing(api, first) as browser:
        second = session_of(browser)
    assert [status_of(api, f"Bearer {value}") for value in (first, second)] == [200, 200]

    assert api.ask("DELETE", f"/tokens/{made['id']}").status_code == 204

    assert [status_of(api, f"Bearer {value}") for value in (first, second)] == [401, 401]


def session_of(client: httpx2.Client) -> str:
    code = client.post("/api/v1/login-codes").json()["code"]
    answer = client.post("/api/v1/login-codes:exchange", json={"code": code})
    assert answer.status_code == 200
    return str(answer.json()["token"])
