"""Every scope that this worker could observe: it takes what nobody holds, keeps it, and lets go at the end.

A provider bound to a host is observed by a worker of that host; any other by whichever worker comes first.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Sequence

import structlog
from ulid import ULID

from activities.parts import Parts
from monitor.lens import StopAgain
from monitor.tenure import Tenure
from services.watching.observers import RENEW_SECONDS, release, take, trouble_of
from services.watching.orphans import Spot

log = structlog.get_logger("monitor")
_END_SECONDS = 5.0


class Monitor:
    """`spots` says what could be observed from here at the moment."""

    def __init__(
        self, parts: Parts, name: str, spots: Callable[[], Sequence[Spot]], stop_again: StopAgain
    ) -> None:
        self._parts = parts
        self._holder = f"{name} pid {os.getpid()} {str(ULID()).lower()}"
        self._spots = spots
        self._stop_again = stop_again
        self._stopping = threading.Event()
        self._tenures: dict[Spot, tuple[Tenure, threading.Thread]] = {}
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End every tenure and let go of its scope, so that another takes it at once."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_END_SECONDS)
        for tenure, _ in self._tenures.values():
            tenure.end()
        for tenure, thread in self._tenures.values():
            thread.join(_END_SECONDS)
            self._careful(lambda tenure=tenure: self._release(tenure))  # type: ignore[misc]

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._careful(self._round)
            self._stopping.wait(RENEW_SECONDS * random.uniform(0.4, 0.6))  # noqa: S311 - spreads load

    def _round(self) -> None:
        spots = self._spots()
        for spot, (tenure, thread) in list(self._tenures.items()):
            if spot not in spots:  # its provider is not configured here any more
                tenure.end()
                self._careful(lambda tenure=tenure: self._release(tenure))  # type: ignore[misc]
            if thread.is_alive() and not tenure.ended.is_set():
                self._careful(tenure.renew)
            else:
                del self._tenures[spot]
        for spot in spots:
            if spot not in self._tenures and not self._stopping.is_set():
                self._careful(lambda spot=spot: self._take(spot))  # type: ignore[misc]

    def _take(self, spot: Spot) -> None:
        with self._parts.database.begin() as tx:
            lease = take(tx, spot, self._holder)
            trouble = trouble_of(tx, spot) if lease is not None else None
        if lease is None:
            return
        log.info("observes", scope=lease.scope, epoch=lease.epoch)
        tenure = Tenure(self._parts, lease, self._stop_again, trouble)
        thread = threading.Thread(target=tenure.run, name=f"observe-{lease.scope}", daemon=True)
        self._tenures[spot] = (tenure, thread)
        thread.start()

    def _release(self, tenure: Tenure) -> None:
        with self._parts.database.begin() as tx:
            release(tx, tenure.lease)

    def _careful(self, work: Callable[[], None]) -> None:
        """A database that is away costs a round, and with it perhaps the lease, never the monitor."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - without this thread nothing is observed from here: it goes on
            log.warning("monitor goes on later", error=type(error).__name__)
