"""Any sequence of requests and accidents leaves a Berth whole.

The moves are the same in every run; how they meet what is in flight is not. Set in the environment or on make's
command line: MACHINE_RANDOM=1 draws others each time, MACHINE_EXAMPLES and MACHINE_STEPS draw more of them, and
MACHINE_SHRINK=1 looks for a shorter sequence that fails. A failure tells everything that was asked, and how to
have the same moves again.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.machine import Machine
from tests.machine.world import World

pytestmark = [pytest.mark.crash, pytest.mark.timeout(3600)]

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "10"))
STEPS = int(os.environ.get("MACHINE_STEPS", "36"))
RANDOM = bool(os.environ.get("MACHINE_RANDOM"))
SHRINK = [Phase.shrink] if os.environ.get("MACHINE_SHRINK") else []


def test_any_sequence_of_requests_and_accidents_leaves_a_berth_whole(world: World) -> None:
    bounds = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        derandomize=not RANDOM,
        print_blob=True,
        report_multiple_bugs=False,
        phases=[Phase.generate, *SHRINK],
        suppress_health_check=list(HealthCheck),
    )

    run_state_machine_as_test(type("State", (Machine,), {"world": world}), settings=bounds)

    assert world.made.total() > EXAMPLES * STEPS / 2, world.made
    assert world.answers[202] > 50, world.answers
    assert world.answers[409] > 50, world.answers
