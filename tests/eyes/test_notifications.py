"""Notifications: signed, at least once, tried again, given up in the end; never to an address that is none."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import select, text
from standardwebhooks.webhooks import Webhook

from db.models import Notification
from db.session import Database
from domain.lifecycle import Status
from keeper.chores import again
from keeper.notifying import Notifier, RefusedTargetError, safe_address
from services.upkeep.ledger import fold
from services.upkeep.notices import note_stuck
from tests.support.api import Api
from tests.support.whole import MakeWhole
from tests.support.workers import wait_for

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Receiver:
    """A real HTTP server that answers what it is told to."""

    url: str
    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def verified(self) -> list[Any]:
        """The payloads; raises for one that is not signed."""
        return [Webhook(SECRET).verify(body, headers) for headers, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
            self.send_response(made.answers.pop(0) if made.answers else 204)
            self.send_header("Location", f"{made.url}/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join(60)


def send(database: Database, url: str, attempts: int = 10) -> bool:
    notifier = Notifier.of(database, url, SECRET, attempts)
    assert notifier is not None
    with database.begin() as tx:
        tx.session.execute(text("update notifications set next_at = now() where state = 'pending'"))
    return asyncio.run(notifier.send_due())


def rows(database: Database) -> list[Notification]:
    with database.read() as session:
        return list(session.scalars(select(Notification).order_by(Notification.created_at)))


def an_event(api: Api, to: str = "error") -> str:
    """An instance that fell into `to`, folded; returns its id."""
    made = api.create()["instance"]
    data = {"name": made["name"], "error": {"code": "no-capacity", "message": "no more room for hunter2"}}
    with api.database.begin() as tx:
        tx.emit(
            project="default", event_type="LAUNCH_FAILED" if to == "error" else "LAUNCH_CONFIRMED",
            instance_id=made["id"], deployment_id=made["deployment_id"], operation_id=None, version=2, status=to,
            from_status="creating", to_status=to, source="backend", reason=None, confirmation_method=None,
            actor="me", cloud_instance_id=None, data=data,
        )  # fmt: skip
    with api.database.begin() as tx:
        fold(tx, notify=True)
    return str(made["id"])


@pytest.fixture(autouse=True)
def _none_left(request: pytest.FixtureRequest) -> None:
    if "api" in request.fixturenames:
        with request.getfixturevalue("api").database.begin() as tx:
            fold(tx, notify=False)
            tx.session.execute(text("delete from notifications"))


@pytest.mark.servers
def test_a_failure_is_told_once_signed_and_without_what_the_error_quotes(api: Api, receiver: Receiver) -> None:
    instance = an_event(api)
    send(api.database, receiver.url)
    send(api.database, receiver.url)
    (payload,) = receiver.verified()
    assert payload["type"] == "instance.failed"
    assert payload["data"]["instance_id"] == instance
    assert payload["data"]["code"] == "no-capacity"
    assert "hunter2" not in json.dumps(payload)
    assert [row.state for row in rows(api.database)] == ["delivered"]


@pytest.mark.servers
def test_the_same_id_comes_again_until_it_is_taken(api: Api, receiver: Receiver) -> None:
    an_event(api, "running")
    receiver.answers = [500, 302, 200]
    for _ in range(3):
        send(api.database, receiver.url)
    assert len(receiver.got) == 3, "a redirect is not followed"
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    (row,) = rows(api.database)
    assert (row.state, row.attempts, row.last_error) == ("delivered", 3, None)
    assert receiver.verified()[0]["type"] == "instance.ready"


@pytest.mark.servers
def test_after_the_last_attempt_it_is_a_dead_letter_that_the_stats_show(api: Api, receiver: Receiver) -> None:
    an_event(api)
    receiver.answers = [503, 503]
    for _ in range(3):
        send(api.database, receiver.url, attempts=2)
    (row,) = rows(api.database)
    assert (row.state, row.attempts, row.last_error) == ("dead", 2, "answered 503")
    told = api.get("/admin/stats")["notifications"]
    assert told["dead"] == 1
    assert told["dead_letters"][0]["id"] == row.id


@pytest.mark.servers
def test_it_waits_longer_after_every_failure_and_nobody_listening_is_a_failure(api: Api) -> None:
    an_event(api)

    def moment(query: str) -> float:
        with api.database.read() as session:
            return float(session.scalar(text(f"select extract(epoch from {query}")))

    least, most = [], []
    for _ in range(3):
        before = moment("now())")
        send(api.database, "http://127.0.0.1:1")
        after, due = moment("now())"), moment("next_at) from notifications")
        least.append(due - after)
        most.append(due - before)
    assert least[0] < 6 < most[1]
    assert least[1] < 31 < most[2]
    assert most[0] > 3


@pytest.mark.servers
def test_an_operation_past_its_deadline_is_told_once(api: Api, receiver: Receiver) -> None:
    api.an_instance(Status.STOPPING)
    with api.database.begin() as tx:
        tx.session.execute(
            text("update operations set deadline_at = now() - interval '1 s' where status='running'")
        )
    for _ in range(2):
        with api.database.begin() as tx:
            note_stuck(tx)
    send(api.database, receiver.url)
    assert [payload["type"] for payload in receiver.verified()] == ["operation.stuck"]


@pytest.mark.unit
@pytest.mark.parametrize("host", ["169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "::ffff:169.254.169.254"])
def test_an_address_that_nobody_means_is_refused(host: str) -> None:
    with pytest.raises(RefusedTargetError):
        safe_address(host, 80)


@pytest.mark.servers
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://169.254.169.254/latest/meta-data", "no address to notify"),
        (f"http://{'a' * 70}.example/", "are no address"),
        ("https://127.0.0.1:99999/", "no answer"),
    ],
)
def test_a_refused_address_is_a_failed_attempt_and_nothing_is_sent(api: Api, url: str, why: str) -> None:
    an_event(api)
    send(api.database, url)
    (row,) = rows(api.database)
    assert (row.state, row.attempts) == ("pending", 1)
    assert why in (row.last_error or "")


@pytest.mark.unit
def test_a_chore_that_breaks_is_tried_again_and_ends_none_of_the_others() -> None:
    rounds: list[str] = []

    async def breaks() -> bool:
        rounds.append("breaks")
        raise KeyError("a bug of ours")

    async def works() -> bool:
        rounds.append("works")
        return False

    async def both() -> None:
        tasks = [asyncio.create_task(again(chore, 0.001)) for chore in (breaks, works)]
        async with asyncio.timeout(60):
            while min(rounds.count("breaks"), rounds.count("works")) <= 2:
                await asyncio.sleep(0.001)
        assert not any(task.done() for task in tasks)

    asyncio.run(both())


@pytest.mark.unit
def test_a_secret_that_cannot_sign_is_said_at_the_start() -> None:
    with pytest.raises(ValueError, match="BERTH_NOTIFY_SECRET"):
        Notifier.of(None, "https://hooks.example", "not base64!", 10)  # type: ignore[arg-type]


@pytest.mark.servers
def test_a_worker_tells_of_a_launch_by_itself(make_whole: MakeWhole, receiver: Receiver) -> None:
    whole = make_whole(worker=False, BERTH_NOTIFY_URL=receiver.url, BERTH_NOTIFY_SECRET=SECRET)
    whole.spine.start_worker()
    made = whole.create(name="told", blueprint="web", provider="simulated")
    whole.done(made)
    wait_for(lambda: len(receiver.got) > 0, 15, "nothing was told")
    assert receiver.verified()[0]["data"]["name"] == "told"
    assert whole.spine.workers[0].stop() == 0
