"""Every time-out, budget and bound that more than one part must agree on, by name. Seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from domain.lifecycle import Operation

HEARTBEAT_SECONDS = 5.0
"""A mutation whose worker died is given to another after this."""
POLL_HEARTBEAT_SECONDS = 10.0
"""A poll changes nothing: it may be taken over later, and hundreds of them must not beat too often."""
RECORD_SECONDS = 10.0
"""One attempt of a transaction of ours."""
ABSENCE_SECONDS = 10.0
"""What was accepted and is not found for so long is gone. Longer than a provider takes to show a new object."""
LOOK_SECONDS = 8.0
"""One look at the provider, after a cancel or for a person."""
CLEANUP_SECONDS = 60.0
"""What a cancelled or failed create may take to remove its compute."""
HANDOVER_SECONDS = 1.0
"""A run that has written its last status gets this long to close before its successor cancels it."""
PARALLEL_INSTANCES = 10
"""Instances of one phase that are acted on at once."""
PENDING_SLOW_SECONDS = 15.0
PENDING_STUCK_SECONDS = 120.0
"""What is accepted begins within milliseconds where everything runs: nobody carries it out, and that must show."""
MAX_POLICY_RESTARTS = 5
MOST_ENDINGS = 6
"""After so many attempts an instance that ends by itself is given up, however much time its step has left."""

MAX_MEMBERS = 50
MAX_BODY_BYTES = 256 * 1024
MAX_JSON_DEPTH = 32
MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * 1024
NAME_LENGTH = 63


@dataclass(frozen=True)
class Budget:
    """What one verb may take, in seconds.

    `attempt`: one provider call with its probe; `total`: the step with every retry; `slow`: worth a warning.
    `attempts`: how often transient failures are tried; 0: until `total` is over.
    """

    attempt: float
    total: float
    slow: float
    attempts: int = 6


DEFAULT_BUDGET = Budget(60, 240, 60)


def patient(own: Mapping[Operation, Budget]) -> dict[Operation, Budget]:
    """Budgets of a provider that can be away for a while: each verb is tried until its total is over."""
    return {verb: replace(own.get(verb, DEFAULT_BUDGET), attempts=0) for verb in Operation}


def database_budget(of_server: Budget) -> Budget:
    """To allocate or release a database: what its server may take, and what is then to be done on the server.

    An attempt that finds the server not ready yet ends at once, and another one comes.
    """
    return Budget(attempt=45, total=of_server.total + 60, slow=of_server.slow + 15, attempts=0)


def overridden(known: Budget, verb: Operation, timeouts: Mapping[str, float] | None) -> Budget:
    """`known`, with a deployment's own totals of launch and termination."""
    override = (timeouts or {}).get("termination_seconds" if verb is Operation.DELETE else "launch_seconds")
    if override is None or verb not in {Operation.CREATE, Operation.DELETE}:
        return known
    return replace(known, attempt=min(known.attempt, override), total=override, slow=min(known.slow, override))
