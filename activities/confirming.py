"""The poll for a confirmation: looks at the provider until it shows the end of a step that it has only accepted.

It has a task queue of its own and holds a thread only while it looks, so that hundreds can wait at once and no
command queues behind them. A claim from elsewhere wakes it: it looks at once, and the first verified look settles.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from temporalio import activity

from activities.calls import seconds_left
from activities.contracts import StepInput, StepResult
from activities.failures import AWAY, as_temporal_failures
from activities.loading import load, owner_of, provider_of
from activities.parts import Parts
from activities.proof import Proof, Verdict
from domain.errors import ProviderError, ProviderErrorKind, TimedOut
from domain.lifecycle import Operation, Status
from domain.limits import LOOK_SECONDS
from domain.operations import ConfirmationMethod
from domain.work import Observation, Outcome, Seen
from services.operations.confirmations import Claim, claims, poll_evidence, unverified
from services.operations.fence import Owner
from services.operations.settlement import settle_step
from services.operations.steps import StepWork, load_step, say
from system.tracing import in_context

T = TypeVar("T")
_HEARTBEAT_EVERY = 2.0
_CHECK_EVERY = 5.0
"""How often the records are asked whether the step is still to be waited for, when nobody tells."""
_JITTER = 0.2
_LONGEST_MARGIN = 2.0
"""The poll ends itself so long before its time is over, to say what it saw last."""
_LEAST_LOOKS = 3
_WANTED = {
    Operation.CREATE: Seen.UP,
    Operation.START: Seen.UP,
    Operation.RESTART: Seen.UP,
    Operation.STOP: Seen.DOWN,
    Operation.SUSPEND: Seen.DOWN,
    Operation.DELETE: Seen.ABSENT,
}
_WORDS = {Seen.UP: Status.RUNNING, Seen.DOWN: Status.STOPPED, Seen.ABSENT: "gone"}


class ConfirmActivities:
    """Composed by the worker, like `InstanceActivities`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @activity.defn
    async def confirm_instance(self, given: StepInput) -> StepResult:
        """Poll the provider until it shows the end state of an accepted step."""
        beating = asyncio.create_task(_beat())
        try:
            with as_temporal_failures():
                await _Poll(self._parts, given).run()
        finally:
            beating.cancel()
        return StepResult(confirmed=True)


class _Poll:
    """One wait of one step. Runs on the event loop; looks and records are blocking and run in a pool."""

    def __init__(self, parts: Parts, given: StepInput) -> None:
        self._parts = parts
        self._owner: Owner = owner_of(given.owner)
        self._instance_id = given.instance_id
        left = seconds_left()
        self._total = given.within_seconds or left
        self._deadline = time.monotonic() + left - min(_LONGEST_MARGIN, 0.2 * left)
        self._said: str | None = None
        self._shown: Observation | None = None
        """The last look that showed anything: a last one without an answer must not hide the cause."""
        self._checked_at = time.monotonic()
        self._claims: list[Claim] = []
        """Those that came before the look: what it shows verifies them, or they are spent."""
        self._spent: set[Claim] = set()

    async def run(self) -> None:
        # Listening begins before the claims are read: one that comes in between would wait for the usual turn.
        with self._parts.wakes.watch(self._owner.operation_id) as woken:
            step = await self._in_pool(self._load)
            provider = provider_of(self._parts, step)
            proof = Proof(wanted(step), provider.consistency_seconds)
            while not step.settled:
                look = await self._look(step)
                if look.seen is not Seen.NO_EVIDENCE:
                    self._shown = look
                verdict = proof.add(look, time.monotonic())
                if verdict is Verdict.SHOWN and await self._settled(step, look):
                    return
                self._spend(step, look)
                if verdict is Verdict.GONE:
                    why = f": {look.detail}" if look.detail else "; it was accepted, and then nothing was found"
                    raise ProviderError(
                        ProviderErrorKind.NOT_FOUND, f"{step.work.name} is gone from its provider{why}"
                    )
                await self._say(look)
                if time.monotonic() >= self._deadline:
                    await self._end(step, proof, look)
                    return
                usual = provider.poll_seconds * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spread
                step = await self._pause(step, woken, proof.wait(usual, time.monotonic()))

    async def _look(self, step: StepWork) -> Observation:
        """One look, cut by its own time-out. What may pass by itself is no evidence; what does not is raised."""
        seconds = max(0.1, min(LOOK_SECONDS, self._deadline - time.monotonic()))
        provider = provider_of(self._parts, step)
        try:
            async with asyncio.timeout(seconds):
                return await self._in_pool(lambda: provider.observe(step.work))
        except TimeoutError:
            detail = f"no answer from {step.provider} within {seconds:.0f} s"
            return Observation(Seen.NO_EVIDENCE, "unknown", detail=detail)
        except ProviderError as error:
            if not error.retryable:
                raise
            return Observation(Seen.NO_EVIDENCE, "unknown", detail=error.message)

    async def _pause(self, step: StepWork, woken: asyncio.Event, seconds: float) -> StepWork:
        """Wait for the next turn, a wake-up or the deadline; the step, looked up again when it is time to."""
        left = max(0.0, min(seconds, self._deadline - time.monotonic()))
        with suppress(TimeoutError):
            async with asyncio.timeout(left):
                await woken.wait()
        told = woken.is_set()
        woken.clear()
        if not told and time.monotonic() - self._checked_at < _CHECK_EVERY:
            return step
        self._checked_at = time.monotonic()
        try:
            return await self._in_pool(self._load)
        except AWAY:  # the records are away: they are asked again, and nothing is settled without them
            return step

    async def _settled(self, step: StepWork, look: Observation) -> bool:
        """Whether the end could be recorded. While the records are away the poll goes on."""
        try:
            await self._in_pool(lambda: self._settle(step, look))
        except AWAY:
            if time.monotonic() >= self._deadline:
                raise
            return False
        return True

    def _load(self) -> StepWork:
        step = load(self._parts, load_step, self._owner, self._instance_id)
        with self._parts.database.begin() as tx:
            self._claims = claims(tx, self._owner.operation_id, self._instance_id)
        return step

    def _spend(self, step: StepWork, look: Observation) -> None:
        """What a look with an answer did not show was a false claim, whatever a later one shows."""
        if look.seen not in {Seen.NO_EVIDENCE, wanted(step)} and look.certain:
            self._spent.update(self._claims)

    def _settle(self, step: StepWork, look: Observation) -> None:
        outcome = Outcome(True, look.provider_state, look.provider_id, look.endpoint, zone=look.zone)
        evidence = poll_evidence(step.provider, outcome, by_agent=self._parts.by_agent)
        claim = next((claim for claim in self._claims if claim not in self._spent), None)
        if claim is not None:
            evidence = replace(evidence, source=claim.source, method=ConfirmationMethod.EXTERNAL)
        with self._parts.database.begin() as tx:
            settle_step(tx, self._owner, self._instance_id, step.attempt, evidence)

    async def _end(self, step: StepWork, proof: Proof, look: Observation) -> None:
        """The time is over. A claim decides alone only where the provider could not be asked once.

        Raises `TimedOut`, with what was seen last.
        """
        blind = proof.blind and proof.looks >= _LEAST_LOOKS and step.verb is not Operation.DELETE
        if blind and await self._in_pool(lambda: self._settle_unverified(step, look)):
            return
        shown = self._shown or look
        why = shown.detail or f"its provider shows it {shown.provider_state}"
        raise TimedOut(f"{step.work.name} was not {_WORDS[wanted(step)]} within {self._total:g} s: {why}")

    def _settle_unverified(self, step: StepWork, look: Observation) -> bool:
        with self._parts.database.begin() as tx:
            found = claims(tx, self._owner.operation_id, self._instance_id)
            if not found:
                return False
            settle_step(tx, self._owner, self._instance_id, step.attempt, unverified(look, found[0]))
        return True

    async def _say(self, look: Observation) -> None:
        """Show people why it is not there yet, when that has changed."""
        text = look.detail
        if text is None or text == self._said:
            return
        self._said = text
        with suppress(*AWAY):
            await self._in_pool(lambda: self._write(text))

    def _write(self, text: str) -> None:
        with self._parts.database.begin() as tx:
            say(tx, self._owner, self._instance_id, text)

    async def _in_pool(self, work: Callable[[], T]) -> T:
        return await _in(self._parts.polls, work)


def wanted(step: StepWork) -> Seen:
    """What the provider shows when the step has reached its end."""
    if step.verb is Operation.UNSUSPEND:
        return Seen.UP if step.resumes_up else Seen.DOWN
    usual = Seen.DOWN if step.before == Status.STOPPED else Seen.UP
    return _WANTED.get(step.verb, usual)


async def _in(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, in_context(work))


async def _beat() -> None:
    """Tell the server that the poll lives; its answer brings the cancel."""
    while True:
        activity.heartbeat()
        await asyncio.sleep(_HEARTBEAT_EVERY)
