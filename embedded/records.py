"""The embedded PostgreSQL as the supervisor keeps it: started, looked after, and stopped last."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from embedded import cluster, lives, postgres
from embedded.children import Backoff, bound_log
from embedded.errors import RecordsError
from embedded.installation import Installation
from system.processes import ProcessId

Restarted = Callable[[str, int | None, str], None]


class Records:
    """Unlike the other children it may have been started by an earlier supervisor."""

    def __init__(self, installation: Installation, restarted: Restarted) -> None:
        self._installation = installation
        self._restarted = restarted
        self._server: cluster.RecordsServer | None = None
        self._process: ProcessId | None = None
        self._backoff = Backoff()
        self._since = 0.0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self) -> cluster.RecordsServer:
        self._server = cluster.prepare(self._installation)
        self._process = postgres.start(self._server)
        self._since = time.monotonic()
        return self._server

    def look(self) -> None:
        """Start it again when it has died."""
        if self._server is None:
            return
        if self._process is not None and not lives.is_alive(self._process):
            postgres.reap(self._process)
            self._process = None
            self._backoff.died(time.monotonic() - self._since)
        if self._process is None and self._backoff.is_due():
            try:
                self._process = postgres.start(self._server)
            except RecordsError as error:
                self._backoff.died(0.0)
                self._restarted("postgres", None, f"was down and did not start: {error}")
                return
            self._since = time.monotonic()
            self._restarted("postgres", self._process.pid, "was down")

    def stop(self) -> None:
        if self._server is not None and not postgres.stop(self._server.data):
            raise RecordsError(f"PostgreSQL did not stop; see {self._server.log}")

    def bound_log(self) -> None:
        if self._server is not None:
            bound_log(self._server.log)

    @property
    def log(self) -> Path:
        return self._installation.logs / "postgres.log"
