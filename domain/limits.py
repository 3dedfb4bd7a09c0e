"""Every time-out, budget and bound that more than one part must agree on, by name. Seconds."""

from __future__ import annotations

from dataclasses import dataclass

from domain.lifecycle import Operation

HEARTBEAT_SECONDS = 5.0
"""A mutation whose worker died is given to another after this."""
RECORD_SECONDS = 10.0
"""One attempt of a transaction of ours."""
CONFIRM_POLL_SECONDS = 0.5
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
MAX_POLICY_RESTARTS = 5

MAX_MEMBERS = 50
MAX_BODY_BYTES = 256 * 1024
NAME_LENGTH = 63


@dataclass(frozen=True)
class Budget:
    """`attempt`: one provider call with its probe; `total`: the step with every retry; `slow`: worth a warning."""

    attempt: float
    total: float
    slow: float


_BUDGETS: dict[tuple[str, Operation], Budget] = {
    ("process", Operation.CREATE): Budget(90, 300, 30),
    ("process", Operation.DELETE): Budget(60, 300, 30),
    ("simulated", Operation.CREATE): Budget(120, 300, 60),
    ("simulated", Operation.DELETE): Budget(120, 300, 60),
}
_DEFAULT = Budget(60, 240, 60)


def budget(provider: str, verb: Operation, timeouts: dict[str, float] | None = None) -> Budget:
    """What `verb` may take on `provider`; a deployment may override the totals of launch and termination."""
    known = _BUDGETS.get((provider, verb), _DEFAULT)
    override = (timeouts or {}).get("termination_seconds" if verb is Operation.DELETE else "launch_seconds")
    if override is None or verb not in {Operation.CREATE, Operation.DELETE}:
        return known
    return Budget(min(known.attempt, override), override, min(known.slow, override))
