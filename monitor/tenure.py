"""One observer while it holds its scope: from taking the lease until it is lost or let go of.

A loop takes what is due; looks run beside each other in a bounded pool. What it remembers – absences seen once,
failures in a row, what a listing showed last – only saves or asks for looks, so a successor begins without it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import structlog

from activities.parts import Parts
from domain.errors import ProviderError
from domain.glimpses import Compared, Glimpse
from domain.health import PROBE_SECONDS, Pulse
from domain.lifecycle import Status
from domain.work import Seen
from monitor.absences import Absences
from monitor.agenda import Agenda
from monitor.fleet import Fleet
from monitor.lens import Lens, Sighting, StopAgain, look_again_after
from monitor.strays import Strays
from monitor.stream import Stream
from providers.base import Provider
from services.watching.first_health import PAGE, note_first_health
from services.watching.fleets import projects_of, read_rows
from services.watching.looks import Look, Written
from services.watching.observers import (
    OUTAGE_SAYS,
    Lease,
    Report,
    freshen,
    note_outage,
    note_outage_over,
    renew,
)

log = structlog.get_logger("monitor")
LOOKS_AT_ONCE = 6
"""Of one scope: a place that answers slowly holds up no other."""
_ROWS_SECONDS = 1.0
_HANGS_AFTER = 60.0
_EMPTY_SECONDS = 60.0
_JITTER = 0.15


@dataclass
class Tenure:
    """`run` is the observer's own thread; `renew` is called by another, so that a slow listing costs no lease."""

    parts: Parts
    lease: Lease
    stop_again: StopAgain
    trouble: str | None = None
    """What the observer before it had to say."""
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.agenda = Agenda()
        self.fleet = Fleet(self.agenda.ring)
        self.lens = Lens(self.parts, self.lease, self.stop_again)
        self.stream = Stream(self.lease.scope, self._watch, self.agenda.told, self.ended)
        self._pool = ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix=f"look-{self.lease.scope}")
        self._report = Report(trouble=self.trouble)
        self._fulls = self._fulls_told = 0
        self._alive_at = time.monotonic()
        self._absences = Absences()
        self._unseen: set[str] = set()
        self._pulses: dict[str, Pulse] = {}
        self._outage = self._outage_told = (self.trouble or "").startswith(OUTAGE_SAYS)
        self._strays = Strays(self.parts.database, self.lease)
        self._fresh_at = float("-inf")

    def run(self) -> None:
        """Until `ended` is set, by whoever lost or stopped it."""
        self.stream.start()
        next_rows = next_full = 0.0
        while not self.ended.is_set():
            now = self._alive_at = time.monotonic()
            if now >= next_rows:
                self._careful(self._read_rows)
                next_rows = now + _ROWS_SECONDS
            if self.agenda.take_everything() or now >= next_full:
                self._careful(self.compare)
                next_full = time.monotonic() + self._pause()
            for instance_id in self.agenda.take(LOOKS_AT_ONCE):
                self._pool.submit(self._examine, instance_id)
            if self.fleet and next_full - time.monotonic() > PROBE_SECONDS:
                next_full = now  # it was empty until now
            self.agenda.wait(min(next_rows, next_full))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def renew(self) -> None:
        """Keep the lease while the loop lives; end where another has taken it."""
        if time.monotonic() - self._alive_at > _HANGS_AFTER:
            log.error("observer hangs; its scope is left to another", scope=self.lease.scope)
            self.end()
            return
        fulls = self._fulls
        told = replace(self._report, full=fulls > self._fulls_told)
        report = replace(told, streaming=self.stream.tells, watched=len(self.fleet))
        with self.parts.database.begin() as tx:
            ours = renew(tx, self.lease, report)
        if not ours:
            log.warning("another observes", scope=self.lease.scope, epoch=self.lease.epoch)
            self.end()
        self._fulls_told = fulls

    def end(self) -> None:
        """Ask the loop, the stream and what waits to stop."""
        self.ended.set()
        self.agenda.ring(None)

    @property
    def _provider(self) -> Provider:
        return self.parts.providers[self.lease.spot.provider]

    def _watch(self) -> Provider:
        return self._provider

    def _pause(self) -> float:
        """Until the next listing. Where there is nothing to watch, only strays could be found."""
        if not self.fleet:
            return _EMPTY_SECONDS
        try:
            seconds = PROBE_SECONDS if self.stream.tells else min(PROBE_SECONDS, self._provider.glance_seconds)
        except ProviderError:
            seconds = PROBE_SECONDS
        return seconds * random.uniform(1 - _JITTER, 1)  # noqa: S311 - spreads load, keeps no secret

    def _careful(self, work: Callable[[], None]) -> None:
        """Nothing that goes wrong once may end the watching."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - without its loop an observer only seems to watch
            log.warning("observer goes on later", scope=self.lease.scope, error=type(error).__name__)

    def _read_rows(self) -> None:
        since, again = self.fleet.plan()
        with self.parts.database.begin() as tx:
            rows = read_rows(tx, self.lease.spot, since, again)
        self.fleet.take(rows)

    def compare(self) -> None:
        """Rows first, then the listing: what was made meanwhile is a stray at most, and asked for again."""
        self._read_rows()
        listing = self._listed()
        if listing is None:
            return
        compared = self.fleet.compare(listing, self._absences.ids())
        self._note_outage(compared)
        self._note_first(compared)
        for instance_id in compared.look:
            self.agenda.ring(instance_id)
        if not self._outage:
            self._strays.note(compared.strays)
        self._report = replace(self._report, orphans=len(compared.strays))
        self._fulls += 1
        if len(self.agenda.under_way(_HANGS_AFTER)) >= LOOKS_AT_ONCE:
            self._blind(f"none of its looks has ended for {_HANGS_AFTER:.0f} s")
        elif not self._outage and time.monotonic() - self._fresh_at > PROBE_SECONDS * (1 - _JITTER) - 1:
            self._fresh_at = time.monotonic()
            self._freshen(set(compared.look))
            self._plan_probes()

    def _listed(self) -> list[Glimpse] | None:
        try:
            return list(self._provider.glance())
        except ProviderError as error:
            self._blind(error.message)
        except Exception as error:  # noqa: BLE001 - a provider's bug costs its listing, and that is said
            self._blind(f"its listing cannot be read ({type(error).__name__})")
        return None

    def _blind(self, why: str) -> None:
        """What nobody sees grows old; `why` is shown beside it."""
        if self._report.trouble != why:
            log.warning("nothing is seen", scope=self.lease.scope, reason=why)
        self._report = replace(self._report, trouble=why)

    def _note_outage(self, compared: Compared) -> None:
        spot, trouble = self.lease.spot, None
        self._outage = compared.outage
        if compared.outage:
            trouble = f"{OUTAGE_SAYS} {len(compared.missing)} of {compared.expected} instances at once"
        self._report = replace(self._report, trouble=trouble)
        if self._outage == self._outage_told:
            return
        log.warning("outage" if self._outage else "outage is over", scope=self.lease.scope, reason=trouble)
        with self.parts.database.begin() as tx:
            projects = projects_of(tx, spot)
            if trouble is not None:
                note_outage(tx, self.lease, trouble, projects)
            else:
                note_outage_over(tx, self.lease, projects)
        self._outage_told = self._outage
        self.fleet.read_anew()
        self._unseen.clear()  # nobody's health is known now
        self.agenda.ring(None)

    def _note_first(self, compared: Compared) -> None:
        """A health that nobody knows: what is up is healthy, unless Berth itself can ask it whether it serves."""
        if self._outage:
            return
        for state, rows in compared.first.items():
            if self._provider.probes:
                compared.look.extend(row.id for row in rows)
                continue
            for at in range(0, len(rows), PAGE):
                if self.ended.is_set():
                    return
                with self.parts.database.begin() as tx:
                    versions = note_first_health(tx, self.lease, state, rows[at : at + PAGE])
                self.fleet.became_healthy(versions)

    def _freshen(self, but: set[str]) -> None:
        but |= self._absences.ids() | self.agenda.under_way() | self._unseen
        after: str | None = ""
        while after is not None and not self.ended.is_set():
            with self.parts.database.begin() as tx:
                after = freshen(tx, self.lease, after, but)

    def _plan_probes(self) -> None:
        """Where Berth itself asks whether an instance serves: each once in the time, none of them at once."""
        if not self._provider.probes:
            return
        for instance_id in self.fleet.ids(lambda row: row.status is Status.RUNNING and not row.busy):
            self.agenda.ring(instance_id, random.uniform(0, PROBE_SECONDS * (1 - _JITTER)))  # noqa: S311

    def _examine(self, instance_id: str) -> None:
        """One direct look, in a thread of the pool."""
        try:
            if not self.ended.is_set() and not self._outage:  # a place in doubt is believed in nothing
                self._careful(lambda: self.look(instance_id))
        except Exception as error:  # noqa: BLE001 - one instance's trouble must not stop the others
            log.error("look failed", instance=instance_id, error=type(error).__name__)
        finally:
            self.agenda.done(instance_id)

    def look(self, instance_id: str) -> None:
        sighting = self.lens.read(instance_id)
        if sighting is None:
            self.fleet.forget(instance_id)
            self._forget(instance_id)
            return
        before = sighting.before
        if before.busy:
            self._forget(instance_id)  # what an operation leaves begins anew
            return
        look = self.lens.look(sighting)
        if look.seen is Seen.ABSENT:
            gap = self._absences.ask_again(before, self._provider.consistency_seconds)
            if gap is not None:
                self.agenda.ring(instance_id, gap)
                return
        pulse = self._pulses.get(instance_id, Pulse(before.health))
        if pulse.health is not before.health:
            pulse = Pulse(before.health)
        written = self.lens.note(sighting, pulse, look)
        self._remember(sighting, look, written)

    def _remember(self, sighting: Sighting, look: Look, written: Written) -> None:
        before = sighting.before
        if look.seen is not Seen.ABSENT or written.stood:
            self._absences.forget(before.id)
        if not written.stood:
            self.agenda.ring(before.id, 0.05)
            return
        self.fleet.looked(before, look.observation, written)
        if look.seen is Seen.NO_EVIDENCE:
            self._unseen.add(before.id)  # a listing that shows it says less than the look that failed
        else:
            self._unseen.discard(before.id)
        if written.pulse.steady:
            self._pulses.pop(before.id, None)
        else:
            self._pulses[before.id] = written.pulse
        asked = self.lens.follow_up(sighting, written, look)
        again = PROBE_SECONDS if asked is None else look_again_after(sighting, look, written)
        if not asked and again is not None:
            self.agenda.ring(before.id, again)

    def _forget(self, instance_id: str) -> None:
        self._absences.forget(instance_id)
        self._unseen.discard(instance_id)
        self._pulses.pop(instance_id, None)
