"""`list --watch` and `events --follow` on the live feed of a real API, over connections cut and frozen."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from db.models import Instance
from domain.lifecycle import Status
from tests.cli.terminals import ROOT, Terminal, environment, lines
from tests.support.api import TOKEN, Api, running_api
from tests.support.patience import busy

pytestmark = pytest.mark.servers
PATIENT = ("-c", "from cli import feed, main; feed.PING_SECONDS = 600.0; main.main()")
"""`berth` with a connection that lasts though the API stands still: a lost one is told, and the table drawn."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Api]:
    with running_api(tmp_path_factory.mktemp("cli-live"), database_url) as running:
        yield running


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def run(api: Api, *arguments: str, **more: Any) -> Terminal:
        opened.append(Terminal(arguments, environment(api.url, TOKEN), **more))
        return opened[-1]

    yield run
    for one in opened:
        one.close()


def turn(api: Api, name: str, status: Status) -> None:
    """Another status, and the event that tells of it, as a workflow writes them."""
    with api.database.begin() as tx:
        row = tx.session.execute(select(Instance.id, Instance.deployment_id).where(Instance.name == name)).one()
        if status is Status.TERMINATED:
            tx.session.execute(delete(Instance).where(Instance.id == row.id))
        else:
            changes = {"status": status, "version": Instance.version + 1}
            tx.session.execute(update(Instance).where(Instance.id == row.id).values(**changes))
        tx.emit(**_event(row.id, row.deployment_id, status))


def _event(
    instance_id: str, deployment_id: str = "dep_x", status: Status = Status.RUNNING, version: int = 1
) -> dict[str, Any]:
    return {
        "project": "default",
        "event_type": f"{status.upper()}_SEEN",
        "instance_id": instance_id,
        "deployment_id": deployment_id,
        "operation_id": None,
        "version": version,
        "status": status.value,
        "from_status": "running",
        "to_status": status.value,
        "source": "monitor",
        "reason": None,
        "confirmation_method": None,
        "actor": "tester",
        "cloud_instance_id": None,
        "data": {},
    }


def test_on_a_terminal_the_table_stays_in_place_and_follows_what_happens(
    api: Api, terminal: Callable[..., Terminal]
) -> None:
    name = api.an_instance()
    screen = terminal(api, "list", "--watch", "--search", name, program=PATIENT)
    screen.until("1 running  Ctrl-C ends")
    mark, quiet = screen.mark, 1.0
    time.sleep(quiet)
    assert screen.since(mark).strip() == "", "nothing happened, and it was drawn again"
    turn(api, name, Status.STOPPED)
    screen.until("1 stopped  Ctrl-C ends")
    assert screen.since(mark).count("NAME") == 1, "one event draws the table once"
    mark = screen.mark
    screen.resize(24, 60)
    screen.until_after(mark, "1 stopped  Ctrl-C ends")
    screen.process.send_signal(signal.SIGINT)
    assert screen.end() == 130
    assert "Traceback" not in screen.text


def test_a_change_is_on_the_terminal_at_once(api: Api, terminal: Callable[..., Terminal]) -> None:
    name = api.an_instance()
    screen = terminal(api, "list", "--watch", "--search", name)
    screen.until("1 running")
    took = []
    for status in (Status.STOPPED, Status.RUNNING, Status.STOPPED):
        mark, begun = screen.mark, time.monotonic()
        turn(api, name, status)
        screen.until_after(mark, f"1 {status}")
        took.append(time.monotonic() - begun)
    assert min(took) < 2 * busy()


def test_with_json_every_row_that_changed_is_one_line_and_what_left_says_so(api: Api) -> None:
    name = api.an_instance()
    other = api.an_instance()
    with lines(api.url, "list", "--watch", "--search", name) as watched:
        watched.until(lambda: len(watched.objects) == 1)
        turn(api, other, Status.STOPPED)
        turn(api, name, Status.STOPPED)
        watched.until(lambda: len(watched.objects) == 2)
        turn(api, name, Status.TERMINATED)
        watched.until(lambda: len(watched.objects) == 3)
        told = [(row["name"], row["status"], row.get("gone", False)) for row in watched.objects]
        assert told == [(name, "running", False), (name, "stopped", False), (name, "terminated", True)]
        assert watched.end() == 130


def test_what_has_ended_by_the_time_an_earlier_event_is_read_is_told_as_ended(api: Api) -> None:
    name = api.an_instance()
    with lines(api.url, "list", "--watch", "--search", name) as watched:
        watched.until(lambda: len(watched.objects) == 1)
        with api.database.begin() as tx:
            row = tx.session.execute(select(Instance).where(Instance.name == name)).scalar_one()
            tx.emit(**_event(row.id, row.deployment_id, Status.STOPPED))
            tx.session.delete(row)
        watched.until(lambda: len(watched.objects) == 2)
        assert (watched.objects[1]["status"], watched.objects[1]["gone"]) == ("terminated", True)
        assert watched.end() == 130


def test_events_are_followed_by_instance_type_and_time(api: Api) -> None:
    name, other = api.an_instance(), api.an_instance()
    turn(api, name, Status.RUNNING)
    turn(api, name, Status.STOPPED)
    wanted = ("events", "--follow", "--instance", name, "--type", "stopped_seen", "--since", "1h")
    with lines(api.url, *wanted) as followed:
        followed.until(lambda: len(followed.objects) == 1)
        for _ in range(2):
            turn(api, other, Status.STOPPED)
            turn(api, name, Status.RUNNING)
            turn(api, name, Status.STOPPED)
        followed.until(lambda: len(followed.objects) >= 3)
        assert {event["event_type"] for event in followed.objects} == {"STOPPED_SEEN"}
        assert len({event["cursor"] for event in followed.objects}) == len(followed.objects) == 3
        assert len({event["instance_id"] for event in followed.objects}) == 1
        assert followed.end() == 130


def test_all_events_since_a_time_are_told_and_none_from_before(api: Api) -> None:
    name = api.an_instance()
    turn(api, name, Status.RUNNING)
    begun = datetime.now(UTC).isoformat()
    with api.database.begin() as tx:
        instance_id = tx.session.execute(select(Instance.id).where(Instance.name == name)).scalar_one()
        for number in range(1100):
            tx.emit(**_event(instance_id, version=number))

    def versions(*words: str) -> list[int]:
        asked = [sys.executable, "-m", "cli", "events", name, "--json", "--since", begun, *words]
        done = subprocess.run(
            asked, env=environment(api.url, TOKEN), cwd=ROOT, capture_output=True, check=True, timeout=60
        )
        return [event["version"] for event in json.loads(done.stdout)["items"]]

    assert versions() == list(range(1100))
    assert versions("--limit", "3") == [1097, 1098, 1099]


class Relay:
    """A stretch of network between a client and the API: it can be cut, and it can go dead without a word."""

    def __init__(self, url: str) -> None:
        self._there = ("127.0.0.1", int(url.rpartition(":")[2]))
        self._flows = threading.Event()
        self._flows.set()
        self._pairs: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._there)
                self._pairs += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def freeze(self) -> None:
        self._flows.clear()

    def cut(self) -> None:
        """All connections end; what comes anew flows."""
        pairs, self._pairs = self._pairs, []
        self._flows.set()
        for one in pairs:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def close(self) -> None:
        self._listening.close()
        self.cut()


@pytest.fixture
def relay(api: Api) -> Iterator[Relay]:
    between = Relay(api.url)
    yield between
    between.close()


def test_events_go_on_where_they_were_through_cuts(api: Api, relay: Relay) -> None:
    name = api.an_instance()
    with lines(relay.url, "events", "--follow", name) as followed:

        def until(count: int) -> None:
            followed.until(lambda: len(followed.objects) >= count)

        for number in range(12):
            turn(api, name, Status.STOPPED if number % 2 else Status.RUNNING)
            if number % 4 == 2:
                until(number + 1)
                relay.cut()
        until(12)
        seen = [event["event_type"] for event in followed.objects]
        assert seen == ["RUNNING_SEEN", "STOPPED_SEEN"] * 6
        assert len({event["cursor"] for event in followed.objects}) == 12


def test_a_dead_connection_is_noticed_in_seconds_and_nothing_is_missed(api: Api, relay: Relay) -> None:
    name = api.an_instance()
    with lines(relay.url, "list", "--watch", "--search", name) as watched:
        watched.until(lambda: len(watched.objects) == 1)
        relay.freeze()
        turn(api, name, Status.STOPPED)
        watched.until(lambda: any("No connection" in said for said in watched.remarks))
        relay.cut()
        watched.until(lambda: len(watched.objects) == 2)
        assert watched.objects[-1]["status"] == "stopped"
        watched.until(lambda: any("connected again" in said for said in watched.remarks))


def test_a_feed_that_lets_nobody_in_ends_with_3(api: Api) -> None:
    command = [sys.executable, "-m", "cli", "list", "--watch"]
    stranger = environment(api.url, "tok_of_nobody")
    done = subprocess.run(command, env=stranger, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "error:" in done.stderr


def test_yaml_is_no_form_for_what_has_no_end(api: Api) -> None:
    command = [sys.executable, "-m", "cli", "list", "--watch", "-o", "yaml"]
    done = subprocess.run(
        command, env=environment(api.url, TOKEN), cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 2


def test_the_record_of_a_watch_is_that_of_the_list(api: Api, tmp_path: Path) -> None:
    name = api.an_instance()
    with lines(api.url, "list", "--watch", "--search", name) as watched:
        watched.until(lambda: len(watched.objects) == 1)
        listed = api.get(f"/instances?q={name}")["items"][0]
        assert set(watched.objects[0]) == set(listed)
