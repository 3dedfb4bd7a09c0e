"""Machines for tests: the provider opened on the double, works with a recipe, and waiting for what EC2 shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import (
    Call,
    ContainerRecipe,
    Home,
    MachineRecipe,
    Observation,
    Outcome,
    ProcessRecipe,
    Seen,
    Work,
)
from providers.base import Provider
from providers.ec2 import ENTRY
from providers.entry import Setup
from tests.support.calls import RecordingCall
from tests.support.ec2 import REGION, Ec2
from tests.support.works import SERVER_ID, a_work, verify

IMAGE, OTHER_IMAGE = "ami-0a1b2c3d4e5f60001", "ami-0a1b2c3d4e5f60002"
"""Both owned by Amazon, as moto has it (`ec2_images.json`)."""

QUICK = {
    "region": REGION,
    "image": IMAGE,
    "consistency_seconds": "1",
    "poll_seconds": "0.1",
    "call_seconds": "8",
}
"""The provider's options for tests: as configured, only faster."""


def open_ec2(endpoint: str, server_id: str = SERVER_ID, **options: str) -> Provider:
    """Through its entry, as a worker does. At module level, so that other processes can call it."""
    setup = Setup(
        options={**QUICK, "endpoint_url": endpoint, **options},
        data_dir=Path("/nonexistent"),
        instance_root=Path("/nonexistent"),
        server_id=server_id,
        host_id="",
        verify=verify,
    )
    return ENTRY.open(setup)


@dataclass(frozen=True)
class OneMachine:
    """A blueprint's recipes, of which only the machine is there."""

    recipe: MachineRecipe

    def machine_recipe(self, work: Work) -> MachineRecipe:
        return self.recipe

    def container_recipe(self, work: Work) -> ContainerRecipe:
        raise ProviderError(ProviderErrorKind.INVALID, "a machine is no container")

    def process_recipe(self, work: Work, home: Home) -> ProcessRecipe:
        raise ProviderError(ProviderErrorKind.INVALID, "a machine is no process")


def a_machine(
    instance_type: str = "t3.micro", zones: tuple[str, ...] = (), image: str | None = None, **changes: Any
) -> Work:
    recipes = OneMachine(MachineRecipe(instance_type, zones, image))
    return a_work(**{"recipes": recipes, "blueprint": "vm", "name": "box", **changes})


HIDDEN = 3600.0
"""Seconds for which EC2 does not show what it launched: until a test wants it shown."""
PATIENT = {"consistency_seconds": "40"}
"""Options of a provider that waits until it is shown."""


class ShownWhileWaiting(RecordingCall):
    """EC2 shows what it hid as soon as somebody waits for it, however slow everybody is."""

    def __init__(self, ec2: Ec2, attempt: int | None = 1) -> None:
        super().__init__(attempt=attempt)
        self._ec2 = ec2

    def sleep(self, seconds: float) -> None:
        self._ec2.configure(hidden=0.0)
        super().sleep(min(seconds, 0.1))


def seen_as(provider: Provider, work: Work, wanted: Seen, seconds: float = 60.0) -> Observation:
    """Look until it shows, as a confirmation does."""
    deadline = time.monotonic() + seconds
    while (look := provider.observe(work)).seen is not wanted:
        assert time.monotonic() < deadline, f"{look} instead of {wanted}"
        time.sleep(0.05)
    return look


def until_done(
    verb: Callable[[Work, Call], Outcome], work: Work, call: Call | None = None, seconds: float = 60.0
) -> Outcome:
    """Call again after what is worth another attempt, as an activity's retries do."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return verb(work, call or RecordingCall())
        except ProviderError as error:
            if not error.retryable or time.monotonic() > deadline:
                raise
            time.sleep(min(error.retry_after or 0.1, 1.0))
