"""What nobody known can do to others: fill the trail, use up a login's rate, keep sockets out, cost much."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import create_engine, func, select, update
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from api.gate.rates import _network
from db.models import AuditEntry, OneTimeCode
from tests.support.access import bearing, new_token
from tests.support.api import Api, running_api
from tests.support.postgres import PostgresServer
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers
FEW = 6


@pytest.fixture
def few(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Api]:
    with running_api(
        tmp_path_factory.mktemp("few"), postgres_server.new_database(), rate_strangers=FEW
    ) as running:
        yield running


def grown(begun: float) -> int:
    """What of the strangers' rate, so many a minute, has grown again since."""
    return int((time.monotonic() - begun) * FEW / 60)


def entries(api: Api, **columns: Any) -> int:
    with api.database.read() as session:
        query = select(func.count()).select_from(AuditEntry).filter_by(actor="nobody", **columns)
        return session.scalar(query) or 0


def opened(api: Api, **headers: str) -> Connection:
    url = api.url.replace("http", "ws", 1) + "/ws"
    return connect(url, additional_headers=headers, open_timeout=60, proxy=None)


def shown(socket: Connection, ticket: str) -> Any:
    socket.send(json.dumps({"type": "subscribe", "ticket": ticket}))
    return json.loads(socket.recv(60))


@pytest.mark.parametrize(
    "flood",
    [
        ("POST", "/api/v1/instances", {"Host": "elsewhere.example"}),
        ("POST", "/api/v1/instances", {"Origin": "https://evil.example"}),
        ("POST", "/docs/errors", {}),
        ("POST", "/api/v1/instances", {"X-Long": "x" * 40_000}),
    ],
    ids=["host", "origin", "open path", "headers"],
)
def test_a_flood_of_refusals_does_not_fill_the_trail_and_keeps_nobody_out(
    few: Api, flood: tuple[str, str, dict[str, str]]
) -> None:
    method, path, headers = flood
    begun = time.monotonic()
    with bearing(few, None) as client:
        for _ in range(5 * FEW):
            assert client.request(method, path, headers=headers).status_code in {403, 405, 431}
    code = few.ask("POST", "/login-codes").json()["code"]
    with bearing(few, None) as client:
        assert client.post("/api/v1/login-codes:exchange", json={"code": code}).status_code == 200
    wait_for(lambda: entries(few) >= FEW, 10, "the first refusals are not in the trail")
    assert FEW <= entries(few) <= FEW + 3 + grown(begun)


def test_frames_of_another_site_are_refused_and_cost_no_strangers_rate(few: Api) -> None:
    framed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    with bearing(few, None) as client:
        for _ in range(3 * FEW):
            assert client.get("/api/v1/instances", headers=framed).status_code == 403
        opened_page = client.get("/", headers={**framed, "Sec-Fetch-Dest": "document"})
        assert opened_page.status_code != 403
        assert client.get("/api/v1/instances").status_code == 401  # not 429


def test_who_comes_with_good_tickets_is_no_stranger(few: Api) -> None:
    for _ in range(3 * FEW):
        ticket = few.ask("POST", "/ws-tickets").json()["ticket"]
        with opened(few) as socket:
            assert shown(socket, ticket)["type"] == "hello"


def test_who_guesses_tokens_or_tickets_at_the_sockets_door_is_slowed_down_and_in_the_trail(few: Api) -> None:
    statuses, begun = [], time.monotonic()
    for _ in range(2 * FEW):
        with pytest.raises(InvalidStatus) as refused:
            opened(few, Authorization="Bearer berth_wrong")
        statuses.append(refused.value.response.status_code)
    assert statuses[0] == 401
    assert statuses.count(429) >= FEW - 1 - grown(begun)
    wait_for(lambda: entries(few, status=401) > 0, 10, "a refused socket is not in the trail")


def test_a_ticket_that_opens_nothing_is_in_the_trail(few: Api) -> None:
    with opened(few) as socket:
        assert shown(socket, "x" * 22)["type"] == "error"
        with pytest.raises(ConnectionClosed):
            socket.recv(60)
    wait_for(lambda: entries(few, action="sockets_open") == 1, 10, "the refusal is not in the trail")


def test_a_message_of_many_bytes_is_not_even_read(few: Api) -> None:
    with opened(few) as socket, pytest.raises(ConnectionClosed) as closed:
        shown(socket, "x" * 100_000)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_a_code_outlives_neither_its_time_nor_that_of_who_asked_for_it(few: Api) -> None:
    made = new_token(few, "viewer", seconds=60)
    with bearing(few, made["token"]) as client:
        code = client.post("/api/v1/login-codes").json()["code"]
    with few.database.begin() as tx:
        row = tx.session.scalars(select(OneTimeCode)).one()
        past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        tx.run(update(OneTimeCode).values(caller={**row.caller, "credential": None, "expires_at": past}))
    assert few.ask("POST", "/login-codes:exchange", {"code": code}).status_code == 401


def test_a_browsers_session_is_named_after_who_began_it(few: Api) -> None:
    made = new_token(few, "viewer")
    token = made["token"]
    for _ in range(2):  # from the program, then from the browser
        with bearing(few, token) as client:
            code = client.post("/api/v1/login-codes").json()["code"]
        token = few.ask("POST", "/login-codes:exchange", {"code": code}).json()["token"]
        with bearing(few, token) as client:
            assert client.get("/api/v1/me").json()["principal"] == f"token:browser of {made['name']}"


def test_who_signs_out_ends_the_browsers_session_and_no_other_token(few: Api) -> None:
    made = new_token(few, "viewer")
    with bearing(few, made["token"]) as client:
        code = client.post("/api/v1/login-codes").json()["code"]
        assert client.delete("/api/v1/me/session").status_code == 204
        assert client.get("/api/v1/me").status_code == 200, "a program's token stays"
    token = few.ask("POST", "/login-codes:exchange", {"code": code}).json()["token"]
    with bearing(few, token) as browser:
        assert browser.delete("/api/v1/me/session").status_code == 204
        assert browser.get("/api/v1/me").status_code == 401
    assert few.ask("DELETE", "/me/session").status_code == 204
    assert few.get("/me")["role"] == "admin"


def test_entries_wait_while_the_records_do_not_answer(few: Api) -> None:
    url = few.database.engine.url
    administrator = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with administrator.connect() as connection:
        allow = f"alter database {url.database} with allow_connections"
        connection.exec_driver_sql(f"{allow} false")
        cut = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{url.database}'"
        connection.exec_driver_sql(cut)
        assert httpx2.post(f"{few.url}/api/v1/instances", trust_env=False).status_code == 401
        assert few.ask("GET", "/instances").status_code == 503
        connection.exec_driver_sql(f"{allow} true")
    administrator.dispose()
    wait_for(lambda: entries(few, status=401) == 1, 15, "the refusal is lost")


def test_all_addresses_of_one_network_of_ipv6_are_one_stranger() -> None:
    assert _network("2001:db8::1") == _network("2001:db8::ffff:2")
    assert _network("2001:db8::1") != _network("2001:db8:0:1::1")
    assert _network("192.0.2.1") == "192.0.2.1"
