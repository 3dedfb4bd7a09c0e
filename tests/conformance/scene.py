"""What the tests of the suite do again and again: act as an activity does, and wait for what was only accepted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from domain.errors import BerthError, ProviderError
from domain.work import Observation, Outcome, Seen, Work
from providers.base import PreviousGone, Provider
from tests.conformance.base import Can, Harness, Verb
from tests.support.calls import RecordingCall
from tests.support.works import signed

F = TypeVar("F", bound=Callable[..., object])

ENDS: dict[Verb, Seen] = {
    "create": Seen.UP,
    "start": Seen.UP,
    "stop": Seen.DOWN,
    "restart": Seen.UP,
    "delete": Seen.ABSENT,
}
"""What must be seen after a verb; `modify` leaves it as it was."""


def needs(*cans: Can) -> Callable[[F], F]:
    """The test is not made for a provider that lacks one of these."""

    def marked(test: F) -> F:
        test.needs = frozenset(cans)  # type: ignore[attr-defined]
        return test

    return marked


def next_generation(work: Work) -> Work:
    identity = replace(work.identity, generation=work.identity.generation + 1, signature="")
    return replace(work, identity=signed(identity), provider_id=None)


class Scene:
    """One instance at a harness's place. Every verb goes through a fresh provider: nothing helps but the truth."""

    def __init__(self, harness: Harness, work: Work | None = None) -> None:
        self.harness = harness
        self.work = work or harness.work()

    def provider(self) -> Provider:
        return self.harness.provider(self.work.identity.server_id)

    def call(self, verb: Verb, call: RecordingCall | None = None) -> Outcome:
        """The bare verb, and what the records keep of its answer."""
        outcome: Outcome = getattr(self.provider(), verb)(self.work, call or RecordingCall())
        if outcome.provider_id is not None:
            self.work = replace(self.work, provider_id=outcome.provider_id)
        return outcome

    def do(self, verb: Verb, seen: Seen | None = None) -> Outcome:
        """The verb, repeated and settled as the activities do it, until its end is proven."""
        for _ in range(self.harness.usual_retries):
            try:
                return self._once(verb, seen)
            except ProviderError as error:
                if not error.retryable:
                    raise
                self.harness.pause()
        return self._once(verb, seen)

    def _once(self, verb: Verb, seen: Seen | None) -> Outcome:
        try:
            outcome = self.call(verb)
        except PreviousGone:
            self.work = next_generation(self.work)
            outcome = self.call(verb)
        self.settle(outcome, seen or ENDS[verb])
        return outcome

    def settle(self, outcome: Outcome, seen: Seen) -> Observation:
        """A confirmed outcome must agree with the next look; an accepted one within the harness's time."""
        if outcome.confirmed and seen is not Seen.ABSENT:
            found = self.look()
            assert found.seen is seen, f"confirmed as {outcome.provider_state}, but {found}"
            return found
        return self.until(seen)

    def until(self, seen: Seen, says: str = "") -> Observation:
        """Look until this is seen, and said; an absence only when it is proven."""
        eyes = self.provider()  # a fresh one, but the same all the time: to open one costs more than a look
        deadline = time.monotonic() + self.harness.settle_seconds
        first_absence: float | None = None
        while True:
            found, now = eyes.observe(self.work), time.monotonic()
            if found.seen is not Seen.ABSENT:
                first_absence = None
            elif first_absence is None:
                first_absence = now
            waited = now - (first_absence or now)
            proven = seen is not Seen.ABSENT or found.certain or waited > eyes.consistency_seconds
            if found.seen is seen and proven and says in f"{found.provider_state}: {found.detail}":
                return found
            assert now < deadline, f"not {seen} {says!r} after {self.harness.settle_seconds} s: {found}"
            self.harness.pause()

    def look(self) -> Observation:
        return self.provider().observe(self.work)

    def objects(self) -> int:
        return len(self.harness.objects(self.work))

    def gone(self) -> None:
        """Nothing of it is left at the place."""
        assert list(self.harness.objects(self.work)) == []
        deadline = time.monotonic() + self.harness.settle_seconds
        while left := list(self.harness.remains(self.work)):
            assert time.monotonic() < deadline, left
            self.harness.pause()


def up(harness: Harness, work: Work | None = None) -> Scene:
    """A scene whose instance runs."""
    scene = Scene(harness, work)
    scene.do("create")
    return scene


class StoppedCall(RecordingCall):
    """Raises at the n-th guard and ever after, and remembers how the place looked at that moment."""

    def __init__(self, at: int, error: type[BerthError], look: Callable[[], object]) -> None:
        super().__init__()
        self._at, self._error, self._look = at, error, look
        self.then: object = None

    def guard(self) -> None:
        super().guard()
        if self.guards == self._at:
            self.then = self._look()
        if self.guards >= self._at:
            raise self._error("stopped by the test")


def before(harness: Harness, verb: Verb) -> Scene:
    """An instance in a state from which `verb` has something to do."""
    if verb == "create":
        return Scene(harness)
    scene = up(harness)
    if verb == "start":
        scene.do("stop")
    if verb == "modify":
        scene.work = harness.changed(scene.work)
    return scene


def finished(scene: Scene, verb: Verb) -> None:
    """The next attempt of the verb ends as if nothing had been; then all of it can be removed."""
    scene.do(verb, ENDS.get(verb, Seen.UP))
    assert scene.objects() == (0 if verb == "delete" else 1)
    scene.do("delete")
    scene.gone()
