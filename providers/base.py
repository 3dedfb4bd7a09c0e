"""What every provider offers. Activities call it; a provider knows neither records nor Temporal nor blueprints.

All verbs are blocking, idempotent, and safe to run again after a crash at any point:

- `create` looks first, adopts what carries this identity, and only then makes it; a second object is never made.
- `delete` of something gone is success. `start` of something running and `stop` of something stopped too.
- Directly before every mutating step a verb calls `call.guard()`.
- Every inner wait is bounded; `call.sleep` wakes on cancellation.
- Failures are `ProviderError`s whose message names the cause, holds no secret, and says what helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from domain.errors import ProviderError, ProviderErrorKind
from domain.glimpses import Glimpse
from domain.work import Call, InventoryItem, Observation, Outcome, Work


class PortBusy(ProviderError):
    """Another program listens on the instance's port. Code `port-taken`: where the port was not the user's
    choice, a new one may be allocated and the call made again; nothing was started."""

    def __init__(self, port: int, holder: str) -> None:
        super().__init__(
            ProviderErrorKind.INVALID,
            f"port {port} is taken by another process ({holder}); stop it, or choose another port",
        )
        self.code = "port-taken"
        self.port = port


class PreviousGone(ProviderError):
    """Raised by `create` alone: the object of this generation is proven gone, and its name or token cannot be used
    again. The records raise the generation, and the call is made again."""

    def __init__(self, name: str) -> None:
        super().__init__(
            ProviderErrorKind.TRANSIENT, f"the former object of {name} is gone; a new one takes its place"
        )
        self.code = "previous-gone"


class Bell(Protocol):
    """Whoever watches on behalf of the monitor. Safe to use from every thread."""

    def ring(self, instance_id: str | None = None) -> None:
        """Something of this instance may have changed. None: of any; rung when a stream begins, for whatever
        happened before is in no stream, and when something may have been missed."""

    def wait(self, seconds: float) -> bool:
        """Wait so long; True as soon as nobody listens any more."""


class Provider(Protocol):
    """A place where instances live."""

    name: str
    probes: bool
    """Whether a blueprint's readiness probe reaches what this provider runs, at 127.0.0.1 and the work's port.
    Otherwise the provider itself says whether it is ready."""
    needs_port: bool
    """Whether Berth allocates a TCP port of the host for each instance, for life."""
    consistency_seconds: float
    """An absence that is not certain is proven by a second look this much later."""
    poll_seconds: float
    """Between two looks for a confirmation."""
    glance_seconds: float
    """Between two listings while `watch` tells nothing."""

    def identity(self) -> str:
        """What place this is: a daemon, a cluster, an account and region. Raises when it cannot be reached."""

    def create(self, work: Work, call: Call) -> Outcome:
        """Make it exist and run."""

    def start(self, work: Work, call: Call) -> Outcome:
        """Make the existing object run."""

    def stop(self, work: Work, call: Call) -> Outcome:
        """Stop it cleanly, keeping its data."""

    def restart(self, work: Work, call: Call) -> Outcome:
        """Stop and start; afterwards a new process runs even if it was running before."""

    def modify(self, work: Work, call: Call) -> Outcome:
        """Bring parameters and resources of the object up to `work`, without a restart where that works."""

    def delete(self, work: Work, call: Call) -> Outcome:
        """Remove the object and its data. Confirmed only when the provider shows it gone."""

    def observe(self, work: Work) -> Observation:
        """One direct look, bounded to a few seconds. Never changes anything."""

    def glance(self) -> Sequence[Glimpse]:
        """Every object of this server, in one batched call, as cheap as can be: a hint where to look, no proof.

        What is certainly ended for good is left out. Raises `ProviderError` when the place does not answer: an
        empty list says that there is nothing."""

    def watch(self, bell: Bell) -> None:
        """Ring the bell for whatever changes, until `bell.wait` says that nobody listens.

        A wake-up is no proof either. Raises `ProviderError` when the stream is lost. A provider that is told of
        nothing returns at once: then it is listed every `glance_seconds`."""

    def inner_address(self, work: Work) -> tuple[str, int]:
        """Host and port under which other instances of this provider reach it."""

    def inventory(self) -> Sequence[InventoryItem]:
        """Everything this provider holds that looks like Berth's, of this server or not."""

    def remove(self, provider_id: str, call: Call) -> None:
        """Remove an orphan that was named by a person."""

    def logs(self, work: Work, tail: int) -> Sequence[str]:
        """The instance's own last output lines, oldest first."""
