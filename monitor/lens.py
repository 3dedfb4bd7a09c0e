"""One direct look at one instance, in three moves: read the row, look at the object, write what may be written.

Between any two of them anything can happen: the version that was read decides whether the third one counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from activities.databases import database_access
from activities.parts import Parts
from db.models import Instance
from db.session import Tx
from domain.errors import ProviderError, Refused
from domain.health import PROBE_SECONDS, Pulse
from domain.lifecycle import Health, Status
from domain.work import Observation, Seen, Work
from services.operations.works import granted, load_work
from services.watching.looks import Look, Watched, Written, note_look, watched
from services.watching.observers import Lease
from services.watching.restart_policy import may_want_later, start_by_policy, wants_start

log = structlog.get_logger("monitor")
_PROBE_SECONDS = 2.0
_LONGEST_COMPLAINT = 300
_AGAIN_SECONDS = 3.0
"""Between two looks at what just began to fail or to recover."""
_POLICY_SECONDS = 1.0
"""Between two looks at what a restart policy may start when its back-off is over."""

StopAgain = Callable[[Tx, str], object | None]
"""Accepts the stop of an instance that runs against a hold; None when it cannot be stopped now."""


@dataclass(frozen=True)
class Sighting:
    """A row as it was read, and what its provider needs to look."""

    before: Watched
    work: Work


class Lens:
    """Looks on behalf of one lease."""

    def __init__(self, parts: Parts, lease: Lease, stop_again: StopAgain) -> None:
        self._parts = parts
        self._lease = lease
        self._stop_again = stop_again

    def read(self, instance_id: str) -> Sighting | None:
        """The row, before the look. None: no record lives."""
        parts = self._parts
        with parts.database.begin() as tx:
            row = tx.session.get(Instance, instance_id)
            if row is None:
                return None
            before = watched(tx, row)
            spec = row.applied_spec or {"params": {}, "resources": {}}
            work = load_work(tx, parts.vault, parts.server_id, row, spec)
            database = granted(tx, parts.vault, parts.server_id, row.deployment_id)
        reached = database_access(database, parts)
        return Sighting(before, replace(work, recipes=parts.blueprints[work.blueprint], database=reached))

    def look(self, sighting: Sighting) -> Look:
        """At its provider, now; and where it is up and should serve, through the blueprint's probe."""
        provider, work = self._parts.providers[self._lease.spot.provider], sighting.work
        try:
            found = provider.observe(work)
        except ProviderError as error:
            return Look(Observation(Seen.NO_EVIDENCE, "unknown", detail=error.message))
        if not (provider.probes and found.seen is Seen.UP and sighting.before.status is Status.RUNNING):
            return Look(found)
        try:
            self._parts.blueprints[work.blueprint].probe(work, _PROBE_SECONDS)
        except ProviderError as error:
            return Look(found, work.masked(error.message)[:_LONGEST_COMPLAINT])
        return Look(found)

    def note(self, sighting: Sighting, pulse: Pulse, look: Look) -> Written:
        """Write it, and say in the log what was kept against what was seen."""
        before = sighting.before
        with self._parts.database.begin() as tx:
            written = note_look(tx, self._lease, before, pulse, look)
        told = {"instance": before.id, "status": before.status.value, "seen": look.seen.value}
        if written.told == "OBSERVED":
            log.info("status follows what was seen", **told, becomes=written.status.value)
        elif written.told in {"DRIFT", "SUSPENDED_RUNNING"}:
            log.warning("status kept against what was seen", **told, detail=look.observation.detail)
        return written

    def follow_up(self, sighting: Sighting, written: Written, look: Look) -> bool | None:
        """Ask for what follows from a look: a stop of what runs against a hold, a start by policy.

        Whether anything was asked for; None: it was refused, and will be for a while.
        """
        before = sighting.before
        if written.verdict.stop_again:
            return self._ask("stopped again", before, lambda tx: self._stop_again(tx, before.id))
        if wants_start(before, written.status, look.observation):
            return self._ask("started by restart policy", before, lambda tx: start_by_policy(tx, before))
        return False

    def _ask(self, what: str, before: Watched, ask: Callable[[Tx], object | None]) -> bool | None:
        try:
            with self._parts.database.begin() as tx:
                asked = ask(tx) is not None
        except Refused as refusal:
            log.info(f"not {what}", instance=before.id, why=refusal.message)
            return None
        if asked:
            log.info(what, instance=before.id, restarts=before.restarts)
        return asked


def look_again_after(sighting: Sighting, look: Look, written: Written) -> float | None:
    """When to look again without being woken; None: not before something wakes."""
    if look.seen is Seen.NO_EVIDENCE:
        return PROBE_SECONDS
    if may_want_later(sighting.before, written.status):
        return _POLICY_SECONDS
    fails = written.status is Status.RUNNING and written.pulse.health in {Health.UNREACHABLE, Health.DEGRADED}
    return _AGAIN_SECONDS if fails or not written.pulse.steady or written.verdict.stop_again else None
