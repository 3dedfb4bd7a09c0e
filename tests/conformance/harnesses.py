"""The one table of harnesses. A provider without a line here fails the suite."""

from __future__ import annotations

from collections.abc import Mapping

from tests.conformance.base import Harness
from tests.conformance.process_harness import ProcessHarness
from tests.conformance.simulated_harness import SimulatedHarness

HARNESSES: Mapping[str, type[Harness]] = {
    harness.name: harness
    for harness in (
        ProcessHarness,
        SimulatedHarness,
    )
}
