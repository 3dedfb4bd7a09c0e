"""What PostgreSQL tells is heard at once, whenever it is told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from queue import Queue
from typing import Any

import pytest

from db.direct import direct
from db.listening import Listener, Note
from db.session import open_database
from settings import psycopg2_url

pytestmark = pytest.mark.servers
_SELDOM = 10.0


def test_what_is_told_while_the_last_news_is_dealt_with_does_not_wait_for_the_next_look(database_url: str) -> None:
    """It comes with the answer to a statement, and then nothing is left on the wire to wake anybody."""
    database = open_database(psycopg2_url(database_url))
    heard: Queue[str] = Queue()

    def deals(cursor: Any, notes: Sequence[Note] | None) -> None:
        for note in notes or ():
            heard.put(note.payload)
            cursor.execute("select pg_sleep(0.5)")
        if notes is None:
            heard.put("listens")

    listener = Listener(direct(database.engine, "hears"), ["news"], deals, name="news", look_seconds=_SELDOM)
    with closing(direct(database.engine, "tells")()) as tells, tells.cursor() as cursor, closing(listener):
        listener.start()
        assert heard.get(timeout=30) == "listens"
        cursor.execute("notify news, 'first'")
        assert heard.get(timeout=_SELDOM / 2) == "first"
        cursor.execute("notify news, 'second'")
        began = time.monotonic()
        assert heard.get(timeout=2 * _SELDOM) == "second"
        assert time.monotonic() - began < _SELDOM / 2
    database.engine.dispose()
