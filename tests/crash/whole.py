"""All of Berth as `berth up` runs it, a client that does not give up, and a hand that kills its parts."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from db.session import Database, open_database
from embedded import cluster
from embedded.down import down
from embedded.installation import Installation, find_installation, read_record
from providers.simulated import SimulatedProvider
from services.places.hosts import server_id
from settings import psycopg2_url
from tests.support.looking import Looking
from tests.support.patience import busy
from tests.support.workers import WorkerProcess, wait_for

PARTS = ("worker", "api", "temporal", "postgres")
_PASSED = ("HOME", "BERTH_CACHE_DIR", "BERTH_TEMPORAL_CLI", "PATH")
_PATIENCE = 60.0


@dataclass
class Whole(Looking):
    """A running installation."""

    installation: Installation
    url: str
    database: Database
    provider: SimulatedProvider
    server_id: str
    workers: list[WorkerProcess] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> dict[str, Any]:
        """One request, sent again with the same key while the API or what it needs is away."""
        deadline = time.monotonic() + _PATIENCE * busy()
        while True:
            status, content = self._try(method, path, body, key)
            if status < 400 and status:
                return dict(json.loads(content))
            assert status in {0, 500, 502, 503, 504}, f"{method} {path}: {status} {content.decode()}"
            assert time.monotonic() < deadline, f"{method} {path}: {status} {content.decode()}"
            time.sleep(0.05)

    def kill(self, part: str) -> None:
        """SIGKILL; returns when the supervisor has started it again."""
        wait_for(lambda: self._pids().get(part) is not None, 40, f"{part} is not there to be killed")
        pid = self._pids()[part]
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self._pids()[part] not in {pid, None}, 40, f"{part} was not started again")

    def calls_so_far(self) -> int:
        """How many provider calls the simulated provider has recorded, of everything that ever lived."""
        with self.provider._store.transaction() as store:
            (count,) = store.execute("select coalesce(sum(n), 0) from calls").fetchone()
        return int(count)

    def patiently(self, look: Callable[[Session], Any]) -> Any:
        """A look at the records, repeated while PostgreSQL is away."""
        deadline = time.monotonic() + _PATIENCE * busy()
        while True:
            try:
                with Session(self.database.engine, expire_on_commit=False) as session:
                    return look(session)
            except (DBAPIError, SQLAlchemyError):
                assert time.monotonic() < deadline, "the records did not come back"
                time.sleep(0.1)

    def _pids(self) -> dict[str, int | None]:
        return dict(read_record(self.installation.state_file)["ready"]["pids"])

    def _try(self, method: str, path: str, body: Any, key: str | None) -> tuple[int, bytes]:
        place = urlsplit(self.url)
        token = self.installation.token_file.read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)
        try:
            connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b"no answer"
        finally:
            connection.close()


@contextmanager
def running(folder: Path) -> Iterator[Whole]:
    """`berth up` on a new data directory; purged afterwards."""
    data_dir, events, notes = folder / "data", folder / "events", folder / "notes"
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    with events.open("wb") as out, notes.open("wb") as err:
        command = [sys.executable, "-m", "tests.crash.up", str(data_dir)]
        process = subprocess.Popen(command, env=passed, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    whole: Whole | None = None
    try:
        wait_for(lambda: b'"ready"' in events.read_bytes(), 90, notes.read_text)
        ready = json.loads(events.read_text().splitlines()[0])
        whole = _open(data_dir, ready["url"])
        yield whole
    finally:
        if whole is not None:
            whole.provider.close()
            whole.database.engine.dispose()
        process.terminate()
        try:
            process.wait(90)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        installation = find_installation(data_dir)
        if installation is not None:
            down(installation, purge=True, say=lambda text: None)


def _open(data_dir: Path, url: str) -> Whole:
    installation = find_installation(data_dir)
    assert installation is not None
    database = open_database(psycopg2_url(cluster.database_url(installation)), pool_size=3)
    with database.begin() as tx:
        server = server_id(tx)
    provider = SimulatedProvider(data_dir / "simulated.db", server)
    return Whole(installation, url, database, provider, server)
