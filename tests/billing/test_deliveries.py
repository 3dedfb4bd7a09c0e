"""What is received: signed or refused, once, ordered by its own time, and only `billing_status` is written."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from db.models import OperationRow, WebhookDelivery
from domain.lifecycle import Status
from tests.support.api import Api, running_api
from tests.support.billing import OLD_SECRET, OTHER_SECRET, Sender, ago

pytestmark = pytest.mark.servers


@pytest.fixture
def from_billing(quiet: Api) -> Sender:
    return Sender(quiet.url)


def billed(api: Api, name: str) -> str:
    return str(api.get(f"/instances/{name}")["billing_status"])


def stored(api: Api) -> int:
    with api.database.begin() as tx:
        return tx.session.scalar(select(func.count()).select_from(WebhookDelivery)) or 0


def test_a_new_deployment_is_a_trial(quiet: Api) -> None:
    assert quiet.create()["instance"]["billing_status"] == "trial"


def test_a_delivery_writes_the_billing_status_and_starts_nothing_itself(quiet: Api, from_billing: Sender) -> None:
    name = quiet.an_instance(Status.RUNNING)

    answer = from_billing.tell("payment.failed", instance_id=name)

    assert from_billing.verdict(answer) == "applied"
    assert answer.json()["detail"] == name
    assert billed(quiet, name) == "payment_required"
    with quiet.database.begin() as tx:
        assert not tx.session.scalars(select(OperationRow).where(OperationRow.deployment_name == name)).all()
    event = quiet.get(f"/instances/{name}/history")["items"][0]
    assert (event["event_type"], event["source"], event["reason"]) == (
        "BILLING_CHANGED",
        "billing",
        "payment_failed",
    )


@pytest.mark.parametrize("what", ["payment.failed", "subscription.cancelled"])
def test_what_billing_has_changed_last_says_so(quiet: Api, from_billing: Sender, what: str) -> None:
    name = quiet.an_instance(Status.RUNNING)
    read = quiet.get(f"/instances/{name}")

    assert from_billing.verdict(from_billing.tell(what, instance_id=name)) == "applied"

    form = quiet.get(f"/instances/{name}")
    assert form["changed_by"] == "billing"
    assert (form["changed_at"] > read["changed_at"], form["version"] > read["version"]) == (True, True)


def test_a_customers_deliveries_concern_all_of_its_deployments(quiet: Api, from_billing: Sender) -> None:
    made = [quiet.create(customer_id="acme")["instance"]["name"] for _ in range(2)]
    other = quiet.create(customer_id="other")["instance"]["name"]

    from_billing.tell("payment.succeeded", customer_id="acme")

    assert [billed(quiet, name) for name in (*made, other)] == ["paid", "paid", "trial"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_newest_fact_stands_in_whatever_order_it_arrives(
    quiet: Api, from_billing: Sender, order: tuple[int, ...]
) -> None:
    name = quiet.an_instance(Status.RUNNING)
    facts = [("payment.failed", ago(30)), ("payment.succeeded", ago(20)), ("payment.failed", ago(10))]

    for number in order:
        kind, at = facts[number]
        from_billing.tell(kind, at, instance_id=name)

    assert billed(quiet, name) == "payment_required"


@pytest.mark.parametrize(
    "kinds", [("payment.failed", "payment.succeeded"), ("payment.succeeded", "payment.failed")]
)
def test_at_the_very_same_instant_the_milder_word_stands(
    quiet: Api, from_billing: Sender, kinds: tuple[str, str]
) -> None:
    name, at = quiet.an_instance(Status.RUNNING), ago(5)

    for kind in kinds:
        from_billing.tell(kind, at, instance_id=name)

    assert billed(quiet, name) == "paid"


def test_a_late_arrival_is_superseded_and_says_so(quiet: Api, from_billing: Sender) -> None:
    name = quiet.an_instance(Status.RUNNING)
    from_billing.tell("payment.succeeded", ago(1), instance_id=name)

    late = from_billing.tell("payment.failed", ago(60), instance_id=name)

    assert from_billing.verdict(late) == "superseded"
    assert billed(quiet, name) == "paid"


def test_a_repeat_is_answered_like_the_first_and_applied_once(quiet: Api, from_billing: Sender) -> None:
    name = quiet.an_instance(Status.RUNNING)
    body, webhook_id = from_billing.payload("payment.failed", instance_id=name), from_billing.new_id()

    answers = [from_billing.send(body, webhook_id) for _ in range(3)]

    assert [a.json()["duplicate"] for a in answers] == [False, True, True]
    assert {a.json()["id"] for a in answers} == {answers[0].json()["id"]}
    events = [e["event_type"] for e in quiet.get(f"/instances/{name}/history")["items"]]
    assert events.count("BILLING_CHANGED") == 1


def test_the_same_delivery_twenty_times_at_once_is_stored_once(quiet: Api, from_billing: Sender) -> None:
    name, before = quiet.an_instance(Status.RUNNING), stored(quiet)
    body, webhook_id = from_billing.payload("payment.failed", instance_id=name), from_billing.new_id()

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: from_billing.send(body, webhook_id), range(20)))

    assert {a.status_code for a in answers} == {200}
    assert [a.json()["duplicate"] for a in answers].count(False) == 1
    assert stored(quiet) == before + 1


def test_the_secret_before_is_good_while_a_new_one_is_introduced(quiet: Api) -> None:
    name = quiet.an_instance(Status.RUNNING)

    assert Sender(quiet.url, OLD_SECRET).tell("payment.succeeded", instance_id=name).status_code == 200


FORGED: dict[str, dict[str, Any]] = {
    "no signature": {"webhook_signature": None},
    "no id": {"webhook_id": None},
    "no timestamp": {"webhook_timestamp": None},
    "empty": {"webhook_signature": ""},
    "no version": {"webhook_signature": "abc"},
    "another version": {"webhook_signature": "v2,aaaa"},
    "not base64": {"webhook_signature": "v1,%%%"},
    "too many commas": {"webhook_signature": "v1,a,b,c"},
    "not ASCII": {"webhook_signature": "v1,\u00e4\u00f6".encode("latin-1")},
    "time of nonsense": {"webhook_timestamp": "nan"},
    "endless time": {"webhook_timestamp": "1e400"},
    "moved time": {"webhook_timestamp": str(int(ago(-30).timestamp()))},
    "a megabyte of signatures": {"webhook_signature": " ".join(["v1,aaaa"] * 800)},
}


@pytest.mark.parametrize("how", FORGED)
def test_what_is_not_signed_is_refused_and_not_stored(quiet: Api, from_billing: Sender, how: str) -> None:
    name, before = quiet.an_instance(Status.RUNNING), stored(quiet)

    answer = from_billing.send(from_billing.payload("payment.failed", instance_id=name), None, **FORGED[how])

    assert answer.status_code in {400, 401, 431}, answer.text
    assert billed(quiet, name) == "trial"
    assert stored(quiet) == before


def test_another_secret_an_old_signature_or_a_changed_body_are_refused(quiet: Api, from_billing: Sender) -> None:
    name = quiet.an_instance(Status.RUNNING)
    body = from_billing.payload("payment.failed", instance_id=name)
    good = from_billing.send(body)
    captured = good.request.headers
    headers: dict[str, Any] = {
        key: captured[key] for key in ("webhook-id", "webhook-timestamp", "webhook-signature")
    }

    answers = [
        Sender(quiet.url, OTHER_SECRET).send(body),
        from_billing.send(body, sent_at=ago(301)),
        from_billing.send(body, sent_at=ago(-400)),
        from_billing.send(body.replace(b"failed", b"succeeded"), **headers),
        from_billing.send(body + b" ", **headers),
    ]

    assert [a.status_code for a in answers] == [401] * 5
    assert answers[0].json()["code"] == "not-signed"


MALFORMED = {
    "not JSON": b"{",
    "not UTF-8": b'{"type": "\xff"}',
    "a list": b"[]",
    "nothing": b"",
    "no type": b'{"timestamp": "2026-01-01T00:00:00Z", "data": {"customer_id": "a"}}',
    "no time": b'{"type": "payment.failed", "data": {"customer_id": "a"}}',
    "a time without a zone": b'{"type": "payment.failed", "timestamp": "2026-01-01T00:00:00", '
    b'"data": {"customer_id": "a"}}',
    "a time before the first year": b'{"type": "payment.failed", "timestamp": "0001-01-01T00:00:00+23:00", '
    b'"data": {"customer_id": "a"}}',
    "a time after the last year": b'{"type": "payment.failed", "timestamp": "9999-12-31T23:59:59-23:00", '
    b'"data": {"customer_id": "a"}}',
    "nobody": b'{"type": "payment.failed", "timestamp": "2026-01-01T00:00:00Z", "data": {}}',
    "a control character": b'{"type": "payment.failed", "timestamp": "2026-01-01T00:00:00Z", '
    b'"data": {"customer_id": "a\\u0000"}}',
    "half a character": b'{"type": "payment.failed", "timestamp": "2026-01-01T00:00:00Z", '
    b'"data": {"customer_id": "\\ud800"}}',
    "nested": b"[" * 30_000,
}


@pytest.mark.parametrize("how", MALFORMED)
def test_what_is_signed_and_malformed_is_a_bad_request(quiet: Api, from_billing: Sender, how: str) -> None:
    answer = from_billing.send(MALFORMED[how])

    assert answer.status_code in {400, 401}, answer.text


def test_more_than_64_kib_are_too_large(quiet: Api, from_billing: Sender) -> None:
    large = json.dumps({"type": "payment.failed", "padding": "x" * 65_536}).encode()

    assert from_billing.send(large).status_code == 413


def test_a_fact_of_the_future_is_refused_and_judged_anew_when_it_comes_again(
    quiet: Api, from_billing: Sender
) -> None:
    name, webhook_id = quiet.an_instance(Status.RUNNING), from_billing.new_id()

    early = from_billing.tell("payment.failed", ago(-400), webhook_id, instance_id=name)
    assert early.status_code == 400
    assert billed(quiet, name) == "trial"
    newest = quiet.get("/webhooks?page_size=1")["items"][0]
    assert (newest["webhook_id"], newest["verdict"]) == (webhook_id, "refused")
    assert from_billing.tell("payment.failed", ago(-400), webhook_id, instance_id=name).status_code == 400


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("invoice.created", {"customer_id": "acme"}),
        ("payment.failed", {"customer_id": "nobody"}),
        ("payment.failed", {"instance_id": "ins_none"}),
    ],
)
def test_what_means_nothing_here_is_kept_ignored_and_answered_well(
    quiet: Api, from_billing: Sender, kind: str, data: dict[str, Any]
) -> None:
    answer = from_billing.tell(kind, **data)

    assert from_billing.verdict(answer) == "ignored"
    assert answer.json()["detail"]


def test_an_old_cancellation_does_not_take_what_was_made_after_it(quiet: Api, from_billing: Sender) -> None:
    quiet.create(customer_id="again")

    late = from_billing.tell("subscription.cancelled", ago(600), customer_id="again")

    assert from_billing.verdict(late) == "superseded"


def test_deliveries_are_listed_by_pages_and_replayed_without_harm(quiet: Api, from_billing: Sender) -> None:
    name = quiet.an_instance(Status.RUNNING)
    old = from_billing.tell("payment.failed", ago(9), instance_id=name).json()
    new = from_billing.tell("payment.succeeded", ago(3), instance_id=name).json()

    again = quiet.ask("POST", f"/webhooks/{old['id']}/replay")
    newest = quiet.ask("POST", f"/webhooks/{new['id']}/replay")

    assert (again.json()["verdict"], newest.json()["verdict"]) == ("superseded", "applied")
    assert billed(quiet, name) == "paid"
    first = quiet.get("/webhooks?page_size=1")
    second = quiet.get(f"/webhooks?page_size=1&page_token={first['next_page_token']}")
    assert [first["items"][0]["id"], second["items"][0]["id"]] == [new["id"], old["id"]]
    assert datetime.fromisoformat(first["items"][0]["received_at"])
    assert {row["verdict"] for row in quiet.get("/webhooks?verdict=ignored")["items"]} <= {"ignored"}
    assert quiet.ask("POST", "/webhooks/whd_none/replay").status_code == 404


def test_the_lists_need_a_token_and_the_door_does_not(quiet: Api, from_billing: Sender) -> None:
    bare = {"Authorization": ""}

    assert quiet.ask("GET", "/webhooks", **bare).status_code == 401
    assert quiet.ask("POST", "/webhooks/whd_x/replay", **bare).status_code == 401
    assert from_billing.tell("payment.failed", customer_id="nobody").status_code == 200


def test_without_a_secret_nothing_is_believed(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> None:
    with running_api(tmp_path_factory.mktemp("api"), database_url) as api:
        assert Sender(api.url).tell("payment.failed", customer_id="a").status_code == 401
