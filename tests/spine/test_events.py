"""The log's numbers follow commit order, so that a reader with a cursor never skips an event."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from db.models import LifecycleEvent
from db.session import EVENT_SEQUENCE, Database, Tx, open_database
from settings import psycopg2_url

pytestmark = pytest.mark.servers


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = open_database(psycopg2_url(database_url), pool_size=20)
    yield made
    made.engine.dispose()


def an_event(name: str) -> dict[str, Any]:
    facts = dict.fromkeys(
        ("instance_id", "operation_id", "version", "status", "from_status", "to_status", "reason")
    )
    more = dict.fromkeys(("confirmation_method", "cloud_instance_id"))
    fixed = {"project": "default", "deployment_id": name, "source": "berth", "actor": "test", "data": {}}
    return {"event_type": "TESTED", **facts, **more, **fixed}


def read_after(database: Database, cursor: int) -> list[tuple[int, str]]:
    """One look of a reader: what it has not seen yet."""
    query = select(LifecycleEvent.seq, LifecycleEvent.deployment_id).where(LifecycleEvent.seq > cursor)
    with Session(database.engine) as session:
        return [(row.seq, row.deployment_id) for row in session.execute(query.order_by(LifecycleEvent.seq))]


def by_berth(tx: Tx, name: str) -> None:
    """As every change of Berth writes its events: numbered at the end, under the lock."""
    tx.emit(**an_event(name))
    tx._finish()
    tx._events.clear()


def by_plain_sequence(tx: Tx, name: str) -> None:
    """As most would write it."""
    tx.session.execute(
        insert(LifecycleEvent).values(seq=EVENT_SEQUENCE.next_value(), time=tx.now, **an_event(name))
    )


def early_and_late(database: Database, write: Callable[[Tx, str], None], seconds: float) -> list[str]:
    """What a reader sees when one writer draws its number first and commits last.

    The slow writer commits when the reader has seen the fast one's event, or after so many seconds.
    """
    drawn, overtaken = threading.Event(), threading.Event()

    def slow() -> None:
        with database.begin() as tx:
            write(tx, "slow")
            drawn.set()
            overtaken.wait(seconds)

    def fast() -> None:
        assert drawn.wait(60.0)
        with database.begin() as tx:
            write(tx, "fast")

    start = max((seq for seq, _ in read_after(database, 0)), default=0)
    seen: list[tuple[int, str]] = []
    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(slow), pool.submit(fast)]
        while not all(writer.done() for writer in writers):
            seen += read_after(database, seen[-1][0] if seen else start)
            if seen:
                overtaken.set()
            time.sleep(0.01)
        for writer in writers:
            writer.result()
    seen += read_after(database, seen[-1][0] if seen else start)
    return [name for _, name in seen]


def test_a_reader_sees_both_although_the_first_number_is_committed_late(database: Database) -> None:
    assert early_and_late(database, by_berth, 1.0) == ["slow", "fast"]


def test_with_a_plain_sequence_the_same_reader_skips_one_for_ever(database: Database) -> None:
    """Why the lock is there: without it this is what happens."""
    assert early_and_late(database, by_plain_sequence, 60.0) == ["fast"]


def test_no_event_is_skipped_under_many_writers(database: Database) -> None:
    dice = random.Random(7)
    pauses = [[dice.random() * 0.01 for _ in range(25)] for _ in range(8)]
    start = max((seq for seq, _ in read_after(database, 0)), default=0)

    def writer(number: int) -> None:
        for turn, pause in enumerate(pauses[number]):
            with database.begin() as tx:
                tx.emit(**an_event(f"{number}/{turn}"))
                time.sleep(pause)

    seen: list[tuple[int, str]] = []
    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(writer, number) for number in range(8)]
        while not all(w.done() for w in writers):
            seen += read_after(database, seen[-1][0] if seen else start)
        for w in writers:
            w.result()
    seen += read_after(database, seen[-1][0] if seen else start)
    names = [name for _, name in seen]
    assert len(names) == len(set(names)) == 200
    for number in range(8):
        own = [name for name in names if name.startswith(f"{number}/")]
        assert own == [f"{number}/{turn}" for turn in range(25)], "each writer's events stay in its order"


def test_an_event_that_is_rolled_back_is_never_seen(database: Database) -> None:
    start = max((seq for seq, _ in read_after(database, 0)), default=0)

    def undone() -> None:
        with database.begin() as tx:
            by_berth(tx, "undone")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        undone()
    assert read_after(database, start) == []


def test_a_writer_that_freezes_holds_nobody_up_for_longer_than_they_wait(database: Database) -> None:
    """A process that is stopped, or a machine that is paused, may hold the log's lock: it is taken from it."""
    start = max((seq for seq, _ in read_after(database, 0)), default=0)
    drawn, over = threading.Event(), threading.Event()

    def frozen() -> None:
        with database.begin() as tx:
            by_berth(tx, "frozen")
            drawn.set()
            over.wait(60.0)

    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(frozen)
        assert drawn.wait(60.0)
        try:
            with database.begin() as tx:
                tx.emit(**an_event("next"))
        finally:
            over.set()
        with pytest.raises(DBAPIError):
            stuck.result()
    assert [name for _, name in read_after(database, start)] == ["next"]
