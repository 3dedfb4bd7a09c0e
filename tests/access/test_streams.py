"""Live streams: counted over all processes, never more than there may be, and none outlives its token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from api.live import connections
from api.live.seats import Seats
from db.models import OpenStreams
from db.session import Database, open_database
from domain.bounds import Limits
from domain.specs import Caller
from services.access.bounds import LimitReached
from services.access.streams import SILENT
from tests.support.access import new_token
from tests.support.api import Api, running_api
from tests.support.postgres import PostgresServer
from tests.support.workers import wait_for

pytestmark = pytest.mark.servers
LIMIT = 3


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[tuple[Api, Api]]:
    """Two processes' worth of API on one database."""
    url = postgres_server.new_database()
    with ExitStack() as stack:
        apis = [
            stack.enter_context(running_api(tmp_path_factory.mktemp(f"streams-{n}"), url, limit_sockets=LIMIT))
            for n in range(2)
        ]
        yield apis[0], apis[1]


def opened(api: Api, token: str) -> Connection:
    url = api.url.replace("http://", "ws://") + "/ws"
    return connect(url, additional_headers={"Authorization": f"Bearer {token}"}, open_timeout=60, proxy=None)


def greeting(socket: Connection) -> str:
    return str(json.loads(socket.recv(60))["type"])


def refusal(api: Api, token: str) -> tuple[str, int]:
    """What a socket too many is told, and the code that ends it."""
    with opened(api, token) as socket:
        told = json.loads(socket.recv(60))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(60)
    assert closed.value.rcvd is not None
    return told["detail"], closed.value.rcvd.code


def is_admitted(api: Api, token: str) -> bool:
    with opened(api, token) as socket:
        return greeting(socket) == "hello"


def viewer(api: Api, project: str) -> str:
    return str(new_token(api, "viewer", project)["token"])


def test_streams_are_counted_over_all_processes(pair: tuple[Api, Api]) -> None:
    one, two = pair
    token = viewer(one, "several")
    with ExitStack() as stack:
        for api in (one, two, one):
            assert greeting(stack.enter_context(opened(api, token))) == "hello"
        for api in pair:
            detail, code = refusal(api, token)
            assert "sockets" in detail
            assert code == 1013  # worth another try, unlike what the role forbids
        assert is_admitted(two, viewer(two, "another"))
    wait_for(lambda: all(is_admitted(api, token) for api in pair), 15, "the places of closed streams stay taken")


def test_of_a_crowd_that_comes_at_once_no_more_are_admitted_than_there_may_be(pair: tuple[Api, Api]) -> None:
    token = viewer(pair[0], "crowd")
    with ExitStack() as stack, ThreadPoolExecutor(12) as pool:
        sockets = list(pool.map(lambda n: opened(pair[n % 2], token), range(12)))
        for socket in sockets:
            stack.enter_context(socket)
        greetings = list(pool.map(greeting, sockets))
    assert greetings.count("hello") == LIMIT
    assert greetings.count("error") == 12 - LIMIT


def test_what_a_killed_process_had_is_counted_for_a_moment_only(pair: tuple[Api, Api]) -> None:
    api = pair[0]
    token = viewer(api, "orphaned")
    with api.database.begin() as tx:
        row = {"process": "killed", "project": "orphaned", "open": LIMIT}
        tx.run(insert(OpenStreams).values(**row, at=tx.now))
    assert refusal(api, token)[1] == 1013
    with api.database.begin() as tx:
        tx.run(update(OpenStreams).values(at=tx.now - SILENT - timedelta(seconds=1)))
    assert is_admitted(api, token)


def test_a_process_that_ends_in_order_leaves_no_count_behind(tmp_path: Path, pair: tuple[Api, Api]) -> None:
    one = pair[0]
    url = str(one.database.engine.url.render_as_string(hide_password=False))
    token = viewer(one, "ending")
    with running_api(tmp_path, url, limit_sockets=LIMIT) as api:
        socket = opened(api, token)
        assert greeting(socket) == "hello"
    with one.database.read() as session:
        assert session.scalar(select(OpenStreams.open).where(OpenStreams.project == "ending")) is None


def test_a_stream_with_much_to_tell_ends_with_its_token_all_the_same(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def everything() -> AsyncIterator[str]:
        while True:  # like a feed that has thousands of events for a slow reader: never a pause
            yield "more"

    async def follow(database: Database) -> int:
        living = connections.Connections(database, Limits(), asyncio.get_running_loop())
        count = 0
        async for _ in living.stream(Caller("somebody", credential="tok_x"), everything()):
            count += 1
            if count == 10:
                living.revoked("tok_x")
                await asyncio.sleep(0)
            assert count < 100, "it goes on after its token has ended"
        living.close()
        return count

    monkeypatch.setattr(connections, "LOOK_SECONDS", 60.0)
    database = open_database(database_url, pool_size=1)
    assert asyncio.run(follow(database)) <= 12
    database.engine.dispose()


def test_a_handshake_that_is_refused_is_answered_with_a_problem(pair: tuple[Api, Api]) -> None:
    with pytest.raises(InvalidStatus) as refused:
        opened(pair[0], "berth_wrong")
    answer = refused.value.response
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body is not None
    assert json.loads(answer.body)["code"] == "unauthorized"


def test_a_crowd_is_seated_together_and_who_leaves_the_queue_takes_no_seat(database_url: str) -> None:
    """Five hundred that come back at once cost a few questions, not five hundred one after another."""

    async def crowd(database: Database) -> None:
        seats = Seats(database, Limits(sockets=400))
        asked = counted(seats)
        queue = [asyncio.create_task(seats.take("crowd")) for _ in range(500)]
        await asyncio.sleep(0)
        for task in queue[:50]:
            task.cancel()
        while not asked:
            await asyncio.sleep(0)
        for task in queue[50:100]:  # while the records are asked for them
            task.cancel()
        found = await asyncio.gather(*queue, return_exceptions=True)
        taken = [one for one in found if not isinstance(one, BaseException)]
        assert len(taken) == 400
        assert len(asked) <= 3
        with ExitStack() as stack:
            for seat in taken:
                stack.enter_context(seat)
            with pytest.raises(LimitReached, match="400 sockets"):
                await seats.take("crowd")
        with await seats.take("crowd"):
            pass

    database = open_database(database_url, pool_size=2)
    asyncio.run(crowd(database))
    database.engine.dispose()


def counted(seats: Seats) -> list[int]:
    """How many asked together, each time that the records were asked."""
    asked: list[int] = []
    ask = seats._ask

    def count(project: str, mine: int, wanted: int) -> tuple[int, LimitReached | None]:
        asked.append(wanted)
        return ask(project, mine, wanted)

    seats._ask = count  # type: ignore[method-assign,assignment]
    return asked
