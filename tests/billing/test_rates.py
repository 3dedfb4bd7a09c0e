"""How often: what is signed is counted by itself, so strangers at the same address cannot keep billing out."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from tests.support.access import bearing
from tests.support.api import Api, running_api
from tests.support.billing import NEW_SECRET, OTHER_SECRET, PATH, Sender
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.servers
FORGED = {
    "webhook-id": "msg_forged",
    "webhook-timestamp": "1",
    "webhook-signature": "v1,AAAA",
    "content-type": "application/json",
}


class Still:
    """A clock that stands: no rate grows again while requests take their time."""

    def monotonic(self) -> float:
        return 1_000.0


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.gate.rates.time", Still())


@pytest.fixture
def few(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Api]:
    """An API with small rates. Everybody who asks it has one address."""
    folder, url = tmp_path_factory.mktemp("few"), postgres_server.new_database()
    with running_api(folder, url, billing_secrets=NEW_SECRET, rate_strangers=5, rate_writes=20) as api:
        yield api


def forge(api: Api, **headers: str) -> httpx2.Response:
    return httpx2.post(api.url + PATH, content=b"{}", headers={**FORGED, **headers}, timeout=30, trust_env=False)


def test_forged_deliveries_are_limited_by_address_and_keep_no_signed_one_out(few: Api) -> None:
    name = few.create()["instance"]["name"]
    forged = [forge(few) for _ in range(10)]

    told = [Sender(few.url).tell("payment.failed", instance_id=name).status_code for _ in range(8)]

    assert [a.status_code for a in forged] == [401] * 5 + [429] * 5
    assert forged[-1].headers["RateLimit-Policy"].startswith('"stranger"')
    assert set(told) == {200}


def test_strangers_with_wrong_tokens_keep_no_signed_delivery_out(few: Api) -> None:
    name = few.create()["instance"]["name"]
    with bearing(few, "berth_guess") as stranger:
        guesses = [stranger.get("/api/v1/me").status_code for _ in range(10)]

    assert guesses[-1] == 429
    assert Sender(few.url).tell("payment.failed", instance_id=name).status_code == 200


def test_signed_deliveries_have_a_rate_of_their_own(few: Api) -> None:
    name = few.create()["instance"]["name"]
    sender = Sender(few.url)

    told = [sender.tell("payment.failed", instance_id=name) for _ in range(25)]

    assert told[0].status_code == 200
    assert told[0].headers["RateLimit-Policy"] == '"delivery";q=20;w=60'
    assert (told[-1].status_code, told[-1].json()["code"]) == (429, "rate-limited")
    assert int(told[-1].headers["Retry-After"]) >= 1
    assert forge(few).status_code == 401
    assert few.ask("POST", "/instances/nothing/actions", {"action": "stop"}).status_code == 404


def test_an_unsigned_body_that_is_too_large_counts_as_a_strangers(few: Api) -> None:
    body = b"x" * (65 * 1024)
    answers = [Sender(few.url, OTHER_SECRET).send(body).status_code for _ in range(7)]

    assert answers == [413] * 5 + [429] * 2


def test_the_refusal_of_what_is_not_signed_names_what_a_signature_is_made_of(few: Api) -> None:
    refusal = forge(few).json()

    assert (refusal["status"], refusal["code"]) == (401, "not-signed")
    for header in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        assert header in refusal["help"]
    assert "Bearer" not in refusal["help"]
