"""Requests that nobody's client would send: too large, too deep, forged, SQL, paths and URLs in every field."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select, text

from db.models import Deployment, Instance
from domain.limits import MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_HEADERS, MAX_JSON_DEPTH
from tests.support.api import TOKEN, Api

pytestmark = pytest.mark.servers
SQL = [
    "' or '1'='1",
    "'; drop table audit; --",
    "\\'; select pg_sleep(10); --",
    "%' or name like '%",
    "1) union select digest from tokens --",
    "$$; select 1; $$",
    "a%27 or 1=1",
    "_",
    "%",
]


def problem(answer: httpx2.Response, *statuses: int) -> dict[str, Any]:
    form: dict[str, Any] = answer.json()
    assert answer.status_code in statuses, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    return form


def nested(depth: int) -> bytes:
    return b'{"labels":' + b'{"a":' * (depth - 1) + b"1" + b"}" * depth


def test_a_body_nested_deeper_than_any_form_is_refused(api: Api) -> None:
    headers = {"Content-Type": "application/json"}
    deep = api.client.post("/api/v1/instances", content=nested(MAX_JSON_DEPTH + 1), headers=headers)
    assert "nested" in problem(deep, 400)["detail"]
    problem(api.client.post("/api/v1/instances", content=nested(MAX_JSON_DEPTH - 1), headers=headers), 422)
    for bomb in (b"[" * 200_000, b'{"a":' * 40_000, b"[" * 100_000 + b"]" * 100_000):
        problem(api.client.post("/api/v1/instances", content=bomb, headers=headers), 400)


def test_large_bodies_are_refused_on_every_route_that_takes_one_and_without_a_token_unread(api: Api) -> None:
    large = b" " * (MAX_BODY_BYTES + 1)
    for path in ("/instances", "/deployments", "/instances:batch", "/tokens", "/login-codes:exchange"):
        problem(api.client.post(f"/api/v1{path}", content=large), 413)
    nobody = api.client.post("/api/v1/instances", content=large, headers={"Authorization": "Bearer none"})
    problem(nobody, 401)


def test_headers_are_bounded_in_number_and_length(api: Api) -> None:
    many = {f"X-{n}": "v" for n in range(MAX_HEADERS + 1)}
    problem(api.client.get("/api/v1/me", headers=many), 431)
    problem(api.client.get("/api/v1/me", headers={"X-Long": "v" * MAX_HEADER_BYTES}), 431)
    problem(api.client.get(f"/api/v1/instances?q={'v' * MAX_HEADER_BYTES}"), 431)


def raw(api: Api, request: bytes) -> bytes:
    """What comes back to these bytes."""
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        connection.settimeout(10)
        answer = b""
        while b"\r\n" not in answer and (part := connection.recv(65536)):
            answer += part
    return answer


def _get(api: Api, path: bytes, *headers: bytes) -> bytes:
    host = api.url.removeprefix("http://").encode()
    bearer = b"Authorization: Bearer " + TOKEN.encode()
    lines = [b"GET " + path + b" HTTP/1.1", b"Host: " + host, bearer, b"Connection: close", *headers]
    return raw(api, b"\r\n".join(lines) + b"\r\n\r\n")


@pytest.mark.parametrize(
    "header",
    [
        b"Host: evil.example",
        b"Authorization: Bearer x",
        b"Origin: http://a\r\nOrigin: http://b",
        b"Berth-Project: a\r\nBerth-Project: b",
    ],
)
def test_a_header_that_counts_once_is_refused_twice(api: Api, header: bytes) -> None:
    assert _get(api, b"/api/v1/me", header).split()[1] in {b"400", b"403"}


def test_two_lengths_or_a_length_and_chunks_smuggle_nothing(api: Api) -> None:
    host = api.url.removeprefix("http://").encode()
    head = b"POST /api/v1/instances HTTP/1.1\r\nHost: " + host + b"\r\nAuthorization: Bearer " + TOKEN.encode()
    both = (
        head
        + b"\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/v1/me HTTP/1.1\r\n\r\n"
    )
    twice = head + b"\r\nContent-Length: 2\r\nContent-Length: 30\r\n\r\n{}"
    assert b" 202 " not in raw(api, both)
    assert raw(api, twice).split()[1] == b"400"


@pytest.mark.parametrize(
    "path",
    [
        b"/ui/../../settings.py",
        b"/ui/%2e%2e/%2e%2e/settings.py",
        b"/ui/..%2f..%2fsettings.py",
        b"/ui/%2fetc%2fpasswd",
        b"//etc/passwd",
        b"/api/v1/instances/..%2f..%2fadmin%2fstats",
        b"/api/v1/instances/%00",
        b"/api/v1/instances/%0d%0aSet-Cookie:%20a=b",
        b"/api/v1/instances/%ff%fe",
        b"/api/v1/instances/" + b"a" * 4000,
        b"/api/v1/operations/op_%27%20or%201=1",
        b"/api/v1/runs/%F0%9F%92%A5",
    ],
)
def test_paths_lead_nowhere_else(api: Api, path: bytes) -> None:
    answer = _get(api, path)
    # Below /ui/ what is no file is the one page: the interface reads the rest of its address itself.
    page = path.startswith(b"/ui/") and b"content-type: text/html" in answer
    assert answer.split()[1] in {b"400", b"404", b"307"} or page, answer[:200]
    assert b"\r\nset-cookie" not in answer.lower()
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "[::1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://[bad"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    ],
    ids=str,
)
def test_requests_from_elsewhere_are_refused_even_with_a_good_token(api: Api, headers: dict[str, str]) -> None:
    assert problem(api.client.get("/api/v1/me", headers=headers), 403)["code"] == "forbidden"
    change = api.client.post("/api/v1/instances", json={}, headers={"Sec-Fetch-Mode": "cors", **headers})
    problem(change, 403)


def test_no_page_of_another_origin_is_told_that_it_may_read(api: Api) -> None:
    asked = {"Origin": api.url, "Access-Control-Request-Method": "GET"}
    for answer in (api.ask("GET", "/me"), api.client.options("/api/v1/me", headers=asked)):
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


LISTS = ["instances", "operations", "deployments", "runs", "events", "audit", "instances:rows"]


@pytest.mark.parametrize("value", SQL)
def test_sql_in_any_filter_is_a_value_like_any_other(api: Api, value: str) -> None:
    api.an_instance()
    before = _tables(api)
    document = api.get("/openapi.json")
    for name in LISTS:
        parameters = document["paths"].get(f"/api/v1/{name}", {}).get("get", {}).get("parameters", [])
        for parameter in (p["name"] for p in parameters if p["in"] == "query"):
            answer = api.client.get(f"/api/v1/{name}", params={parameter: value})
            assert answer.status_code in {200, 400, 404, 422}, (name, parameter, answer.text)
            if answer.status_code == 200 and parameter == "q":
                assert answer.json().get("items", []) == [], (name, value)
    for path in ("instances", "deployments", "operations", "runs"):
        assert api.client.get(f"/api/v1/{path}/{value}").status_code == 404
    assert _tables(api) == before


def _tables(api: Api) -> tuple[int, int, int]:
    with api.database.read() as session:
        tables = session.scalar(text("select count(*) from pg_tables where schemaname = 'public'")) or 0
        instances = session.scalar(select(func.count()).select_from(Instance)) or 0
        return tables, instances, session.scalar(select(func.count()).select_from(Deployment)) or 0


@contextmanager
def listening() -> Iterator[tuple[str, list[bytes]]]:
    """A port that remembers who came: nobody should."""
    came: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        over = threading.Event()

        def accept() -> None:
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                came.append(b"somebody")
                connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}", came
        finally:
            over.set()
            thread.join(5)


def test_no_field_makes_the_api_fetch_what_it_names(api: Api) -> None:
    with listening() as (place, came):
        urls = [f"http://{place}/x", f"//{place}", f"{place}", "http://169.254.169.254/latest/meta-data"]
        for url in urls:
            for body in (
                {"name": "n", "blueprint": "container", "provider": "docker", "params": {"image": url}},
                {"name": "n", "blueprint": "web", "provider": "simulated", "params": {"greeting": url}},
                {"name": "n", "blueprint": url, "provider": url, "labels": {"a": url}, "database": {"mode": url}},
                {"name": "n", "blueprint": "vm", "provider": "ec2", "params": {"image_id": url, "user_data": url}},
            ):
                assert api.ask("POST", "/instances", body).status_code in {202, 403, 409, 422}
            for parameter in ("q", "deployment", "provider", "blueprint"):
                api.client.get("/api/v1/instances", params={parameter: url})
            headers = {"X-Forwarded-Host": url, "Referer": url, "traceparent": url, "Forwarded": f"host={url}"}
            api.client.get("/api/v1/me", headers=headers)
            api.ask("GET", f"/providers/{url}/inventory")
    assert came == []


@pytest.mark.parametrize(
    "when", ["0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00%2B23:59"]
)
@pytest.mark.parametrize("path", ["/events", "/operations", "/audit"])
def test_a_time_that_no_database_knows_is_refused_or_understood(api: Api, path: str, when: str) -> None:
    answer = api.ask("GET", f"{path}?since={when}")
    assert answer.status_code == (200 if when.startswith("2026") else 422), answer.text


@pytest.mark.parametrize(
    "when", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2090-01-01T00:00:00+23:59"]
)
def test_an_action_until_such_a_time_too(api: Api, when: str) -> None:
    name = api.an_instance()
    answer = api.act(name, "maintenance_on", params={"until": when})
    assert answer.status_code == (202 if when.startswith("2090") else 422), answer.text


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Host", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override"]
)
def test_headers_that_some_servers_obey_change_nothing(api: Api, header: str) -> None:
    answer = api.client.get("/api/v1/me", headers={header: "DELETE /api/v1/admin/stats"})
    assert answer.json()["principal"] == "admin"


def test_answers_never_repeat_what_a_browser_would_run(api: Api) -> None:
    script = "<script>alert(1)</script>"
    for answer in (
        api.client.get(f"/api/v1/instances/{script}"),
        api.client.get("/api/v1/instances", params={"status": script}),
        api.ask("POST", "/instances", {"name": script}),
    ):
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        json.loads(answer.text)


def test_no_secret_is_in_the_logs(api: Api, capfd: pytest.CaptureFixture[str]) -> None:
    made = api.ask("POST", "/tokens", {"name": "logged", "role": "viewer", "expires_in_seconds": 60}).json()
    code = api.ask("POST", "/login-codes").json()["code"]
    ticket = api.ask("POST", "/ws-tickets").json()["ticket"]
    secret = "hunter2-in-a-body"
    api.ask("POST", "/login-codes:exchange", {"code": code})
    api.ask("POST", "/instances", {"name": "x", "blueprint": "odoo", "params": {"admin_password": secret}})
    api.client.get("/api/v1/me", headers={"Authorization": f"Bearer {made['token']}"})
    api.client.get("/api/v1/instances", params={"q": secret})
    api.client.get(f"/api/v1/instances?page_token={secret}")
    said = "".join(capfd.readouterr())
    with api.database.read() as session:
        trail = json.dumps(
            [dict(row._mapping) for row in session.execute(text("select * from audit"))], default=str
        )
    for kept in (TOKEN, made["token"], code, ticket, secret):
        assert kept not in said
        assert kept not in trail
