"""What a forwarded address is worth: nothing, unless the peer that says it is a proxy that the operator names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from embedded.serving import OPTIONS
from settings import Settings
from tests.access.test_audit import soon
from tests.support.access import bearing
from tests.support.api import TOKEN, Api, running_api

pytestmark = pytest.mark.servers
FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Api]:
    """An API that believes the proxy on its own machine, and few strangers."""
    folder = tmp_path_factory.mktemp("behind")
    with running_api(folder, database_url, trusted_proxies="127.0.0.1, 10.0.0.0/8", rate_strangers=5) as running:
        yield running


def told(api: Api, token: str, **headers: str) -> str:
    """The address that the trail has of a refused request."""
    with bearing(api, token, **headers) as nobody:
        answer = nobody.get("/api/v1/instances")
    assert answer.status_code == 401
    deadline = time.monotonic() + 60
    while (found := soon(api, actor="nobody"))["trace_id"] != answer.headers["X-Request-ID"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return str(found["remote"])


def test_nobody_chooses_the_address_that_the_trail_has(api: Api) -> None:
    assert told(api, "berth_x", **FORWARDED) == "127.0.0.1"


def test_nobody_makes_an_answer_promise_tls_for_the_host(api: Api) -> None:
    with bearing(api, TOKEN, **FORWARDED) as client:
        assert "Strict-Transport-Security" not in client.get("/api/v1/me").headers


def test_invented_addresses_share_one_rate(tmp_path: Path, database_url: str) -> None:
    with running_api(tmp_path / "few", database_url, rate_strangers=5) as few, bearing(few, "berth_x") as nobody:
        answers = [
            nobody.get("/api/v1/me", headers={"X-Forwarded-For": f"203.0.113.{n}"}).status_code for n in range(12)
        ]
    assert set(answers) == {401, 429}


def test_a_named_proxy_is_believed_and_what_its_client_claims_is_not(behind: Api) -> None:
    assert told(behind, "berth_x", **FORWARDED) == "203.0.113.9"
    assert told(behind, "berth_x", **{"X-Forwarded-For": "8.8.8.8, 203.0.113.7, 10.1.2.3"}) == "203.0.113.7"
    with bearing(behind, TOKEN, **FORWARDED) as client:
        assert "Strict-Transport-Security" in client.get("/api/v1/me").headers


def test_behind_a_named_proxy_each_address_has_its_own_rate(behind: Api) -> None:
    with bearing(behind, "berth_x") as nobody:
        loud = [nobody.get("/api/v1/me", headers={"X-Forwarded-For": "203.0.113.50"}) for _ in range(10)]
        other = nobody.get("/api/v1/me", headers={"X-Forwarded-For": "203.0.113.51"})
    assert {answer.status_code for answer in loud} == {401, 429}
    assert other.status_code == 401


@pytest.mark.parametrize("proxies", ["*", "proxy.example", "10.0.0.1/8", "127.0.0.1,,x", "0.0.0.0/0", "::/0"])
def test_a_proxy_is_named_by_its_address(proxies: str) -> None:
    with pytest.raises(ValidationError, match="BERTH_TRUSTED_PROXIES"):
        Settings(trusted_proxies=proxies)


def test_the_server_itself_believes_no_such_header() -> None:
    assert OPTIONS["proxy_headers"] is False
