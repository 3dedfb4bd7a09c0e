"""Questions to a provider through its worker. The API itself never calls a provider.

Each is one standalone Temporal activity on the provider's queue with a short deadline: no worker, no answer.
Question and answer are sealed, for others can reach Temporal too.
A queue from which nobody took a question is not asked again for a moment, so that reads stay fast while a
worker is away. Who has more patience than whoever asked in vain is not refused for it: a slow worker is not an
absent one.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from temporalio.client import ActivityFailureError, Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, TimeoutType
from temporalio.exceptions import TimeoutError as ActivityTimeoutError
from temporalio.service import RPCError
from ulid import ULID

from db.vault import Vault
from domain.errors import BerthError, Refused, Unavailable
from domain.help import HELP
from domain.lifecycle import Status
from domain.work import Seen
from services.operations.planning import task_queue

log = structlog.get_logger("api")
LOOK_SECONDS = 2.0
ASK_SECONDS = 10.0
SWEEP_SECONDS = 55.0
ANSWER_SECONDS = 60
_TO_TELL = timedelta(seconds=0.5)
"""Later than the end of waiting for a worker, so that the two are told apart."""
_QUIET_SECONDS = 5.0
_KEPT_SECONDS = 1.0
_MOST_LOOKS = 1_000
_ENDING = "WorkerShutdown"
"""What Temporal says of a question that a worker had when it ended."""
_SEEN = {Seen.UP: Status.RUNNING, Seen.DOWN: Status.STOPPED}

Answer = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a provider is reached."""

    provider: str
    host_id: str | None = None

    @property
    def queue(self) -> str:
        """The task queue of the worker that can call it."""
        return task_queue(self.provider, self.host_id)


@dataclass(frozen=True)
class Silence:
    """A queue did not answer within so many seconds; for a moment nobody waits there for as little."""

    seconds: float
    until: float = field(default_factory=lambda: time.monotonic() + _QUIET_SECONDS)

    def holds(self, patience: float) -> bool:
        """Whether a question with so much patience would be in vain."""
        return patience <= self.seconds and time.monotonic() < self.until


@dataclass(frozen=True)
class Look:
    """What was seen, None where nobody answered in time; `at`: what happened since is not in it."""

    at: datetime
    answer: Answer | None
    kept_at: float = field(default_factory=time.monotonic)


@dataclass
class Asks:
    """Built once. Its methods belong to the event loop; `from_thread` is for routes that run in a thread."""

    client: Client
    vault: Vault
    loop: asyncio.AbstractEventLoop
    _silences: dict[str, Silence] = field(default_factory=dict)
    _looks: dict[str, Look] = field(default_factory=dict)

    async def look(self, instance_id: str, place: Place) -> Look:
        """One look at the real object, at most a second old."""
        kept = self._looks.get(instance_id)
        if kept is not None and time.monotonic() - kept.kept_at < _KEPT_SECONDS:
            return kept
        at, answer = datetime.now(UTC), None
        try:
            answer = await self._ask("observe_instance", {"instance_id": instance_id}, place, LOOK_SECONDS)
        except Refused as error:
            log.debug("nobody looked", instance=instance_id, why=error.message)
        if len(self._looks) >= _MOST_LOOKS:
            self._looks.clear()
        self._looks[instance_id] = look = Look(at, answer)
        return look

    async def inventory(self, place: Place) -> list[Answer]:
        """Everything that the provider holds there. Raises `Unavailable`."""
        answer = await self._ask("read_inventory", {"provider": place.provider}, place, ASK_SECONDS)
        return list(answer["items"])

    async def logs(self, instance_id: str, place: Place, tail: int) -> list[str]:
        """The instance's own last lines. Raises `Unavailable`."""
        answer = await self._ask("read_logs", {"instance_id": instance_id, "tail": tail}, place, ASK_SECONDS)
        return list(answer["lines"])

    async def sweep(self, place: Place, sweeper: Answer, objects: dict[str, bool]) -> Answer:
        """Have orphans removed there; what became of each. Raises `Unavailable` or `Refused`."""
        given = {"provider": place.provider, "host_id": place.host_id, "sweeper": sweeper, "objects": objects}
        answer = await self._ask("sweep_orphans", given, place, SWEEP_SECONDS)
        return dict(answer["objects"])

    async def faults(self, given: Answer) -> list[Answer]:
        """Read, set or clear the scripted faults of `simulated`. Raises `Unavailable` or `Refused`."""
        answer = await self._ask("simulated_faults", given, Place("simulated"), ASK_SECONDS)
        return list(answer["items"])

    def look_from_thread(self, instance_id: str, place: Place) -> Look | None:
        """`look`, for a route that does not run on the loop."""
        asked = asyncio.run_coroutine_threadsafe(self.look(instance_id, place), self.loop)
        try:
            return asked.result(LOOK_SECONDS + 3)
        except TimeoutError:
            asked.cancel()
            return None

    async def _ask(self, activity: str, given: Answer, place: Place, seconds: float) -> Answer:
        silent = f"The worker of {place.host_id or place.provider} does not answer; is it running?"
        known = self._silences.get(place.queue)
        if known is not None and known.holds(seconds):
            raise Unavailable(silent)
        limit = timedelta(seconds=seconds)
        try:
            async with asyncio.timeout(seconds + 1.5):
                sealed = await self.client.execute_activity(
                    activity,
                    self.vault.seal(activity, given),
                    id=f"ask-{str(ULID()).lower()}",
                    task_queue=place.queue,
                    result_type=str,
                    schedule_to_start_timeout=limit,
                    start_to_close_timeout=limit,
                    schedule_to_close_timeout=limit + _TO_TELL,
                    retry_policy=RetryPolicy(maximum_attempts=1),
                    rpc_timeout=limit,
                )
        except ActivityFailureError as error:
            if isinstance(error.cause, ApplicationError):
                raise _refused(error.cause, silent) from None
            self._silences[place.queue] = Silence(seconds if _untaken(error) else min(seconds, LOOK_SECONDS))
            raise Unavailable(silent) from None
        except (RPCError, RuntimeError, TimeoutError) as error:
            log.info("temporal does not answer", kind=type(error).__name__)
            self._silences[place.queue] = Silence(seconds)
            raise Unavailable("Temporal does not answer now.") from None
        self._silences.pop(place.queue, None)
        return self.vault.unseal(activity, sealed, ANSWER_SECONDS)


def _untaken(error: ActivityFailureError) -> bool:
    """Whether no worker took the question. One that took it may have died of something else, and be back."""
    return isinstance(error.cause, ActivityTimeoutError) and error.cause.type is TimeoutType.SCHEDULE_TO_START


def _refused(failure: ApplicationError, silent: str) -> Refused:
    """What the worker answered. What passes by itself is worth asking again; the rest keeps its own code."""
    if failure.type == _ENDING:
        return Unavailable(silent)
    if not failure.non_retryable and failure.type != BerthError.code:
        return Unavailable(failure.message)
    refused = Refused(failure.message)
    if failure.type in HELP:
        refused.code = failure.type
    return refused


def status_seen(look: Look | None) -> Status | None:
    """The settled status that a look stands for, when it stands for one."""
    return _SEEN.get(Seen(look.answer["seen"])) if look and look.answer else None
