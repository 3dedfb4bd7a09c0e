"""Create: why no machine is made twice.

1. Look first, by tags over all states and by the recorded id, and adopt what is found.
2. Launch with a ClientToken that is the same for every attempt in this zone: a repeat that reaches EC2 returns the
   machine of the first.
3. After an answer that leaves it open – a time-out, a lost connection, a 5xx – look; wait until EC2 must show what
   it made; look again; only then launch again. This holds where the token counts for nothing, too. What was left
   open is remembered, so that the next attempt waits out the rest.
4. Another zone has another token, which protects from nothing: it is tried only after a definite no, and after two
   looks further apart than EC2's consistency window. Where several zones are possible, every attempt but the first
   waits that long before it launches at all: the one before may have launched in any of them, and died. So does a
   worker that has just started, and an operation that makes what an earlier one has failed to make.

Several found nevertheless: the recorded one stays, or else the oldest; the others are terminated, and it is said.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Call, Outcome, Seen, Work
from providers.base import PreviousGone
from providers.ec2.api import Api
from providers.ec2.errors import Ec2Error
from providers.ec2.finding import Finder, Found, refuse_strangers
from providers.ec2.images import Images
from providers.ec2.looks import Looks
from providers.ec2.options import Options
from providers.ec2.request import client_token, launch_request, recipe_of, zones_of
from providers.ec2.sight import RUNNING, STOPPED, STOPPING, Machine, answered_at, machines_in, observation_of

_LOOKS_PER_WINDOW = 5


class OpenLaunches:
    """Launches of this process whose result is not known, by instance and generation, until EC2 must show them."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._lock = threading.Lock()
        self._sent: dict[tuple[str, int], float] = {}

    def left_open(self, work: Work) -> None:
        now = time.monotonic()
        with self._lock:
            self._sent = {key: at for key, at in self._sent.items() if now - at <= self._window}
            self._sent[work.instance_id, work.identity.generation] = now

    def settled(self, work: Work) -> None:
        with self._lock:
            self._sent.pop((work.instance_id, work.identity.generation), None)

    def since(self, work: Work) -> float | None:
        """When the last one was sent that may still show up."""
        with self._lock:
            at = self._sent.get((work.instance_id, work.identity.generation))
        return at if at is not None and time.monotonic() - at <= self._window else None


@dataclass(frozen=True)
class Tools:
    """What every verb works with, made once per provider."""

    api: Api
    looks: Looks
    finder: Finder
    images: Images
    options: Options
    launches: OpenLaunches
    opened: float
    """When this provider was opened, by the monotonic clock."""


class Creation:
    """One attempt to make one instance exist."""

    def __init__(self, tools: Tools, work: Work, call: Call) -> None:
        self._tools = tools
        self._work = work
        self._call = call
        self._absent_since: float | None = None
        """When an unbroken absence began to be seen."""

    def run(self) -> Outcome:
        adopted = self._adopt()
        if adopted is not None:
            return adopted
        proof = self._proof_needed()
        if proof is not None:
            adopted = self._wait_out(proof)
            if adopted is not None:
                return adopted
        return self._in_turn()

    def _proof_needed(self) -> float | None:
        """Until when absence must be seen before the first launch; None: its token alone protects it."""
        options, now = self._tools.options, time.monotonic()
        several = len(zones_of(recipe_of(self._work), options)) > 1
        last_launches = []
        left_open = self._tools.launches.since(self._work)
        if left_open is not None:
            last_launches.append(left_open)
        elif not options.client_tokens:
            last_launches.append(now)
        if several:
            last_launches.append(self._tools.opened)
        unprotected = several or not options.client_tokens
        if self._work.tried_before or (unprotected and self._call.attempt != 1):
            # An attempt that is over asks the fence before it sends; what it has sent by then arrives this late.
            last_launches.append(now + options.call_seconds)
        until = max(last_launches, default=0.0) + options.consistency_seconds
        return until if last_launches and until > now else None

    def _in_turn(self) -> Outcome:
        options = self._tools.options
        recipe = recipe_of(self._work)
        refusals: list[tuple[str, Ec2Error]] = []
        for zone in zones_of(recipe, options):
            if refusals:
                adopted = self._wait_out(self._absence_proven_at())
                if adopted is not None:
                    return adopted
            request = launch_request(self._work, recipe, zone, options, self._tools.images)
            try:
                return self._launch(zone, request)
            except Ec2Error as error:
                if not error.elsewhere:
                    raise
                refusals.append((zone or "any zone", error))
                self._call.progress(f"{zone or 'EC2'}: {error.message}")
        raise _nowhere(self._work, refusals)

    def _launch(self, zone: str | None, request: dict[str, Any]) -> Outcome:
        """In one zone, a second time only after the first is proven to have made nothing."""
        token = client_token(self._work, zone)
        try:
            return self._send(token, request)
        except Ec2Error as error:
            mismatch = error.aws_code == "IdempotentParameterMismatch"
            if not (error.may_have_happened or mismatch):
                raise
            self._call.progress(f"{error.message}; looking whether it was done")
        adopted = self._wait_out(self._absence_proven_at())
        if adopted is not None:
            return adopted
        # A mismatch: an earlier attempt, which made nothing, asked for something else under this token.
        return self._send(client_token(self._work, zone, request) if mismatch else token, request)

    def _send(self, token: str, request: dict[str, Any]) -> Outcome:
        launches = self._tools.launches
        try:
            answer = self._tools.api.change("RunInstances", self._call, ClientToken=token, **request)
        except Ec2Error as error:
            if error.may_have_happened:
                launches.left_open(self._work)
            raise
        launches.settled(self._work)
        (machine,) = machines_in(answer, answered_at(answer))
        if not machine.alive:  # EC2 remembers the token longer than it shows the machine that had it
            raise PreviousGone(self._work.name)
        return _outcome(machine, confirmed=False)

    def _absence_proven_at(self) -> float:
        """When EC2 must show all that was launched before the first look, or left open since."""
        began = max(self._absent_since or time.monotonic(), self._tools.launches.since(self._work) or 0.0)
        return began + self._tools.options.consistency_seconds

    def _wait_out(self, until: float) -> Outcome | None:
        """Look until then, and adopt what shows up; None when nothing does."""
        window = self._tools.options.consistency_seconds
        while True:
            last = time.monotonic() >= until
            adopted = self._adopt()
            if adopted is not None or last:
                return adopted
            self._call.progress("making sure that no machine of it exists")
            self._call.sleep(max(0.01, min(window / _LOOKS_PER_WINDOW, until - time.monotonic() + 0.01)))

    def _adopt(self) -> Outcome | None:
        """Take what exists; None when nothing does."""
        began = time.monotonic()
        found = self._tools.finder.find(self._work)
        if found.alive:
            return self._keep(found)
        refuse_strangers(self._work, found)
        if found.dying is not None:
            raise ProviderError(
                ProviderErrorKind.NOT_READY,
                f"the former machine of {self._work.name}, {found.dying.id}, is still shutting down",
                retry_after=self._tools.options.poll_seconds,
            )
        if found.terminated is not None:
            raise PreviousGone(self._work.name)
        if self._absent_since is None:
            self._absent_since = began
        return None

    def _keep(self, found: Found) -> Outcome:
        kept, *rest = found.alive
        note = None
        if rest:
            ids = [one.id for one in rest]
            self._tools.api.change("TerminateInstances", self._call, InstanceIds=ids)
            note = (
                f"{len(found.alive)} machines carried this instance's id; kept {kept.id}, ended {', '.join(ids)}"
            )
        self._tools.launches.settled(self._work)
        if kept.state == STOPPING:
            raise ProviderError(
                ProviderErrorKind.NOT_READY,
                f"{kept.id} is stopping; it is started once it has stopped",
                retry_after=self._tools.options.poll_seconds,
            )
        if kept.state == STOPPED:
            self._tools.api.change("StartInstances", self._call, InstanceIds=[kept.id])
            return _outcome(kept, confirmed=False, note=note)
        return _outcome(kept, confirmed=is_up(self._tools.looks, kept), note=note)


def is_up(looks: Looks, machine: Machine) -> bool:
    """Whether EC2 shows it running, as `observe` would say."""
    if machine.state != RUNNING:
        return False
    return observation_of(machine, looks.checks(machine.id)).seen is Seen.UP


def _outcome(machine: Machine, *, confirmed: bool, note: str | None = None) -> Outcome:
    return Outcome(
        confirmed,
        machine.state,
        provider_id=machine.id,
        endpoint=machine.endpoint if confirmed else None,
        note=note,
        zone=machine.zone,
    )


def _nowhere(work: Work, refusals: list[tuple[str, Ec2Error]]) -> ProviderError:
    kinds = [error.kind for _, error in refusals]
    kind = ProviderErrorKind.NO_CAPACITY if ProviderErrorKind.NO_CAPACITY in kinds else kinds[0]
    said = "; ".join(f"{zone}: {error.message}" for zone, error in refusals)
    return ProviderError(kind, f"no zone takes {work.name}: {said}")
